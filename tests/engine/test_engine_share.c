/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that clients share with the server: what is read and written in it
 * nobody copies, in whatever way all else is; how it comes and goes, while
 * requests are out, and what the kernel, or the application, may do wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/names.h"
#include "engine_rig.h"
#include "ev/engine.h"

#define BYTES	(64u << 10)	/* of the clients' file */
#define DISK	(1u << 20)
#define IO	8192u

static struct rig_dev r;
static struct ublkev_backend *backend;
static int file;
static char *client;		/* their mapping of it */

static struct {
	char bytes[DISK];
	unsigned int reqs, shared;
	const char *last;	/* buf of the last */
	bool holds;
	uint64_t held;		/* cookie */
	struct ublkev_req *req;
} disk;

static int disk_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = DISK;
	limits->dma_align_bytes = 512;
	limits->flags = UBLKEV_LIMIT_THREADS;
	return 0;
}

static void disk_do(const struct ublkev_req *req)
{
	char *at = disk.bytes + req->offset_bytes;

	if (req->op == UBLKEV_OP_READ)
		memcpy(req->buf, at, (size_t)req->len_bytes);
	else
		memcpy(at, req->buf, (size_t)req->len_bytes);
}

static int disk_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	disk.reqs++;
	disk.shared += !!(req->flags & UBLKEV_REQ_SHARED);
	disk.last = req->buf;
	disk.req = req;
	disk.held = req->cookie;
	if (disk.holds)
		return UBLKEV_LATER;
	disk_do(req);
	return UBLKEV_DONE;
}

static void *disk_map(void *ctx, const struct ublkev_req *req)
{
	(void)ctx;
	return disk.bytes + req->offset_bytes;
}

static int memfd(int seals)
{
	int fd = memfd_create("clients", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	if (seals)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void make(bool maps)
{
	const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "noting", .open = disk_open,
		.submit = disk_submit, .map = maps ? disk_map : NULL,
	};

	ck_assert_int_eq(ublkev_backend_new(&backend, &ops, NULL), 0);
}

static void setup(void)
{
	rig_setup();
	rig_ticks();
	memset(&disk, 0, sizeof(disk));
	file = memfd(F_SEAL_SHRINK);
	client = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ck_assert_ptr_ne(client, MAP_FAILED);
	fake.client_base = client;
	fake.client_bytes = BYTES;
	fake.features = 0x1fffff;
	rig_conf(&r);
	r.conf.features = UBLKEV_F_SHMEM_ZC;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	ublkev_backend_free(backend);
	munmap(client, BYTES);
	close(file);
	rig_teardown();
}

static void up(bool maps)
{
	make(maps);
	rig_up(&r, backend);
}

/* ---- requests ------------------------------------------------------------- */

struct one {
	unsigned int done;
	int res;
};

static void tell(void *arg, int res)
{
	struct one *one = arg;

	one->done++;
	one->res = res;
}

static bool is_done(void *arg)
{
	return ((struct one *)arg)->done;
}

static int io(uint32_t op, uint64_t offset, char *data)
{
	struct one one = { 0, 0 };

	fake_submit(0, op, offset, IO, data, tell, &one);
	rig_until(is_done, &one);
	return one.res;
}

/* ---- SHARED ------------------------------------------------------------------ */

static unsigned int told(void)
{
	unsigned int n = 0;
	const char *c;

	for (c = r.events; *c; c++)
		n += *c == 'H';
	return n;
}

static bool is_told(void *want)
{
	return told() == *(unsigned int *)want;
}

static int wait_told(void)
{
	unsigned int want = told() + 1;

	rig_until(is_told, &want);
	return r.dev.res;
}

static int share(uint64_t offset, uint64_t bytes, unsigned int flags)
{
	ck_assert_int_eq(ublkev_dev_share(rig_loop, &r.dev, file, offset, bytes,
					  flags), 0);
	return wait_told();
}

static int unshare(unsigned int number)
{
	ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, number), 0);
	return wait_told();
}

static unsigned int nr_mapped(void)
{
	const struct ublkev__shared *v = r.dev.priv->shared;
	unsigned int i, n = 0;

	for (i = 0; i < UBLKEV__MAX_SHARED; i++)
		n += !!v[i].base;
	return n;
}

/* all that is still shared goes with the device */
static void down(void)
{
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	ck_assert_int_eq(r.last_step, UBLKEV_STEP_GONE);
	ck_assert_int_eq(r.dev.err, 0);
	rig_fini(&r);
}

/* 0 .. 3: the ways of copying; with a backend that has map() or not; threads */
START_TEST(not_copied)
{
	static const enum ublkev_copy copies[] = {
		UBLKEV_COPY_PLAIN, UBLKEV_COPY_USER, UBLKEV_COPY_DIRECT,
		UBLKEV_COPY_AUTO,
	};
	static char own[IO], back[IO];
	unsigned int i;

	r.conf.copy = copies[_i % 4];
	if (_i / 8)
		r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	if (_i / 16)
		r.conf.features |= UBLKEV_F_BATCH_IO;
	up(_i / 4 % 2);
	ck_assert_int_eq(share(4096, BYTES - 4096, 0), 0);
	memset(own, 0x33, sizeof(own));
	for (i = 0; i < 4; i++) {
		memset(client + 4608, (int)(0x40 + i), IO);
		ck_assert_int_eq(io(FAKE_WRITE, 512, client + 4608), 0);
		ck_assert_uint_eq(disk.shared, 2 * i + 1);
		ck_assert_mem_eq(disk.bytes + 512, client + 4608, IO);
		ck_assert_ptr_ne(disk.last, client + 4608);
		/* beside what is not in it */
		ck_assert_int_eq(io(FAKE_WRITE, 65536, own), 0);
		ck_assert_int_eq(io(FAKE_READ, 65536, back), 0);
		ck_assert_mem_eq(back, own, IO);
		ck_assert_uint_eq(disk.shared, 2 * i + 1);
		ck_assert_int_eq(io(FAKE_READ, 512, client + 32768), 0);
		ck_assert_uint_eq(disk.shared, 2 * i + 2);
		ck_assert_mem_eq(client + 32768, client + 4608, IO);
	}
	ck_assert_uint_eq(rig_stats(&r).shared, 8);
	ck_assert_uint_eq(rig_stats(&r).rejected, 0);
	/* in front of what is shared, and beyond it: copied */
	memset(client, 0x55, IO);
	ck_assert_int_eq(io(FAKE_WRITE, 0, client), 0);
	ck_assert_uint_eq(disk.shared, 8);
	ck_assert_int_eq(unshare(0), 0);
	ck_assert_uint_eq(nr_mapped(), 0);
	ck_assert_int_eq(io(FAKE_WRITE, 0, client + 4608), 0);
	ck_assert_mem_eq(disk.bytes, client + 4608, IO);
	ck_assert_uint_eq(disk.shared, 8);
	down();
}
END_TEST

/* the least free number; one goes, another comes */
START_TEST(numbers)
{
	up(false);
	/* what the backend wants of memory, clients are asked for */
	ck_assert_uint_eq(fake_dma_align_bytes(0), 512);
	ck_assert_int_eq(share(0, 4096, 0), 0);
	ck_assert_int_eq(share(4096, 4096, 0), 1);
	ck_assert_int_eq(share(8192, 4096, 0), 2);
	ck_assert_int_eq(unshare(1), 0);
	ck_assert_uint_eq(nr_mapped(), 2);
	ck_assert_int_eq(share(16384, IO, 0), 1);
	ck_assert_int_eq(io(FAKE_WRITE, 0, client + 16384), 0);
	ck_assert_uint_eq(disk.shared, 1);
	down();
}
END_TEST

/* somebody else has registered some: the driver's number counts */
START_TEST(other_number)
{
	fake.first_number = (unsigned int)_i;
	up(false);
	if (_i < (int)UBLKEV__MAX_SHARED) {
		ck_assert_int_eq(share(0, BYTES, 0), _i);
		ck_assert_int_eq(io(FAKE_WRITE, 0, client), 0);
		ck_assert_uint_eq(disk.shared, 1);
		ck_assert_int_eq(unshare((unsigned int)_i), 0);
	} else {
		ck_assert_int_eq(share(0, BYTES, 0), -ENOSPC);
	}
	ck_assert_int_eq(io(FAKE_WRITE, 0, client), 0);
	down();
}
END_TEST

/* what a client reads goes by the usual way */
START_TEST(read_only)
{
	char *before = client + IO;

	up(false);
	ck_assert_int_eq(share(0, BYTES, UBLKEV_SHARE_READ_ONLY), 0);
	memset(client, 0x21, IO);
	ck_assert_int_eq(io(FAKE_WRITE, 0, client), 0);
	ck_assert_uint_eq(disk.shared, 1);
	ck_assert_int_eq(io(FAKE_READ, 0, before), 0);
	ck_assert_uint_eq(disk.shared, 1);
	ck_assert_mem_eq(before, client, IO);
	down();
}
END_TEST

#define SHARE(fd, offset, bytes, flags) \
	ublkev_dev_share(rig_loop, &r.dev, (fd), (offset), (bytes), (flags))

START_TEST(refused)
{
	int unsealed = memfd(0), p[2], fds;

	make(false);
	rig_init(&r, backend);
	ck_assert_int_eq(SHARE(file, 0, 4096, 0), -EINVAL);	/* not live */
	ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, 0), -EINVAL);
	rig_start(&r);
	rig_until(rig_is_live, &r);
	ck_assert_int_eq(pipe(p), 0);
	fds = (int)test_fds(getpid());
	ck_assert_int_eq(SHARE(file, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(SHARE(file, 0, 4097, 0), -EINVAL);
	ck_assert_int_eq(SHARE(file, 1, 4096, 0), -EINVAL);
	ck_assert_int_eq(SHARE(file, 4096, BYTES, 0), -EINVAL);
	ck_assert_int_eq(SHARE(file, 0, (UINT64_C(1) << 32) + 4096, 0), -EINVAL);
	ck_assert_int_eq(SHARE(file, UINT64_MAX - 4095, 8192, 0), -EINVAL);
	ck_assert_int_eq(SHARE(file, 0, 4096, 2), -EOPNOTSUPP);
	ck_assert_int_eq(SHARE(-1, 0, 4096, 0), -EBADF);
	ck_assert_int_eq(SHARE(p[0], 0, 4096, 0), -EPERM);
	ck_assert_int_eq(SHARE(unsealed, 0, 4096, 0), -EPERM);
	ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, 0), -ENOENT);
	ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, 1u << 20), -ENOENT);
	ck_assert_uint_eq(nr_mapped(), 0);
	/* one at a time, beside other changes */
	ck_assert_int_eq(SHARE(file, 0, 4096, 0), 0);
	ck_assert_int_eq(SHARE(file, 0, 4096, 0), -EINVAL);
	ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, 0), -EINVAL);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), -EINVAL);
	ck_assert_int_eq(wait_told(), 0);
	ck_assert_int_eq((int)test_fds(getpid()), fds);
	close(unsealed);
	close(p[0]);
	close(p[1]);
	down();
}
END_TEST

/* sealed against writing, only a server that writes nothing can have it */
START_TEST(sealed)
{
	int fd = memfd(F_SEAL_SHRINK | F_SEAL_WRITE);

	up(false);
	ck_assert_int_eq(SHARE(fd, 0, 4096, 0), -EPERM);
	ck_assert_int_eq(SHARE(fd, 0, 4096, UBLKEV_SHARE_READ_ONLY), 0);
	ck_assert_int_eq(wait_told(), 0);
	close(fd);
	down();
}
END_TEST

/* 0: not asked for; 1: the kernel has none */
START_TEST(without)
{
	if (_i)
		fake.features &= ~FAKE_F_SHMEM_ZC;
	else
		r.conf.features = 0;
	up(false);
	ck_assert_int_eq(SHARE(file, 0, 4096, 0), -EOPNOTSUPP);
	ck_assert_uint_eq(fake_dma_align_bytes(0), 0);
	down();
}
END_TEST

/* by the kernel: nothing stays mapped, and it may be tried again */
START_TEST(kernel_refuses)
{
	up(false);
	fake_rule(FAKE_CMD, UBLKEV__CTRL_REG_BUF, 1, 1, -EFAULT);
	ck_assert_int_eq(share(0, BYTES, 0), -EFAULT);
	ck_assert_uint_eq(nr_mapped(), 0);
	ck_assert_int_eq(share(0, BYTES, 0), 0);
	fake_rule(FAKE_CMD, UBLKEV__CTRL_UNREG_BUF, 1, 1, -EPERM);
	ck_assert_int_eq(unshare(0), -EPERM);
	ck_assert_int_eq(io(FAKE_WRITE, 0, client), 0);
	ck_assert_uint_eq(disk.shared, 1);
	ck_assert_int_eq(unshare(0), 0);
	down();
}
END_TEST

/* a request that is out holds it up, and nothing that comes is begun */
START_TEST(waits)
{
	struct one first = { 0, 0 }, second = { 0, 0 };

	up(false);
	if (_i)
		ck_assert_int_eq(share(0, BYTES, 0), 0);
	disk.holds = true;
	fake_submit(0, FAKE_WRITE, 0, IO, client, tell, &first);
	rig_run_ms(3);
	ck_assert_uint_eq(disk.reqs, 1);
	if (_i)
		ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, 0), 0);
	else
		ck_assert_int_eq(SHARE(file, 0, BYTES, 0), 0);
	rig_run_ms(3);
	fake_submit(0, FAKE_WRITE, 0, IO, client, tell, &second);
	rig_run_ms(3);
	ck_assert_uint_eq(told(), (unsigned int)_i);
	ck_assert_uint_eq(disk.reqs, 1);
	ck_assert_uint_eq(nr_mapped(), 1);
	disk.holds = false;
	disk_do(disk.req);
	ublkev_req_done(backend, disk.held, 0);
	ck_assert_int_eq(wait_told(), 0);
	rig_until(is_done, &second);
	ck_assert_int_eq(first.res | second.res, 0);
	/* the one before, or the one after */
	ck_assert_uint_eq(disk.shared, 1);
	down();
}
END_TEST

/* it is told that it took too long, and is done all the same */
START_TEST(late)
{
	struct one one = { 0, 0 };

	r.conf.cmd_timeout_ms = 10;
	r.conf.grace_ms = 10;
	make(false);
	rig_init(&r, backend);
	rig_start(&r);
	rig_until(rig_is_live, &r);
	disk.holds = true;
	fake_submit(0, FAKE_WRITE, 0, IO, client, tell, &one);
	rig_run_ms(3);
	ck_assert_int_eq(SHARE(file, 0, BYTES, 0), 0);
	ck_assert_int_eq(wait_told(), -ETIMEDOUT);
	ck_assert_int_eq(SHARE(file, 0, BYTES, 0), -EBUSY);
	ck_assert_uint_eq(nr_mapped(), 1);
	disk.holds = false;
	ublkev_req_done(backend, disk.held, 0);
	rig_until(is_done, &one);
	rig_run_ms(5);
	ck_assert_uint_eq(told(), 1);
	/* the memory is there, and may be given back */
	ck_assert_int_eq(io(FAKE_WRITE, 0, client), 0);
	ck_assert_uint_eq(disk.shared, 1);
	ck_assert_int_eq(unshare(0), 0);
	down();
}
END_TEST

/* a stop, or an abort, in the midst: what is waited for is failed, in the end */
START_TEST(ends_meanwhile)
{
	struct one one = { 0, 0 };

	r.conf.cmd_timeout_ms = 10;
	r.conf.grace_ms = 10;
	make(false);
	rig_init(&r, backend);
	rig_start(&r);
	rig_until(rig_is_live, &r);
	if (_i / 2)
		ck_assert_int_eq(share(0, BYTES, 0), 0);
	disk.holds = true;
	fake_submit(0, FAKE_WRITE, 0, IO, client, tell, &one);
	rig_run_ms(3);
	if (_i / 2)
		ck_assert_int_eq(ublkev_dev_unshare(rig_loop, &r.dev, 0), 0);
	else
		ck_assert_int_eq(SHARE(file, 0, BYTES, 0), 0);
	if (_i % 2)
		ublkev_dev_abort(rig_loop, &r.dev);
	else
		ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	ck_assert_uint_eq(told(), 1 + (unsigned int)_i / 2);
	ck_assert_uint_eq(one.done, 1);
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_int_eq(r.last_step, UBLKEV_STEP_GONE);
	rig_fini(&r);
}
END_TEST

/* its last server was not ours: nobody knows what was registered */
START_TEST(not_recovered)
{
	make(false);
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	ck_assert_int_eq(ublkev_dev_init(&r.dev, NULL, &r.conf, backend),
			 -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_share");
	TCase *tc = tcase_create("share");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, not_copied, 0, 32);
	tcase_add_test(tc, numbers);
	tcase_add_loop_test(tc, other_number, 3, 4);
	tcase_add_loop_test(tc, other_number, 64, 65);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, sealed);
	tcase_add_loop_test(tc, without, 0, 2);
	tcase_add_test(tc, kernel_refuses);
	tcase_add_loop_test(tc, waits, 0, 2);
	tcase_add_test(tc, late);
	tcase_add_loop_test(tc, ends_meanwhile, 0, 4);
	tcase_add_test(tc, not_recovered);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}

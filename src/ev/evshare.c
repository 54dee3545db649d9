/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps what clients share, has it registered, and keeps the table that
 * core/queue.h looks a request's address up in.
 */
#include "ev/evshare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ev/clock.h"
#include "ev/engine.h"
#include "ev/evloop.h"

/* UBLK_SHMEM_BUF_SIZE_MAX */
#define MOST_BYTES	(UINT64_C(1) << 32)

static int share_check(uint64_t offset_bytes, uint64_t bytes,
		       unsigned int flags)
{
	if (flags & ~UBLKEV_SHARE_READ_ONLY)
		return -EOPNOTSUPP;
	if (!bytes || bytes > MOST_BYTES || bytes % UBLKEV__PAGE ||
	    offset_bytes % UBLKEV__PAGE ||
	    offset_bytes + bytes < offset_bytes)
		return -EINVAL;
	return 0;
}

/*
 * Who cuts the file short would take the pages from under the server, which
 * SIGBUS ends at its next touch. So it has to be sealed.
 */
static int share_check_file(int fd, uint64_t end_bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (seals < 0)
		return errno == EINVAL ? -EPERM : -errno;
	if (!(seals & F_SEAL_SHRINK))
		return -EPERM;
	return (uint64_t)st.st_size < end_bytes ? -EINVAL : 0;
}

/* the least that is free, as the driver takes it (ida_alloc_max()) */
static int share_find(const struct ublkev__engine *e)
{
	int i;

	for (i = 0; i < (int)UBLKEV__MAX_SHARED; i++)
		if (!e->shared[i].base)
			return i;
	return -ENOSPC;
}

static int share_map(struct ublkev__shared *s, int fd, uint64_t offset_bytes,
		     uint64_t bytes, unsigned int flags)
{
	int prot = PROT_READ | (flags & UBLKEV_SHARE_READ_ONLY ? 0
							       : PROT_WRITE);
	void *p = mmap(NULL, (size_t)bytes, prot, MAP_SHARED, fd,
		       (off_t)offset_bytes);
	int err;

	if (p == MAP_FAILED)
		return -errno;
	/* a child that has the pages would keep them from nobody, but waste */
	if (madvise(p, (size_t)bytes, MADV_DONTFORK)) {
		err = -errno;
		munmap(p, (size_t)bytes);
		return err;
	}
	s->bytes = bytes;
	s->base = p;
	return 0;
}

static void share_unmap(struct ublkev__shared *s)
{
	if (s->base)
		munmap(s->base, (size_t)s->bytes);
	memset(s, 0, sizeof(*s));
}

int ublkev__share_init(struct ublkev__engine *e)
{
	if (!(e->life.info.features & UBLKEV__F(SHMEM_ZC)) || e->shared)
		return 0;
	e->shared = ublkev__alloc_zalloc(&e->mem, UBLKEV__MAX_SHARED,
					 sizeof(*e->shared));
	return e->shared ? 0 : -ENOMEM;
}

static void share_close(struct ublkev__engine *e)
{
	if (e->share_fd >= 0)
		close(e->share_fd);
	e->share_fd = -1;
}

/* the file is looked at, and kept for whoever carries the command */
int ublkev__share_begin(struct ublkev__engine *e, int fd, uint64_t offset_bytes,
			uint64_t bytes, unsigned int flags)
{
	int err = share_check(offset_bytes, bytes, flags);
	int index;

	if (!err)
		err = ublkev__life_can_share(&e->life);
	if (!err && e->resize != UBLKEV__RESIZE_NONE)
		err = -EINVAL;
	if (!err)
		err = share_check_file(fd, offset_bytes + bytes);
	if (err)
		return err;
	index = share_find(e);
	if (index < 0)
		return index;
	e->share_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (e->share_fd < 0)
		return -errno;
	err = share_map(&e->shared[index], fd, offset_bytes, bytes, flags);
	if (err) {
		share_close(e);
		return err;
	}
	e->share_index = (unsigned int)index;
	e->share_offset = offset_bytes;
	e->share_flags = flags;
	ublkev__life_share(&e->life, ublkev__engine_now_ms(e));
	ublkev__evloop_kick(&e->lane);
	return 0;
}

int ublkev__share_end(struct ublkev__engine *e, unsigned int index)
{
	int err = ublkev__life_can_share(&e->life);

	if (!err && e->resize != UBLKEV__RESIZE_NONE)
		err = -EINVAL;
	if (err)
		return err;
	if (index >= UBLKEV__MAX_SHARED || !e->shared[index].base)
		return -ENOENT;
	e->share_index = index;
	ublkev__life_unshare(&e->life, index, ublkev__engine_now_ms(e));
	ublkev__evloop_kick(&e->lane);
	return 0;
}

void ublkev__share_fill(const struct ublkev__engine *e,
			struct ublkev__carrier_req *req)
{
	const struct ublkev__shared *s = &e->shared[e->share_index];

	req->memory = (struct ublkev__carrier_memory){
		.base = s->base,
		.bytes = s->bytes,
		.offset_bytes = e->share_offset,
		.fd = e->share_fd,
		.read_only = e->share_flags & UBLKEV_SHARE_READ_ONLY,
	};
}

void ublkev__share_sent(struct ublkev__engine *e)
{
	share_close(e);
}

/*
 * Another program may have registered memory of the device's: then the number is
 * not the one that was expected, and requests that named it meanwhile failed.
 */
static int share_registered(struct ublkev__engine *e, unsigned int number)
{
	struct ublkev__shared *was = &e->shared[e->share_index];

	if (number == e->share_index)
		return (int)number;
	ublkev__log(&e->log, LOG_WARNING,
		    "shared memory got number %u, not %u: somebody else has registered some",
		    number, e->share_index);
	if (number >= UBLKEV__MAX_SHARED)
		return -ENOSPC;	/* mapped, for the driver has it */
	e->shared[number] = *was;
	memset(was, 0, sizeof(*was));
	return (int)number;
}

int ublkev__share_answered(struct ublkev__engine *e, enum ublkev__ctrl_cmd cmd,
			   int res)
{
	bool registers = cmd == UBLKEV__CTRL_REG_BUF;

	if (!registers && cmd != UBLKEV__CTRL_UNREG_BUF)
		return res;
	if (registers && res >= 0)
		return share_registered(e, (unsigned int)res);
	/*
	 * It is not registered, or not any more. Requests that an abort has
	 * answered may still be with the backend: then it is unmapped when that
	 * has closed.
	 */
	if (registers == (res < 0) && !e->life.aborted)
		share_unmap(&e->shared[e->share_index]);
	return res;
}

void ublkev__share_free(struct ublkev__engine *e, bool left)
{
	unsigned int i;

	share_close(e);
	for (i = 0; e->shared && i < UBLKEV__MAX_SHARED && !left; i++)
		share_unmap(&e->shared[i]);
	/* lanes are gone: nobody looks at the table any more */
	ublkev__alloc_free(&e->mem, e->shared);
	e->shared = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_disk SOCKET FILE SEED - a disk with a volatile cache, for a machine whose
 *	power is cut: one client (QEMU) by NBD over a Unix socket. FILE is what is
 *	on the medium. A write is in the cache until a flush puts all that is
 *	there on the medium; now and then a block gets there by itself. When the
 *	client has gone, half of the blocks which are in the cache are written and
 *	the others are lost, each as a whole; a line on stdout says how many.
 *
 * The same SEED and the same requests give the same medium.
 *
 * Exit status 0; 1, and a line on stderr.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BLOCK		4096u		/* what is never torn */
#define MOST_IO		(32u << 20)
#define DESTAGE_ONE_OF	16u

/* NBD's protocol document, "fixed newstyle" */
#define NBD_MAGIC		UINT64_C(0x4e42444d41474943)
#define NBD_OPTION_MAGIC	UINT64_C(0x49484156454f5054)
#define NBD_REPLY_MAGIC		UINT64_C(0x3e889045565a9)
#define NBD_REQUEST_MAGIC	0x25609513u
#define NBD_ANSWER_MAGIC	0x67446698u
enum { NBD_OPT_ABORT = 2, NBD_OPT_GO = 7 };
enum { NBD_REP_ACK = 1, NBD_REP_INFO = 3 };
#define NBD_REP_ERR_UNSUP	0x80000001u
#define NBD_HAS_FLUSH		(1u | 4u)
enum { NBD_READ, NBD_WRITE, NBD_DISC, NBD_FLUSH };

static int client, medium;
static uint64_t disk_bytes;
static char *cached;		/* what a client sees: private pages of the file */
static char *dirty;		/* [block]: the medium has not got it */
static uint64_t seed;
static unsigned long long flushes;

static void die(const char *what)
{
	fprintf(stderr, "e2e_disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random_next(void)
{
	uint64_t x = seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* ---- the medium ----------------------------------------------------------- */

static void destage(uint64_t block)
{
	off_t at = (off_t)(block * BLOCK);

	if (pwrite(medium, cached + at, BLOCK, at) != BLOCK)
		die("the medium");
	dirty[block] = 0;
}

static void disk_wrote(uint64_t at, uint64_t len)
{
	uint64_t block = at / BLOCK;

	for (; block * BLOCK < at + len; block++) {
		dirty[block] = 1;
		if (!(random_next() % DESTAGE_ONE_OF))
			destage(block);
	}
}

static void disk_flush(void)
{
	uint64_t block;

	for (block = 0; block < disk_bytes / BLOCK; block++)
		if (dirty[block])
			destage(block);
	flushes++;
}

static void cut_power(void)
{
	unsigned long long all = 0, lost = 0;
	uint64_t block;

	for (block = 0; block < disk_bytes / BLOCK; block++) {
		if (!dirty[block])
			continue;
		all++;
		if (random_next() & 1)
			destage(block);
		else
			lost++;
	}
	printf("%llu flushes; %llu blocks in the cache, %llu of them lost\n",
	       flushes, all, lost);
}

/* ---- the client ------------------------------------------------------------- */

/* whether all of it came: a client that is killed may leave a part */
static int got(void *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= (size_t)n, buf = (char *)buf + n) {
		n = recv(client, buf, len, 0);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return 0;
	}
	return 1;
}

static int sent(const void *buf, size_t len)
{
	ssize_t n;

	for (; len; len -= (size_t)n, buf = (const char *)buf + n) {
		n = send(client, buf, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return 0;
	}
	return 1;
}

static int answer_option(uint32_t option, uint32_t type, const void *data,
			 uint32_t len)
{
	struct {
		uint64_t magic;
		uint32_t option, type, len;
	} __attribute__((packed)) head = {
		htobe64(NBD_REPLY_MAGIC), htobe32(option), htobe32(type),
		htobe32(len),
	};

	return sent(&head, sizeof(head)) && sent(data, len);
}

/* of NBD_INFO_EXPORT, which is type 0 */
struct export_info {
	uint16_t type;
	uint64_t bytes;
	uint16_t flags;
} __attribute__((packed));

/* 1: requests follow; 0: go on; -1: the client is gone */
static int serve_option(uint32_t option)
{
	struct export_info info = {
		0, htobe64(disk_bytes), htobe16(NBD_HAS_FLUSH),
	};

	switch (option) {
	case NBD_OPT_GO:
		return answer_option(option, NBD_REP_INFO, &info,
				     sizeof(info)) &&
		       answer_option(option, NBD_REP_ACK, NULL, 0) ? 1 : -1;
	case NBD_OPT_ABORT:
		answer_option(option, NBD_REP_ACK, NULL, 0);
		return -1;
	default:
		return answer_option(option, NBD_REP_ERR_UNSUP, NULL, 0) ? 0 :
		       -1;
	}
}

/* whether there is somebody who sends requests now */
static int greeted(void)
{
	struct {
		uint64_t magic, option_magic;
		uint16_t flags;
	} __attribute__((packed)) hello = {
		htobe64(NBD_MAGIC), htobe64(NBD_OPTION_MAGIC), htobe16(1),
	};
	struct {
		uint64_t magic;
		uint32_t option, len;
	} __attribute__((packed)) head;
	static char data[4096];
	uint32_t flags;
	int way = 0;

	if (!sent(&hello, sizeof(hello)) || !got(&flags, sizeof(flags)))
		return 0;
	while (!way) {
		if (!got(&head, sizeof(head)) ||
		    be32toh(head.len) > sizeof(data) ||
		    !got(data, be32toh(head.len)))
			return 0;
		way = serve_option(be32toh(head.option));
	}
	return way > 0;
}

struct request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t handle, at;
	uint32_t len;
} __attribute__((packed));

/* what came is written when all of it is there: half a request is none */
static int take_write(uint64_t at, uint32_t len)
{
	static char buf[MOST_IO];

	if (!got(buf, len))
		return 0;
	memcpy(cached + at, buf, len);
	disk_wrote(at, len);
	return 1;
}

/* whether the client is still there */
static int serve_request(const struct request *r)
{
	struct {
		uint32_t magic, error;
		uint64_t handle;
	} __attribute__((packed)) answer = {
		htobe32(NBD_ANSWER_MAGIC), 0, r->handle,
	};
	uint64_t at = be64toh(r->at);
	uint32_t len = be32toh(r->len);
	int type = be16toh(r->type);

	if (be32toh(r->magic) != NBD_REQUEST_MAGIC || type == NBD_DISC)
		return 0;
	if (len > MOST_IO || at > disk_bytes || len > disk_bytes - at) {
		errno = ERANGE;
		die("a request");
	}
	if (type == NBD_WRITE && !take_write(at, len))
		return 0;
	if (type == NBD_FLUSH)
		disk_flush();
	if (type > NBD_FLUSH)
		answer.error = htobe32(EINVAL);
	return sent(&answer, sizeof(answer)) &&
	       (type != NBD_READ || sent(cached + at, len));
}

static int wait_for_client(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	if (strlen(path) >= sizeof(name.sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	strcpy(name.sun_path, path);
	unlink(path);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&name, sizeof(name)) ||
	    listen(listener, 1))
		die(path);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die(path);
	close(listener);
	return fd;
}

int main(int argc, char **argv)
{
	struct request request;
	struct stat st;

	if (argc != 4) {
		fprintf(stderr, "usage: e2e_disk SOCKET FILE SEED\n");
		return 1;
	}
	seed = strtoull(argv[3], NULL, 0);
	medium = open(argv[2], O_RDWR | O_CLOEXEC);
	if (medium < 0 || fstat(medium, &st))
		die(argv[2]);
	disk_bytes = (uint64_t)st.st_size / BLOCK * BLOCK;
	cached = mmap(NULL, disk_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_NORESERVE, medium, 0);
	dirty = calloc(disk_bytes / BLOCK, 1);
	if (cached == MAP_FAILED || !dirty)
		die(argv[2]);
	client = wait_for_client(argv[1]);
	if (greeted())
		while (got(&request, sizeof(request)) &&
		       serve_request(&request))
			;
	cut_power();
	return 0;
}

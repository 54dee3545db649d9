/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem.c - a disk in one private anonymous mapping
 */
#include "backend/disk.h"
#include "backend/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Giving pages back and filling them hold up the loop: each of these is a
 * millisecond or so.
 */
#define MAX_DISCARD_BYTES	(UINT32_C(32) << 20)
#define MAX_WRITE_ZEROES_BYTES	(UINT32_C(4) << 20)

struct mem {
	char *bytes;
	size_t page_bytes;	/* power of 2, not below 4096 */
	struct ublkev_disk_conf conf;
};

static int mem_open(void *ctx, struct ublkev_limits *limits)
{
	const struct mem *m = ctx;

	ublkev__disk_limits(&m->conf, limits, MAX_DISCARD_BYTES,
			    MAX_WRITE_ZEROES_BYTES);
	limits->discard_granularity_bytes = (uint32_t)m->page_bytes;
	return 0;
}

/* a page never written stays so: reading it does not cost one */
static void zero_edge(char *from, const char *to)
{
	size_t n = (size_t)(to - from);

	if (n && (*from || memcmp(from, from + 1, n - 1)))
		memset(from, 0, n);
}

static void give_back(const struct mem *m, char *from, char *to)
{
	size_t mask = m->page_bytes - 1;
	char *first = from + (-(uintptr_t)from & mask);
	char *last = to - ((uintptr_t)to & mask);

	if (first >= last) {
		zero_edge(from, to);
		return;
	}
	zero_edge(from, first);
	/* refused when the application has locked its memory */
	if (madvise(first, (size_t)(last - first), MADV_DONTNEED))
		memset(first, 0, (size_t)(last - first));
	zero_edge(last, to);
}

static int mem_submit(void *ctx, struct ublkev_req *req)
{
	const struct mem *m = ctx;
	char *at = m->bytes + req->offset_bytes;

	switch (req->op) {
	case UBLKEV_OP_READ:
		memcpy(req->buf, at, req->len_bytes);
		return UBLKEV_DONE;
	case UBLKEV_OP_WRITE:
		memcpy(at, req->buf, req->len_bytes);
		return UBLKEV_DONE;
	case UBLKEV_OP_FLUSH:
		return UBLKEV_DONE;
	case UBLKEV_OP_WRITE_ZEROES:
		if (req->flags & UBLKEV_REQ_NOUNMAP) {
			memset(at, 0, req->len_bytes);
			return UBLKEV_DONE;
		}
		/* fall through */
	case UBLKEV_OP_DISCARD:
		give_back(m, at, at + req->len_bytes);
		return UBLKEV_DONE;
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * A page never written reads as zeroes without being allocated, in the
 * kernel's copy also.
 */
static void *mem_map(void *ctx, const struct ublkev_req *req)
{
	const struct mem *m = ctx;

	return m->bytes + req->offset_bytes;
}

static const struct ublkev_backend_ops mem_ops = {
	.size = sizeof(mem_ops),
	.name = "mem",
	.open = mem_open,
	.submit = mem_submit,
	.map = mem_map,
};

/* the kernel rounds all lengths up to whole pages */
static int map(struct mem *m)
{
	size_t bytes = (size_t)m->conf.dev_bytes;
	void *p;

	if (m->conf.dev_bytes > PTRDIFF_MAX)
		return -ENOMEM;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	if (madvise(p, bytes, MADV_DONTFORK)) {
		munmap(p, bytes);
		return -ENOMEM;
	}
	/*
	 * Where the system gives huge pages to all, the first write of 4 KiB
	 * would cost 2 MiB. A kernel without huge pages refuses either wish.
	 */
	(void)madvise(p, bytes, m->conf.flags & UBLKEV_DISK_HUGE_PAGES ?
		      MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	m->bytes = p;
	return 0;
}

static void mem_free(void *ctx)
{
	struct mem *m = ctx;

	if (m->bytes)
		munmap(m->bytes, (size_t)m->conf.dev_bytes);
	free(m);
}

int ublkev_mem_new(struct ublkev_backend **backendp,
		   const struct ublkev_disk_conf *conf)
{
	struct ublkev_disk_conf own;
	struct mem *m;
	int err;

	err = ublkev__disk_take(&own, conf);
	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->conf = own;
	m->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	err = map(m);
	if (!err)
		err = ublkev__backend_new(backendp, &mem_ops, m, mem_free);
	if (err)
		mem_free(m);
	return err;
}

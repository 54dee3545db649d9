/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mapping of a memory disk and what gives its pages back. Which calls a
 * mapping without a file, one of tmpfs and one of hugetlbfs want for that
 * differs, and only this file knows.
 */
#include "backend/memmap.h"
#include "backend/filelimit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SLICE_BYTES		((size_t)256 << 10)
#define HUGE_SLICE_BYTES	((size_t)2 << 20)

/*
 * Part of a page can't be given back, so it is overwritten; only where it is
 * not zeroes, for a write would allocate a page that was never written.
 */
static void memmap_zero_edge(char *from, const char *to)
{
	size_t n = (size_t)(to - from);

	if (n && (*from || memcmp(from, from + 1, n - 1)))
		memset(from, 0, n);
}

static void memmap_give_back(char *from, char *to, size_t page_bytes)
{
	size_t mask = page_bytes - 1;
	char *first = from + (-(uintptr_t)from & mask);
	char *last = to - ((uintptr_t)to & mask);

	if (first >= last) {
		memmap_zero_edge(from, to);
		return;
	}
	memmap_zero_edge(from, first);
	/* refused when the application has locked its memory */
	if (madvise(first, (size_t)(last - first), MADV_DONTNEED))
		memset(first, 0, (size_t)(last - first));
	memmap_zero_edge(last, to);
}

void ublkev__memmap_discard(const struct ublkev__memmap *m, uint64_t offset,
			    uint64_t len)
{
	char *from = m->bytes + offset;

	if (m->fd < 0)
		memmap_give_back(from, from + len, m->page_bytes);
	/*
	 * The edges too, for there even reading a page that was never
	 * written costs one.
	 */
	else if (fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   (off_t)offset, (off_t)len))
		memset(from, 0, (size_t)len);
}

/* Where the next written chunk of [from, to) begins; `to`: there is none. */
static uint64_t memmap_next_chunk(const struct ublkev__memmap *m, uint64_t from,
				  uint64_t to)
{
	uint64_t i = from >> UBLKEV__MEMMAP_CHUNK_SHIFT;
	uint64_t at;

	while (!__atomic_load_n(&m->written[i], __ATOMIC_RELAXED)) {
		at = ++i << UBLKEV__MEMMAP_CHUNK_SHIFT;
		if (at >= to)
			return to;
		from = at;
	}
	return from;
}

/*
 * Where the next data of a file's [from, to) begin; `to`: it is a hole. A file
 * on hugetlbfs has no holes for lseek(2), so all of it counts as data.
 */
static uint64_t memmap_next_data(const struct ublkev__memmap *m, uint64_t from,
				 uint64_t to)
{
	off_t at = lseek(m->fd, (off_t)from, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? to : from;
	return (uint64_t)at < to ? (uint64_t)at : to;
}

uint64_t ublkev__memmap_discard_some(const struct ublkev__memmap *m,
				     uint64_t offset, uint64_t len)
{
	uint64_t to = offset + len;
	uint64_t from = m->written ? memmap_next_chunk(m, offset, to) :
				     memmap_next_data(m, offset, to);
	uint64_t end = (from + m->slice_bytes) & ~(uint64_t)(m->slice_bytes - 1);

	if (from == to)
		return len;
	if (end > to)
		end = to;
	ublkev__memmap_discard(m, from, end - from);
	return end - offset;
}

/* dev_bytes in whole pages; 0: the address space has not so many */
static size_t memmap_whole_pages(const struct ublkev__memmap *m,
				 uint64_t dev_bytes)
{
	if (dev_bytes > PTRDIFF_MAX - (m->page_bytes - 1))
		return 0;
	return (size_t)((dev_bytes + m->page_bytes - 1) &
			~(uint64_t)(m->page_bytes - 1));
}

/* Errors: -EINVAL, if its pages can't be mapped writable and given back. */
static int memmap_check_file(struct ublkev__memmap *m)
{
	int flags = fcntl(m->fd, F_GETFL);
	struct statfs fs;
	struct stat st;

	if (flags < 0 || fstat(m->fd, &st) || fstatfs(m->fd, &fs))
		return -errno;
	if ((flags & O_ACCMODE) != O_RDWR || !S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint32_t)fs.f_type == HUGETLBFS_MAGIC)
		m->page_bytes = (size_t)fs.f_bsize;
	else if ((uint32_t)fs.f_type != TMPFS_MAGIC)
		return -EINVAL;
	return 0;
}

/*
 * A page that tmpfs has no room for is a SIGBUS when it is written, so what
 * may be written has to fit; a memfd's file system has no bound (0 blocks),
 * and hugetlbfs reserves pages for a mapping.
 */
static int memmap_check_room(const struct ublkev__memmap *m, uint64_t dev_bytes)
{
	struct statfs fs;
	struct stat st;
	uint64_t room;

	if (fstat(m->fd, &st) || fstatfs(m->fd, &fs))
		return -errno;
	if ((uint32_t)fs.f_type != TMPFS_MAGIC || !fs.f_blocks)
		return 0;
	room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize +
	       (uint64_t)st.st_blocks * 512;
	return room < dev_bytes ? -ENOSPC : 0;
}

static int memmap_has_huge_pages(const struct ublkev__memmap *m)
{
	return m->page_bytes > (size_t)sysconf(_SC_PAGESIZE);
}

/* hugetlbfs takes no other lengths than whole pages */
static uint64_t memmap_file_bytes(const struct ublkev__memmap *m,
				  uint64_t dev_bytes)
{
	return memmap_has_huge_pages(m) ? memmap_whole_pages(m, dev_bytes) :
					  dev_bytes;
}

static int memmap_truncate(const struct ublkev__memmap *m, uint64_t bytes)
{
	if (ublkev__beyond_file_limit(bytes))
		return -EFBIG;
	return ftruncate(m->fd, (off_t)bytes) ? -errno : 0;
}

/* A file that is longer stays so. *was is its length before. */
static int memmap_lengthen(const struct ublkev__memmap *m, uint64_t dev_bytes,
			   off_t *was)
{
	uint64_t bytes = memmap_file_bytes(m, dev_bytes);
	struct stat st;
	int err;

	err = memmap_check_room(m, dev_bytes);
	if (err)
		return err;
	if (fstat(m->fd, &st))
		return -errno;
	*was = st.st_size;
	if ((uint64_t)st.st_size >= bytes)
		return 0;
	return memmap_truncate(m, bytes);
}

static int memmap_take_file(struct ublkev__memmap *m,
			    const struct ublkev_disk_conf *conf)
{
	off_t was;
	int err;

	/*
	 * Not sealed: F_SEAL_SHRINK and F_SEAL_GROW can't be taken off again,
	 * and the next server is to resize the disk as this one does. Who
	 * could shorten it under us was handed it by us, and could as well
	 * overwrite all of it. Nor may he seal it: without MFD_ALLOW_SEALING
	 * the kernel has done that to the seals (F_SEAL_SEAL).
	 */
	if (conf->fd < 0)
		m->fd = memfd_create("ublkev-disk", MFD_CLOEXEC);
	else
		m->fd = fcntl(conf->fd, F_DUPFD_CLOEXEC, 3);
	if (m->fd < 0)
		return errno == EBADF ? -EINVAL : -errno;
	err = memmap_check_file(m);
	return err ? err : memmap_lengthen(m, conf->dev_bytes, &was);
}

static int memmap_map(struct ublkev__memmap *m, uint32_t flags)
{
	int how = m->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *p;

	/* else hugetlbfs would find out at the first write: a SIGBUS */
	if (!memmap_has_huge_pages(m))
		how |= MAP_NORESERVE;
	p = mmap(NULL, m->map_bytes, PROT_READ | PROT_WRITE, how, m->fd, 0);
	if (p == MAP_FAILED)
		return m->fd < 0 ? -ENOMEM : -errno;
	m->bytes = p;
	/*
	 * A core dump of the process is not to hold the disk: that is its
	 * owner's, and whoever waits for the disk would wait for the dump.
	 */
	if (madvise(p, m->map_bytes, MADV_DONTFORK) ||
	    madvise(p, m->map_bytes, MADV_DONTDUMP))
		return -ENOMEM;
	/*
	 * Where the system gives huge pages to all, the first write of 4 KiB
	 * would cost 2 MiB. A kernel without huge pages refuses either wish.
	 */
	(void)madvise(p, m->map_bytes, flags & UBLKEV_DISK_HUGE_PAGES ?
		      MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return 0;
}

/* The loop waits while a slice is given back, so that it is a short one. */
static size_t memmap_slice(const struct ublkev__memmap *m, uint32_t flags)
{
	/* a huge page is given back whole, or has to be split */
	size_t least = flags & UBLKEV_DISK_HUGE_PAGES ? HUGE_SLICE_BYTES :
							SLICE_BYTES;

	return m->page_bytes > least ? m->page_bytes : least;
}

static size_t memmap_chunks(uint64_t dev_bytes)
{
	return (size_t)(dev_bytes >> UBLKEV__MEMMAP_CHUNK_SHIFT) + 1;
}

static int memmap_make_chunks(struct ublkev__memmap *m, uint64_t dev_bytes)
{
	m->written = calloc(memmap_chunks(dev_bytes), 1);
	return m->written ? 0 : -ENOMEM;
}

/* For a disk that grows: its new chunks have not been written. */
static int memmap_more_chunks(struct ublkev__memmap *m, uint64_t dev_bytes)
{
	unsigned char *was = m->written;
	int err;

	if (!was)
		return 0;
	err = memmap_make_chunks(m, dev_bytes);
	if (err) {
		m->written = was;
		return err;
	}
	memcpy(m->written, was, memmap_chunks(m->dev_bytes));
	free(was);
	return 0;
}

int ublkev__memmap_init(struct ublkev__memmap *m,
			const struct ublkev_disk_conf *conf)
{
	int err = 0;

	m->bytes = NULL;
	m->written = NULL;
	m->fd = -1;
	m->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	m->dev_bytes = conf->dev_bytes;
	if (conf->fd >= 0 || conf->flags & UBLKEV_DISK_SHARED)
		err = memmap_take_file(m, conf);
	m->map_bytes = memmap_whole_pages(m, conf->dev_bytes);
	m->slice_bytes = memmap_slice(m, conf->flags);
	if (!err && !m->map_bytes)
		err = -ENOMEM;
	if (!err)
		err = memmap_map(m, conf->flags);
	if (!err && m->fd < 0)
		err = memmap_make_chunks(m, conf->dev_bytes);
	if (err)
		ublkev__memmap_fini(m);
	return err;
}

void ublkev__memmap_fini(struct ublkev__memmap *m)
{
	if (m->bytes)
		munmap(m->bytes, m->map_bytes);
	if (m->fd >= 0)
		close(m->fd);
	free(m->written);
	m->bytes = NULL;
	m->written = NULL;
	m->fd = -1;
}

/*
 * A mapping of hugetlbfs can't be resized (mremap(2) answers EINVAL), so the
 * file is mapped once more.
 */
static int memmap_remap(struct ublkev__memmap *m, size_t map_bytes)
{
	struct ublkev__memmap now = *m;
	void *p;
	int err;

	if (map_bytes == m->map_bytes)
		return 0;
	p = mremap(m->bytes, m->map_bytes, map_bytes, MREMAP_MAYMOVE);
	if (p != MAP_FAILED) {
		m->bytes = p;
		m->map_bytes = map_bytes;
		return 0;
	}
	if (m->fd < 0 || errno != EINVAL)
		return -errno;
	now.map_bytes = map_bytes;
	now.bytes = NULL;
	err = memmap_map(&now, 0);
	if (err) {
		if (now.bytes)
			munmap(now.bytes, map_bytes);
		return err;
	}
	munmap(m->bytes, m->map_bytes);
	*m = now;
	return 0;
}

static int memmap_grow(struct ublkev__memmap *m, uint64_t dev_bytes)
{
	size_t map_bytes = memmap_whole_pages(m, dev_bytes);
	off_t was = 0;
	int err = 0;

	if (!map_bytes)
		return -ENOMEM;
	if (m->fd >= 0)
		err = memmap_lengthen(m, dev_bytes, &was);
	if (!err)
		err = memmap_more_chunks(m, dev_bytes);
	if (err)
		return err;
	err = memmap_remap(m, map_bytes);
	if (err && m->fd >= 0)
		(void)!ftruncate(m->fd, was);
	return err;
}

/*
 * What is cut off is given back first, all of it: the end of the last page
 * stays mapped, and the file may be one that must not become shorter (sealed by
 * who made it); neither may come back when the disk grows again.
 */
static int memmap_shrink(struct ublkev__memmap *m, uint64_t dev_bytes)
{
	size_t map_bytes = memmap_whole_pages(m, dev_bytes);

	ublkev__memmap_discard(m, dev_bytes, m->dev_bytes - dev_bytes);
	if (!memmap_remap(m, map_bytes) && m->fd >= 0)
		(void)!ftruncate(m->fd, (off_t)memmap_file_bytes(m, dev_bytes));
	return 0;
}

int ublkev__memmap_resize(struct ublkev__memmap *m, uint64_t dev_bytes)
{
	int err = 0;

	if (dev_bytes > m->dev_bytes)
		err = memmap_grow(m, dev_bytes);
	else if (dev_bytes < m->dev_bytes)
		err = memmap_shrink(m, dev_bytes);
	if (!err)
		m->dev_bytes = dev_bytes;
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in front of the C library's allocation, counts down to the one that
 * fails, and counts what is not given back.
 */
#include "failalloc.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *ptr, size_t bytes);
void __real_free(void *ptr);
void *__real_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *addr, size_t bytes);
int __real_madvise(void *addr, size_t bytes, int advice);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *ptr, size_t bytes);
void __wrap_free(void *ptr);
void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
/* what mmap is called where off_t was made 64 bits wide */
void *__wrap_mmap64(void *addr, size_t bytes, int prot, int flags, int fd,
		    off_t offset);
int __wrap_munmap(void *addr, size_t bytes);
int __wrap_madvise(void *addr, size_t bytes, int advice);

static struct {
	bool armed;
	unsigned int countdown;
	bool failed;
	int live;
	int bad_advice;
} state = { .bad_advice = -1 };

void failalloc_arm(unsigned int n)
{
	state.countdown = n;
	state.failed = false;
	state.live = 0;
	state.armed = true;
}

bool failalloc_disarm(int *leaked)
{
	state.armed = false;
	*leaked = state.live;
	return state.failed;
}

void failalloc_madvise(int advice)
{
	state.bad_advice = advice;
}

static bool fails(void)
{
	if (!state.armed || !state.countdown || --state.countdown)
		return false;
	state.failed = true;
	errno = ENOMEM;
	return true;
}

static void *made(void *ptr, const void *none)
{
	if (state.armed && ptr != none)
		state.live++;
	return ptr;
}

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : made(__real_malloc(bytes), NULL);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	return fails() ? NULL : made(__real_calloc(n, bytes), NULL);
}

void *__wrap_realloc(void *ptr, size_t bytes)
{
	if (fails())
		return NULL;
	return ptr ? __real_realloc(ptr, bytes) :
		made(__real_realloc(ptr, bytes), NULL);
}

void __wrap_free(void *ptr)
{
	if (state.armed && ptr)
		state.live--;
	__real_free(ptr);
}

void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset)
{
	if (fails())
		return MAP_FAILED;
	return made(__real_mmap(addr, bytes, prot, flags, fd, offset),
		    MAP_FAILED);
}

void *__wrap_mmap64(void *addr, size_t bytes, int prot, int flags, int fd,
		    off_t offset)
{
	return __wrap_mmap(addr, bytes, prot, flags, fd, offset);
}

int __wrap_munmap(void *addr, size_t bytes)
{
	if (state.armed)
		state.live--;
	return __real_munmap(addr, bytes);
}

int __wrap_madvise(void *addr, size_t bytes, int advice)
{
	if (advice != state.bad_advice)
		return __real_madvise(addr, bytes, advice);
	errno = EINVAL;
	return -1;
}

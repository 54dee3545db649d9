/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads queue/ of a block device in sysfs, a number a file.
 */
#include "backend/filequeue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER(name, member) \
	{ name, offsetof(struct ublkev__filequeue, member) }

static const struct {
	const char *name;
	size_t at;
} filequeue_numbers[] = {
	NUMBER("discard_max_bytes", discard_max_bytes),
	NUMBER("discard_granularity", discard_granularity_bytes),
	NUMBER("minimum_io_size", io_min_bytes),
	NUMBER("optimal_io_size", io_opt_bytes),
	NUMBER("max_segments", max_segments),
	NUMBER("max_segment_size", max_segment_bytes),
};

static uint64_t filequeue_number(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0 || text[0] < '0' || text[0] > '9')
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

/* a partition has none of its own, and its disk's folder is the one above */
static int filequeue_open(const char *folder)
{
	static const char *const names[] = { "queue", "../queue" };
	char path[PATH_MAX];
	unsigned int i;
	int fd = -1;

	for (i = 0; i < 2 && fd < 0; i++)
		if (snprintf(path, sizeof(path), "%s/%s", folder, names[i]) <
		    (int)sizeof(path))
			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

void ublkev__filequeue_read(struct ublkev__filequeue *q, const char *folder)
{
	int dir = filequeue_open(folder);
	unsigned int i;

	memset(q, 0, sizeof(*q));
	for (i = 0; dir >= 0 && i < sizeof(filequeue_numbers) /
				    sizeof(filequeue_numbers[0]); i++)
		*(uint64_t *)((char *)q + filequeue_numbers[i].at) =
			filequeue_number(dir, filequeue_numbers[i].name);
	if (dir >= 0)
		close(dir);
}

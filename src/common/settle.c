/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at ublkc, which one process can have open at a time (ublk_ch_open()). */
#include "common/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS		10
#define MOST_LOOKS	100

static bool settle_is_held(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

void settle_wait(const char *root, int id)
{
	const struct timespec pause = { 0, LOOK_MS * 1000 * 1000 };
	char path[4096];
	unsigned int i;

	if ((size_t)snprintf(path, sizeof(path), "%s/dev/ublkc%d", root, id) >=
	    sizeof(path))
		return;
	for (i = 0; i < MOST_LOOKS && settle_is_held(path); i++)
		nanosleep(&pause, NULL);
}

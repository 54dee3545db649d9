/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes queue/scheduler of a disk. A child of the broker runs it
 * (broker_run_drop_scheduler()), without malloc(3) and stdio's files.
 */
#include "uring/scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NONE "none"

static int scheduler_read(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = read(fd, text, bytes - 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return err;
}

static int scheduler_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, NONE, strlen(NONE)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/*
 * `text` lists the names, the current one in brackets: "[mq-deadline] none".
 * Without brackets there is no choice (elv_iosched_show()).
 */
static bool scheduler_wants_none(char *text)
{
	bool other = false, offered = false;
	char *save, *name;

	for (name = strtok_r(text, " \n", &save); name;
	     name = strtok_r(NULL, " \n", &save)) {
		other |= name[0] == '[' && strcmp(name, "[" NONE "]");
		offered |= !strcmp(name, NONE);
	}
	return other && offered;
}

int ublkev__scheduler_set_none(const char *sys, int id)
{
	char path[256], text[512];
	int err, n;

	n = snprintf(path, sizeof(path), "%s/block/ublkb%d/queue/scheduler",
		     sys, id);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	err = scheduler_read(path, text, sizeof(text));
	if (err || !scheduler_wants_none(text))
		return err;
	return scheduler_write(path);
}

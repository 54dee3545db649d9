/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a line of text says is the library's to read; whose the files are that it
 * names is judged here.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/number.h"
#include "ublk-evdemo/disk.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/stack.h"

/* the name that an open file has; "" if it has none */
static const char *stack_path(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = '\0';
	return path;
}

/* what is only read from there is whoever's it is */
static int stack_distrusts(int fd, struct complaint *c)
{
	struct stat st;

	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY || fstat(fd, &st) ||
	    !S_ISREG(st.st_mode))
		return 0;
	return disk_distrust(&st, c);
}

static int stack_is_trusted(struct ublkev_backend *top)
{
	struct complaint c = { NULL, NULL };
	const struct ublkev_backend *b;
	char path[PATH_MAX], shown[128];
	unsigned int i;
	int fd;

	for (i = 0; (b = ublkev_disk_find(top, "file", i)); i++) {
		fd = ublkev_file_fd(b);
		if (fd < 0 || !stack_distrusts(fd, &c))
			continue;
		log_msg(LOG_ERR, "file %s: %s: %s",
			number_shown(shown, sizeof(shown),
				     stack_path(fd, path)), c.cause, c.remedy);
		return 0;
	}
	return 1;
}

int stack_new(struct ublkev_backend **backendp, const struct opts *o)
{
	struct ublkev_disk_error why;
	char shown[128];
	int err = ublkev_disk_new(backendp, o->disk, NULL, &why);

	if (err) {
		log_msg(LOG_ERR, "option --disk: '%s', at character %zu: %s",
			number_shown(shown, sizeof(shown), o->disk),
			why.at + 1, why.text);
		return -1;
	}
	if (stack_is_trusted(*backendp))
		return 0;
	ublkev_disk_discard(*backendp);
	*backendp = NULL;
	return -1;
}

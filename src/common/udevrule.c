/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks through udev's rules for one that names ublk's character devices.
 * Whether it gives them to the right user is not judged.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/udevrule.h"

/* a rule that is no comment names the device or its subsystem */
static int udevrule_names_it(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	int found = 0;

	if (fd >= 0 && !f)
		close(fd);
	while (f && !found && getline(&line, &size, f) > 0)
		found = line[strspn(line, " \t")] != '#' &&
			(strstr(line, "ublkc") || strstr(line, "ublk-char"));
	free(line);
	if (f)
		fclose(f);
	return found;
}

static int udevrule_is_in(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	const char *dot;
	int found = 0;

	while (d && !found && (e = readdir(d))) {
		dot = strrchr(e->d_name, '.');
		found = dot && !strcmp(dot, ".rules") &&
			udevrule_names_it(dirfd(d), e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

int udevrule_is_missing(const char *root)
{
	static const char *const dirs[] = { UDEVRULE_DIRS };
	char path[PATH_MAX];
	size_t i;

	snprintf(path, sizeof(path), "%s/run/udev/control", root);
	if (access(path, F_OK))
		return 0;
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s%s/udev/rules.d", root,
			 dirs[i]);
		if (udevrule_is_in(path))
			return 0;
	}
	return 1;
}

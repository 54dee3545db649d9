/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a line of text has made of files, undone: of a disk that nobody has served.
 */
#include <ublkev/diskspec.h>

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ublkev/file.h>

/* the name that an open file has, which may be another one's by now */
static void discard_remove(int fd)
{
	char link[64], path[PATH_MAX];
	struct stat a, b;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	if (!fstat(fd, &a) && !lstat(path, &b) && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		unlink(path);
}

void ublkev_disk_discard(struct ublkev_backend *top)
{
	const struct ublkev_backend *b;
	unsigned int i;

	for (i = 0; top && (b = ublkev_disk_find(top, "file", i)); i++)
		switch (ublkev_file_was(b)) {
		case UBLKEV_FILE_WAS_MISSING:
			discard_remove(ublkev_file_fd(b));
			break;
		case UBLKEV_FILE_WAS_EMPTY:
			(void)!ftruncate(ublkev_file_fd(b), 0);
			break;
		case UBLKEV_FILE_WAS_THERE:
			break;
		}
	ublkev_backend_free(top);
}

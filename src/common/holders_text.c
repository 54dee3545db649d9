/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holders in words, each with its remedy, for ublk-evdemo's log and ublk-evctl.
 */
#include <assert.h>
#include <stdio.h>

#include "common/escape.h"
#include "common/holders.h"

static const char *const kind_names[] = {
	[HOLDER_MOUNT] = "mount",
	[HOLDER_OWN_MOUNT] = "mount",
	[HOLDER_SWAP] = "swap",
	[HOLDER_STACKED] = "stacked",
	[HOLDER_FS] = "filesystem",
	[HOLDER_USER] = "user",
	[HOLDER_OPEN] = "open",
	[HOLDER_UDEV] = "udev",
	[HOLDER_MAPPED] = "mapped",
	[HOLDER_UNNAMED] = "unnamed",
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == HOLDER_NR_KINDS,
	      "each kind has a name");

const char *holder_kind_name(enum holder_kind kind)
{
	return kind_names[kind];
}

int holder_text(char *buf, size_t size, const struct holder *h)
{
	char what[512], comm[ESCAPE_SIZE(sizeof(h->comm))];
	int pid = (int)h->pid;

	escape_text(what, sizeof(what), h->what);
	escape_text(comm, sizeof(comm), h->comm);
	switch (h->kind) {
	case HOLDER_MOUNT:
		return snprintf(buf, size, "mounted on %s, seen by pid %d "
				"(%s): umount it", what, pid, comm);
	case HOLDER_OWN_MOUNT:
		return snprintf(buf, size, "mounted on %s in the mount "
				"namespace of this server, which waits for "
				"itself if it ends so: nsenter -m -t %d "
				"umount %s", what, pid, what);
	case HOLDER_SWAP:
		return snprintf(buf, size, "swap on %s: swapoff it", what);
	case HOLDER_STACKED:
		return snprintf(buf, size, "%s is made of it: take that down",
				what);
	case HOLDER_FS:
		return snprintf(buf, size, "a filesystem has it (%s): umount "
				"that, and end who uses its files", what);
	case HOLDER_USER:
		return snprintf(buf, size, "pid %d (%s) uses %s", pid, comm,
				what);
	case HOLDER_MAPPED:
		return snprintf(buf, size, "pid %d (%s) has %s mapped", pid,
				comm, what);
	case HOLDER_UNNAMED:
		return snprintf(buf, size, "the kernel says that %s is claimed "
				"(O_EXCL), and /proc and /sys do not name by "
				"whom: look at other containers and at exports "
				"of disks", what);
	default:
		return snprintf(buf, size, "pid %d (%s) has %s open", pid,
				comm, what);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges each device: whether its server lives, what its server lacks, and uses
 * of the disk by which the server would wait for itself. A judgement reads
 * files below --root and what doctor.c has gathered, and nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "ublk-evctl/doctor.h"
#include "ublk-evctl/procs.h"
#include "common/holders.h"

/*
 * What PR_SET_IO_FLUSHER sets, in /proc/PID/stat: PF_MEMALLOC_NOIO and
 * PF_LOCAL_THROTTLE of include/linux/sched.h.
 */
#define IO_FLUSHER_FLAGS 0x180000u

static void dev_orphan(struct report *r, const struct dev *d,
		       const char *name)
{
	char remedy[64];

	if (dev_is_recoverable(d)) {
		snprintf(remedy, sizeof(remedy), "ublk-evctl recover %d",
			 d->id);
		report_add(r, LEVEL_WARNING, name, remedy, "waits for a new "
			   "server (%s)", ublkev_state_name(d->info.state));
	} else {
		snprintf(remedy, sizeof(remedy), "ublk-evctl del %d", d->id);
		report_add(r, LEVEL_WARNING, name, remedy, "was left behind "
			   "by a server that died");
	}
}

static int dev_flusher(struct report *r, const char *root,
		       const struct dev *d, const char *name)
{
	unsigned int flags;
	char state;

	if (procs_stat(root, d->pid, &state, &flags) ||
	    (flags & IO_FLUSHER_FLAGS) == IO_FLUSHER_FLAGS)
		return 0;
	report_add(r, LEVEL_WARNING, name, "start it with CAP_SYS_RESOURCE; "
		   "an own server: UBLKEV_CONF_IO_FLUSHER", "server %d (%s) "
		   "is no IO_FLUSHER: when memory is short it may wait for "
		   "its own disk", d->pid, d->comm);
	return 1;
}

/*
 * The last process of a mount namespace unmounts what is left in it as it
 * ends: the server would write back to the disk that it serves no more.
 */
static int dev_mounted(struct report *r, const struct dev *d,
		       const struct holder *h, const char *name)
{
	report_add(r, LEVEL_FAULT, name, "umount it there (nsenter -m -t), or "
		   "start the server in init's mount namespace", "is mounted "
		   "on %s in the mount namespace of its own server %d (%s): "
		   "its end may hang", h->what, d->pid, d->comm);
	return 1;
}

static int dev_swap(struct report *r, const struct holder *h,
		    const char *name)
{
	report_add(r, LEVEL_WARNING, name, "swapoff it, or see to it that the "
		   "server's memory is locked", "swap on %s: the server may "
		   "have to swap itself in", h->what);
	return 1;
}

/*
 * A device with one queue gets mq-deadline where that is loaded
 * (elevator_set_default()); then the server gets requests one by one instead
 * of as a list (blk_mq_flush_plug_list()).
 */
static void dev_scheduler(struct report *r, const struct dev *d)
{
	char remedy[128];

	if (!d->scheduler[0])
		return;
	snprintf(remedy, sizeof(remedy), "echo none "
		 ">/sys/block/ublkb%d/queue/scheduler, or install "
		 "60-ublk-ev.rules, which does so", d->id);
	if (strcmp(d->scheduler, "none"))
		report_add(r, LEVEL_WARNING, "scheduler", remedy,
			   "device %d has %s: none is faster", d->id,
			   d->scheduler);
	else
		report_add(r, LEVEL_OK, "scheduler", NULL,
			   "device %d has none", d->id);
}

static int dev_uses(struct report *r, const char *root,
		    const struct dev *d, const char *name)
{
	const struct holder *v;
	struct holders *h;
	unsigned int i;
	int ret, found = 0;

	if (holders_new(&h, root, d->id, d->pid))
		return 0;
	holders_look_only(h);
	while ((ret = holders_step(h, 1024)) == 1)
		;
	for (i = 0; !ret && i < holders_count(h); i++) {
		v = holders_at(h, i);
		if (v->kind == HOLDER_OWN_MOUNT)
			found |= dev_mounted(r, d, v, name);
		else if (v->kind == HOLDER_SWAP)
			found |= dev_swap(r, v, name);
	}
	holders_free(h);
	return found;
}

void dev_judge(struct report *r, const char *root, const struct dev *d)
{
	char name[24];
	int found;

	snprintf(name, sizeof(name), "device %d", d->id);
	if (d->err) {
		report_add(r, LEVEL_WARNING, name, "be root, or its owner",
			   "cannot be looked at: %s", out_strerror(d->err));
		return;
	}
	if (dev_is_orphan(d)) {
		dev_orphan(r, d, name);
		return;
	}
	dev_scheduler(r, d);
	if (!d->pid)
		return;
	found = dev_flusher(r, root, d, name);
	found |= dev_uses(r, root, d, name);
	if (!found)
		report_add(r, LEVEL_OK, name, NULL, "server %d (%s)", d->pid,
			   d->comm);
}

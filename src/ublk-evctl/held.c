/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan of common/holders.h, in one go: the tool serves no disk, so it may
 * sleep where the daemon has to return to its loop.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ublk-evctl/held.h"

/* directory entries between two looks at the clock */
#define SLICE 256
/* how long udev may look at a device that has just changed */
#define UDEV_S 3.

static void held_sleep(double seconds)
{
	struct timespec ts = { 0, (long)(seconds * 1e9) };

	if (seconds > 0)
		nanosleep(&ts, NULL);
}

static int held_scan_all(struct evctl *t, int id, int only_look,
			 struct holders **hp)
{
	int ret;

	/* nobody here serves it, so that no mount is its server's */
	ret = holders_new(hp, t->opts->root, id, 0);
	if (ret)
		return ret;
	if (only_look)
		holders_look_only(*hp);
	while ((ret = holders_step(*hp, SLICE)) == 1) {
		held_sleep(holders_pause(*hp));
		if (evctl_left(t) > 0)
			continue;
		ret = -ETIMEDOUT;
		break;
	}
	if (ret)
		holders_free(*hp);
	return ret;
}

static int held_counts(const struct holder *h)
{
	return h->kind != HOLDER_UDEV && h->kind != HOLDER_USER;
}

/* how many count; *udev: whether udev is among the rest */
static int held_count(const struct holders *h, int *udev)
{
	unsigned int i;
	int n = 0;

	*udev = 0;
	for (i = 0; i < holders_count(h); i++) {
		n += held_counts(holders_at(h, i));
		*udev |= holders_at(h, i)->kind == HOLDER_UDEV;
	}
	return n;
}

int held_scan(struct evctl *t, int id, struct holders **hp)
{
	const struct timespec pause = { 0, 50 * 1000 * 1000 };
	double until = evctl_now() + UDEV_S;
	int ret, n, udev;

	for (;;) {
		*hp = NULL;
		ret = held_scan_all(t, id, 0, hp);
		if (ret) {
			*hp = NULL;
			return ret;
		}
		n = held_count(*hp, &udev);
		if (n || !udev || evctl_now() > until || evctl_left(t) <= 0)
			return n;
		holders_free(*hp);
		nanosleep(&pause, NULL);
	}
}

int held_now(struct evctl *t, int id)
{
	struct holders *h = NULL;
	int n, udev;

	if (held_scan_all(t, id, 1, &h))
		return -1;
	n = held_count(h, &udev);
	holders_free(h);
	return n > 0;
}

static void held_tell(struct evctl *t, const struct holders *h, int id)
{
	json_t *list = json_array();
	const struct holder *v;
	unsigned int i;
	char line[1024];

	for (i = 0; i < holders_count(h); i++) {
		v = holders_at(h, i);
		holder_text(line, sizeof(line), v);
		out_say(t, "/dev/ublkb%d: %s\n", id, line);
		json_array_append_new(list, json_pack(
			"{s:s, s:o, s:o, s:o}",
			"kind", holder_kind_name(v->kind), "pid",
			v->pid ? json_integer(v->pid) : json_null(),
			"comm", out_json_text(v->comm),
			"what", out_json_text(v->what)));
	}
	out_set(t, "holders", list);
}

static const struct holder *held_first(const struct holders *h)
{
	unsigned int i = 0;

	while (!held_counts(holders_at(h, i)))
		i++;
	return holders_at(h, i);
}

int held_fail(struct evctl *t, int status, int id, const struct holders *h,
	      int n, const char *remedy)
{
	char line[600], more[32] = "";

	holder_text(line, sizeof(line), held_first(h));
	if (n > 1)
		snprintf(more, sizeof(more), " (and %d more)", n - 1);
	held_tell(t, h, id);
	return out_fail(t, status, "/dev/ublkb%d is in use: %s%s; %s", id,
			line, more, remedy);
}

int held_refuse(struct evctl *t, int id, const char *remedy)
{
	struct holders *h;
	int n;

	n = held_scan(t, id, &h);
	if (n == -ETIMEDOUT)
		return out_fail(t, ST_TIMEOUT, "device %d: looking who uses "
				"it took too long: raise --timeout", id);
	if (n < 0)
		return out_fail(t, ST_BUSY, "device %d: cannot see who uses "
				"it: %s: give --force", id, strerror(-n));
	if (n > 0)
		held_fail(t, ST_BUSY, id, h, n, remedy);
	holders_free(h);
	return n > 0 ? ST_BUSY : ST_OK;
}

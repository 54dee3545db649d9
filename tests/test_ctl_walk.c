/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many lives of core_ctl against a little model of the driver, which answers
 * late, wrongly or never; what must hold in every life is asserted here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/core_ctl.h"
#include "core/core_names.h"
#include "testlib.h"

#define LIVES	20000
#define TURNS	1000	/* of one life, at most */
#define NEVER	UINT64_MAX
#define LATE_MS	50	/* a loop is at most so late */

struct life {
	struct ublkev__ctl c;
	struct test_rng *rng;
	uint64_t now;
	uint64_t down_ms;		/* when it turned down */
	unsigned int misfortune;	/* in 100 */
	/* wishes and strangers to come */
	uint64_t stop_at, abort_at, fault_at, outside_at;
	bool outside_deletes;
	/* the driver */
	bool exists, mine, ublkc, armed, running;
	bool drained_told;
	uint64_t drained_at;
	enum ublkev__cmd pending;	/* as pulled */
	uint64_t answer_at;
	int answer;
	/* what was seen */
	unsigned int lives, errors, stops;
	bool aborted, asked, refused;
};

/* libcheck's own write a note of each one that holds */
#define must(cond) \
	do { \
		if (!(cond)) \
			ck_abort_msg("not so: %s", #cond); \
	} while (0)

/* over all lives, to see that the walk goes everywhere */
static struct {
	unsigned int live, error, gone, lost, forced, turns;
} seen;

static bool chance(struct life *l, unsigned int percent)
{
	return test_rng_below(l->rng, 100) < percent;
}

static uint64_t soon(struct life *l, uint64_t ms)
{
	return l->now + test_rng_below(l->rng, ms);
}

static int one_of(struct life *l, const int *errs, size_t n)
{
	return errs[test_rng_below(l->rng, n)];
}

/* ---- the driver --------------------------------------------------------- */

static int refusal(struct life *l)
{
	static const int errs[] = {
		-EINVAL, -EPERM, -EACCES, -EEXIST, -EFAULT, -ENOMEM, -EINTR,
		-EBUSY, -ENODEV, -EOPNOTSUPP, -EAGAIN,
	};

	return one_of(l, errs, TEST_COUNT(errs));
}

static void do_cmd(struct life *l, enum ublkev__cmd cmd)
{
	must(l->pending == UBLKEV__CMD_NONE);
	must(l->stops == 0);
	if (cmd == UBLKEV__CMD_START_DEV)
		must(l->ublkc && l->armed);
	if (cmd == UBLKEV__CMD_DEL_DEV || cmd == UBLKEV__CMD_DEL_DEV_ASYNC)
		must(!l->ublkc && l->mine);
	l->pending = cmd;
	l->answer = chance(l, l->misfortune) ? refusal(l) : 0;
	l->answer_at = chance(l, l->misfortune / 2) ? NEVER :
		chance(l, 20) ? soon(l, 6000) : soon(l, 100);
}

static void do_cancel(struct life *l, enum ublkev__cmd cmd)
{
	if (l->pending != cmd || chance(l, 40))
		return;
	l->answer = -EINTR;
	l->answer_at = soon(l, 300);
}

static void do_open(struct life *l)
{
	static const int errs[] = {
		-ENOENT, -ENOENT, -EACCES, -EBUSY, -EBUSY, -EMFILE, -ENXIO,
	};
	int err = chance(l, l->misfortune) ?
		one_of(l, errs, TEST_COUNT(errs)) : 0;

	must(l->mine && !l->ublkc);
	l->ublkc = !err;
	ublkev__ctl_opened(&l->c, err, l->now);
}

/*
 * Before the last tag is back only where the ladder has failed the I/O, or
 * STOP_DEV was refused.
 */
static void do_close(struct life *l)
{
	must(l->ublkc);
	if (l->armed && !l->drained_told) {
		must(l->aborted || l->refused);
		seen.forced++;
	}
	l->ublkc = false;
	l->armed = false;
	l->drained_at = NEVER;
	ublkev__ctl_closed(&l->c, l->now);
}

static void added(struct life *l, struct ublkev__devinfo *info)
{
	l->exists = l->mine = true;
	info->id = info->id < 0 ? 4 : info->id;
	info->features |= 1u << 13;
	if (chance(l, 30))
		info->queues = 1;
	if (!chance(l, l->misfortune / 2))
		return;
	switch (test_rng_below(l->rng, 4)) {
	case 0:
		info->queues = 99;
		break;
	case 1:
		info->depth++;
		break;
	case 2:
		info->max_io_bytes *= 2;
		break;
	default:	/* whose it is cannot be known */
		info->id = -1;
		l->mine = false;
	}
}

/* what the command does when it succeeds, or what it is answered instead */
static int effect(struct life *l, struct ublkev__devinfo *info)
{
	bool gone = !l->exists && l->pending != UBLKEV__CMD_GET_FEATURES &&
		l->pending != UBLKEV__CMD_ADD_DEV;

	if (gone && !l->answer)
		l->answer = -ENODEV;
	if (l->answer == -ENODEV && l->pending >= UBLKEV__CMD_STOP_DEV)
		l->mine = l->exists = false;
	if (l->answer)
		return l->answer;
	switch (l->pending) {
	case UBLKEV__CMD_ADD_DEV:
		added(l, info);
		break;
	case UBLKEV__CMD_START_DEV:
		l->running = true;
		break;
	case UBLKEV__CMD_STOP_DEV:
		if (l->armed && l->drained_at == NEVER)
			l->drained_at = chance(l, l->misfortune / 2) ? NEVER :
				soon(l, 50);
		break;
	case UBLKEV__CMD_DEL_DEV:
	case UBLKEV__CMD_DEL_DEV_ASYNC:
		l->exists = l->mine = false;
		break;
	default:
		break;
	}
	return 0;
}

static void answer(struct life *l)
{
	struct ublkev__ctl_answer a = {
		.features = 0x1fe,
		.info = l->c.info,
	};
	enum ublkev__cmd cmd = l->pending;
	/* given up, but its owner has not heard of it */
	bool late = l->c.step == UBLKEV_STEP_LOST;

	a.res = effect(l, &a.info);
	l->pending = UBLKEV__CMD_NONE;
	l->answer_at = NEVER;
	if (cmd == UBLKEV__CMD_STOP_DEV && a.res < 0)
		l->refused = true;
	must(ublkev__ctl_cmd_done(&l->c, cmd, &a, l->now) ==
	     (late ? -EPROTO : 0));
}

/* ---- what is told ------------------------------------------------------- */

static void on_stopped(struct life *l, enum ublkev_step step)
{
	must(++l->stops == 1);
	must(!ublkev__ctl_has_work(&l->c));
	must(l->c.step == step);
	must(!l->ublkc && !l->armed);
	must(ublkev__ctl_deadline_ms(&l->c) == NEVER);
	must(l->asked || l->errors);
	must(l->errors == (l->c.err ? 1 : 0));
	if (step == UBLKEV_STEP_GONE) {
		must(!l->mine);
		must(l->pending == UBLKEV__CMD_NONE);
		seen.gone++;
	} else {
		must(step == UBLKEV_STEP_LOST);
		must(l->errors == 1);
		seen.lost++;
	}
}

static void on_event(struct life *l, const struct ublkev__ctl_action *a)
{
	must(l->stops == 0);
	switch (a->revents) {
	case UBLKEV_LIVE:
		must(++l->lives == 1);
		must(l->errors == 0);
		must(l->running && l->ublkc && l->armed);
		seen.live++;
		break;
	case UBLKEV_ERROR:
		must(++l->errors == 1);
		must(l->c.err < 0);
		must(a->step == l->c.err_step);
		seen.error++;
		break;
	default:
		must(a->revents == UBLKEV_STOPPED);
		on_stopped(l, a->step);
	}
}

static void do_action(struct life *l, const struct ublkev__ctl_action *a)
{
	switch (a->act) {
	case UBLKEV__CTL_CMD:
		do_cmd(l, a->cmd);
		break;
	case UBLKEV__CTL_CANCEL:
		do_cancel(l, a->cmd);
		break;
	case UBLKEV__CTL_OPEN:
		do_open(l);
		break;
	case UBLKEV__CTL_ARM:
		must(l->ublkc && !l->armed && !l->running);
		l->armed = true;
		break;
	case UBLKEV__CTL_ABORT_IO:
		must(l->armed && !l->aborted);
		l->aborted = true;
		break;
	case UBLKEV__CTL_CLOSE:
		do_close(l);
		break;
	case UBLKEV__CTL_EVENT:
		on_event(l, a);
		break;
	case UBLKEV__CTL_NONE:
		ck_abort_msg("nothing is no action");
	}
}

static void pull(struct life *l)
{
	struct ublkev__ctl_action a;

	while (ublkev__ctl_next(&l->c, &a)) {
		do_action(l, &a);
		ublkev__ctl_verify(&l->c);
	}
}

/* ---- a turn ------------------------------------------------------------- */

static bool due(struct life *l, uint64_t *at_ms)
{
	if (*at_ms > l->now)
		return false;
	*at_ms = NEVER;
	return true;
}

/* strangers stop the device, or delete it */
static void outside(struct life *l)
{
	if (!due(l, &l->outside_at) || !l->exists)
		return;
	if (l->outside_deletes)
		l->exists = false;
	if (l->armed && l->drained_at == NEVER)
		l->drained_at = soon(l, 30);
}

static void wishes(struct life *l)
{
	if (due(l, &l->stop_at)) {
		l->asked = true;
		ublkev__ctl_stop(&l->c, l->now);
	}
	if (due(l, &l->abort_at)) {
		l->asked = true;
		ublkev__ctl_abort(&l->c, l->now);
	}
}

static void facts(struct life *l)
{
	if (due(l, &l->fault_at))
		ublkev__ctl_fault(&l->c, -EIO, l->now);
	if (l->armed && due(l, &l->drained_at)) {
		l->drained_told = true;
		ublkev__ctl_drained(&l->c, l->now);
	}
	ublkev__ctl_verify(&l->c);
	if (l->pending != UBLKEV__CMD_NONE && l->answer_at <= l->now)
		answer(l);
}

static uint64_t earliest(const struct life *l)
{
	const uint64_t at[] = {
		ublkev__ctl_deadline_ms(&l->c), l->answer_at, l->drained_at,
		l->stop_at, l->abort_at, l->fault_at, l->outside_at,
	};
	uint64_t min = NEVER;
	size_t i;

	for (i = 0; i < TEST_COUNT(at); i++)
		min = at[i] < min ? at[i] : min;
	return min;
}

static void pass_time(struct life *l)
{
	uint64_t next = earliest(l);

	if (ublkev__ctl_has_work(&l->c))
		next = l->now;	/* nobody sleeps then */
	must(next != NEVER);
	if (next > l->now)
		l->now = chance(l, 20) ? l->now + (next - l->now) / 2 : next;
	if (chance(l, 20))
		l->now = soon(l, LATE_MS);
}

static void turn(struct life *l)
{
	pass_time(l);
	outside(l);
	wishes(l);
	ublkev__ctl_verify(&l->c);
	if (!chance(l, 5))
		ublkev__ctl_tick(&l->c, l->now);
	ublkev__ctl_verify(&l->c);
	facts(l);
	ublkev__ctl_verify(&l->c);
	if (!chance(l, 10))
		pull(l);
	if (l->c.stopping && l->down_ms == NEVER)
		l->down_ms = l->now;
	/* FEATURES to START, the ladder of STOP, DRAIN and DEL, lateness */
	if (l->down_ms != NEVER && !l->stops)
		must(l->now <= l->down_ms +
				  l->c.conf.start_timeout_ms +
				  l->c.conf.stop_timeout_ms +
				  2 * l->c.conf.cmd_timeout_ms +
				  12 * (l->c.conf.grace_ms + LATE_MS));
}

static unsigned int some_ms(struct life *l, unsigned int most)
{
	return 1 + (unsigned int)test_rng_below(l->rng, most);
}

static void make_conf(struct life *l, struct ublkev_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->id = chance(l, 50) ? -1 : 7;
	conf->queues = 2;
	conf->depth = 8;
	conf->max_io_bytes = 65536;
	conf->cmd_timeout_ms = some_ms(l, 2000);
	conf->start_timeout_ms = some_ms(l, 4000);
	conf->stop_timeout_ms = some_ms(l, 6000);
	conf->grace_ms = some_ms(l, 500);
	conf->recover_timeout_ms = some_ms(l, 4000);
}

static void begin(struct life *l, struct test_rng *rng)
{
	struct ublkev_conf conf;

	memset(l, 0, sizeof(*l));
	l->rng = rng;
	l->misfortune = chance(l, 50) ? 4 : 25;
	l->now = 1 + test_rng_below(rng, 1000000);
	l->down_ms = l->answer_at = l->drained_at = NEVER;
	l->stop_at = soon(l, 10000);
	l->abort_at = chance(l, 25) ? soon(l, 12000) : NEVER;
	l->fault_at = chance(l, 10) ? soon(l, 5000) : NEVER;
	l->outside_at = chance(l, 15) ? soon(l, 5000) : NEVER;
	l->outside_deletes = chance(l, 50);
	make_conf(l, &conf);
	ublkev__ctl_init(&l->c, &conf);
	if (conf.id >= 0 && chance(l, 20)) {
		l->exists = chance(l, 80);
		l->mine = l->asked = true;
		ublkev__ctl_start(&l->c, UBLKEV__CTL_REMOVE, l->now);
	} else {
		ublkev__ctl_start(&l->c, UBLKEV__CTL_ADD, l->now);
	}
}

START_TEST(walk)
{
	struct test_rng rng;
	struct life l;
	int i, turns;

	test_rng_init(&rng, test_seed("test_ctl_walk"));
	for (i = 0; i < LIVES; i++) {
		begin(&l, &rng);
		for (turns = 0; !l.stops; turns++) {
			must(turns < TURNS);
			turn(&l);
		}
		seen.turns += (unsigned int)turns;
		/* nothing comes after the end */
		ublkev__ctl_stop(&l.c, l.now);
		ublkev__ctl_abort(&l.c, l.now);
		ublkev__ctl_tick(&l.c, l.now + 1000000);
		must(!ublkev__ctl_has_work(&l.c));
	}
	printf("test_ctl_walk: %d lives, %u turns: %u live, %u errors, %u gone, %u lost, %u closed by force\n",
	       LIVES, seen.turns, seen.live, seen.error, seen.gone, seen.lost,
	       seen.forced);
	must(seen.live > LIVES / 10);
	must(seen.gone > LIVES / 10);
	must(seen.lost > LIVES / 200);
	must(seen.forced > LIVES / 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl_walk");
	TCase *tc = tcase_create("walk");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, walk);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}

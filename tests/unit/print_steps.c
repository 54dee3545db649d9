/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints what the table of life_steps.c says, for steps.sh to compare with the
 * documents, and the ways through it that a life takes which meets no trouble.
 *
 *	print_steps ways|deadlines|commands STEP...
 *
 * The STEPs are all of enum ublkev_step in their order, without UBLKEV_STEP_.
 */
#include <stdio.h>
#include <string.h>

#include "core/life_steps.h"
#include "core/params.h"
#include "life_kit.h"

static char *const *words;	/* [UBLKEV_NR_STEPS] */

/* from the first step that is the engine's no more */
#define FIRST	UBLKEV_STEP_FEATURES

/* ---- ways ------------------------------------------------------------------ */

/* What was asked for is done, and is told in the best of ways. */
static void way_goes_on(struct life *l)
{
	struct ublkev__life_action a;

	while (ublkev__life_next(&l->c, &a))
		continue;
	if (l->c.pending != UBLKEV__CTRL_NONE)
		life_answer(l, 0);
	else if (l->c.step == UBLKEV_STEP_OPEN)
		ublkev__life_opened(&l->c, 0, l->now);
	else if (l->c.step == UBLKEV_STEP_QUIESCE)
		ublkev__life_idle(&l->c, l->now);
	else if (l->c.step == UBLKEV_STEP_DRAIN)
		ublkev__life_drained(&l->c, l->now);
	else if (l->c.step == UBLKEV_STEP_RECALL)
		ublkev__life_recalled(&l->c, l->now);
	else if (l->c.step == UBLKEV_STEP_CLOSE)
		ublkev__life_closed(&l->c, l->now);
	else
		ublkev__life_backend_closed(&l->c);
}

static void print_way(const char *name, struct life *l)
{
	enum ublkev_step step = l->c.step;

	printf("%-10s %s", name, words[step]);
	while (step != UBLKEV_STEP_LIVE && step < UBLKEV_STEP_GONE) {
		way_goes_on(l);
		if (l->c.step != step)
			printf(" -> %s", words[l->c.step]);
		step = l->c.step;
	}
	putchar('\n');
}

/* The kit is for tests: it asserts. */
START_TEST(ways)
{
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_NONE, KERNEL_73);
	ublkev__life_start(&l.c, UBLKEV__LIFE_ADD, l.now);
	print_way("new", &l);
	life_make(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	ublkev__life_start(&l.c, UBLKEV__LIFE_RECOVER, l.now);
	print_way("recovered", &l);
	life_live(&l, UBLKEV_RECOVERY_NONE, KERNEL_73);
	l.c.traits = UBLKEV__CLOSES_LATER;
	ublkev__life_stop(&l.c, l.now);
	print_way("stopped", &l);
	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	l.c.traits = UBLKEV__CLOSES_LATER | UBLKEV__CAN_PLACE;
	l.c.files = true;
	ublkev__life_release(&l.c, l.now);
	print_way("released", &l);
}
END_TEST

static int print_ways(void)
{
	Suite *suite = suite_create("ways");
	TCase *tc = tcase_create("ways");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, ways);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return !!failed;
}

/* ---- the table ------------------------------------------------------------- */

static const char *timeout_name(size_t at)
{
	static const struct {
		size_t at;
		const char *name;
	} members[] = {
#define MEMBER(name) { offsetof(struct ublkev_conf, name), #name }
		MEMBER(cmd_timeout_ms),
		MEMBER(start_timeout_ms),
		MEMBER(stop_timeout_ms),
		MEMBER(recover_timeout_ms),
	};
	size_t i;

	for (i = 0; i < TEST_COUNT(members); i++)
		if (members[i].at == at)
			return members[i].name;
	return at ? "?" : "none";
}

/* "cancel, lose" */
static const char *ladder_text(unsigned int ladder)
{
	static const char *const rungs[] = {
		[UBLKEV__RUNG_CANCEL] = "cancel",
		[UBLKEV__RUNG_ABORT] = "abort",
		[UBLKEV__RUNG_RECALL] = "recall",
		[UBLKEV__RUNG_CLOSE] = "close",
		[UBLKEV__RUNG_LOSE] = "lose",
	};
	static char text[64];
	size_t i, have = 0;

	text[0] = '\0';
	for (i = 0; i < TEST_COUNT(rungs); i++)
		if (ladder >> i & 1)
			have += (size_t)snprintf(text + have,
						 sizeof(text) - have, "%s%s",
						 have ? ", " : "", rungs[i]);
	return text;
}

/* where the way down goes on from this step */
static const char *down_from(unsigned int step)
{
	unsigned int undo = ublkev__life_steps[step].undo & ~(1u << step);

	if (step == UBLKEV_STEP_BACKEND_CLOSE)
		return "any end";
	return undo ? words[__builtin_ctz(undo)] : words[UBLKEV_STEP_GONE];
}

static void print_deadlines(void)
{
	const struct ublkev__life_step *row;
	unsigned int i;

	printf("%-14s%-20s%-28s%s\n", "step", "deadline", "when it passes",
	       "down to");
	for (i = FIRST; i < UBLKEV_STEP_GONE; i++) {
		row = &ublkev__life_steps[i];
		printf("%-14s%-20s%-28s%s\n", words[i],
		       timeout_name(row->timeout),
		       row->timeout && !row->ladder ? "give up" :
		       ladder_text(row->ladder),
		       down_from(i));
	}
}

static void print_commands(void)
{
	unsigned int i, cmd, cmds;

	for (i = FIRST; i < UBLKEV_STEP_GONE; i++) {
		cmds = ublkev__life_steps[i].cmds & ~1u;
		if (!cmds)
			continue;
		printf("%-9s", words[i]);
		for (cmd = 1; cmds >> cmd; cmd++)
			if (cmds >> cmd & 1)
				printf(" %s", ublkev__ctrl_name(cmd));
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	if (argc != 2 + UBLKEV_NR_STEPS) {
		fprintf(stderr, "print_steps: %d steps are needed\n",
			UBLKEV_NR_STEPS);
		return 2;
	}
	words = argv + 2;
	if (!strcmp(argv[1], "ways"))
		return print_ways();
	if (!strcmp(argv[1], "deadlines"))
		print_deadlines();
	else
		print_commands();
	return 0;
}

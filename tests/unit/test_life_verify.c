/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ublkev__life_verify() takes for a legal state: each step with everything
 * that could be there to undo, and with each flag that it must not have.
 */
#include <stdio.h>
#include <string.h>

#include "core/params.h"
#include "life_kit.h"

static void verify(void *arg)
{
	struct life *l = arg;

	ublkev__life_verify(&l->c);
}

/* "SDCX ": the disk, the tags, ublkc, the device */
static void say_undo(char *text, size_t bytes, unsigned int undo)
{
	static const struct {
		unsigned int bit;
		char letter;
	} letters[] = {
		{ UBLKEV__UNDO(STOP), 'S' }, { UBLKEV__UNDO(DRAIN), 'D' },
		{ UBLKEV__UNDO(RECALL), 'R' },
		{ UBLKEV__UNDO(CLOSE), 'C' }, { UBLKEV__UNDO(DEL), 'X' },
	};
	size_t i, have = strlen(text);

	for (i = 0; i < TEST_COUNT(letters) && have + 2 < bytes; i++)
		if (undo & letters[i].bit)
			text[have++] = letters[i].letter;
	if (!undo)
		text[have++] = '-';
	text[have++] = ' ';
	text[have] = '\0';
}

/* those of the 32 that verify lets pass; RECALL undoes nothing that is there */
static void legal_undos(struct life *l, char *text, size_t bytes)
{
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < 32; i++) {
		l->c.undo = i * UBLKEV__UNDO(STOP);
		if (!test_aborts(verify, l, "Assertion"))
			say_undo(text, bytes, l->c.undo);
	}
}

static const struct {
	enum ublkev_step step;
	const char *undo;
} legal[] = {
	{ UBLKEV_STEP_FEATURES, "- " },
	{ UBLKEV_STEP_ADD, "- " },
	{ UBLKEV_STEP_PARAMS, "X " },
	{ UBLKEV_STEP_INFO, "- " },
	{ UBLKEV_STEP_RECOVER, "- " },
	{ UBLKEV_STEP_OPEN, "X " },
	{ UBLKEV_STEP_START, "SDCX " },
	{ UBLKEV_STEP_LIVE, "SDCX " },
	/* others took the tags, and QUIESCE_DEV has yet to be answered */
	{ UBLKEV_STEP_QUIESCE, "CX SDCX " },
	/* ublkc was closed early, the tags are dead, or neither */
	{ UBLKEV_STEP_STOP, "X CX SDCX " },
	/* somebody has deleted the device, or not */
	{ UBLKEV_STEP_DRAIN, "DC DCX " },
	{ UBLKEV_STEP_RECALL, "C CX " },
	{ UBLKEV_STEP_CLOSE, "C CX " },
	{ UBLKEV_STEP_DEL, "X " },
	/* the end is GONE */
	{ UBLKEV_STEP_BACKEND_CLOSE, "- " },
};

START_TEST(undo)
{
	char text[128];
	struct life l;

	life_begin(&l, legal[_i].step);
	legal_undos(&l, text, sizeof(text));
	ck_assert_str_eq(text, legal[_i].undo);
}
END_TEST

/* A live device without tags is one that is suspected to be taken away. */
START_TEST(undo_of_a_suspect)
{
	char text[128];
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	legal_undos(&l, text, sizeof(text));
	ck_assert_str_eq(text, "CX SDCX ");
}
END_TEST

/* A device to remove has a disk, but no tags and no ublkc of ours. */
START_TEST(undo_of_a_removal)
{
	char text[128];
	struct life l;

	life_init(&l, 9);
	ublkev__life_start(&l.c, UBLKEV__LIFE_REMOVE, l.now);
	life_pull(&l);
	legal_undos(&l, text, sizeof(text));
	ck_assert_str_eq(text, "X SX ");
}
END_TEST

/* ---- flags ----------------------------------------------------------------- */

static const struct {
	const char *what;	/* the member, or one that must change with it */
	size_t at;
	enum ublkev_step step;
} flags[] = {
	{ "kept", offsetof(struct ublkev__life, kept), UBLKEV_STEP_LIVE },
	{ "kept", offsetof(struct ublkev__life, kept), UBLKEV_STEP_DRAIN },
	{ "kept", offsetof(struct ublkev__life, kept), UBLKEV_STEP_DEL },
	{ "aborted", offsetof(struct ublkev__life, aborted), UBLKEV_STEP_LIVE },
	{ "doomed", offsetof(struct ublkev__life, doomed), UBLKEV_STEP_CLOSE },
	{ "suspect", offsetof(struct ublkev__life, suspect),
	  UBLKEV_STEP_START },
	{ "stopping", offsetof(struct ublkev__life, stopping),
	  UBLKEV_STEP_LIVE },
	{ "stopping", offsetof(struct ublkev__life, stopping),
	  UBLKEV_STEP_DRAIN },
	{ "stopping", offsetof(struct ublkev__life, stopping),
	  UBLKEV_STEP_DEL },
};

START_TEST(flag)
{
	struct life l;
	bool is;

	life_begin(&l, flags[_i].step);
	memcpy(&is, (char *)&l.c + flags[_i].at, sizeof(is));
	is = !is;
	memcpy((char *)&l.c + flags[_i].at, &is, sizeof(is));
	ck_assert(test_aborts(verify, &l, flags[_i].what));
}
END_TEST

/* Only the rungs of its step's ladder can have been climbed. */
START_TEST(rung)
{
	static const struct {
		enum ublkev_step step;
		const char *legal;
	} rungs[] = {
		{ UBLKEV_STEP_ADD, "01" },
		{ UBLKEV_STEP_OPEN, "0" },
		{ UBLKEV_STEP_START, "0124" },
		{ UBLKEV_STEP_STOP, "024" },
		{ UBLKEV_STEP_DRAIN, "02" },
		{ UBLKEV_STEP_QUIESCE, "034" },
		{ UBLKEV_STEP_RECALL, "0" },
		{ UBLKEV_STEP_CLOSE, "0" },
		{ UBLKEV_STEP_DEL, "01" },
	};
	char text[8] = "";
	struct life l;
	size_t n = 0;

	life_begin(&l, rungs[_i].step);
	for (l.c.rung = 0; l.c.rung < 6; l.c.rung++)
		if (!test_aborts(verify, &l, "Assertion"))
			text[n++] = (char)('0' + l.c.rung);
	ck_assert_str_eq(text, rungs[_i].legal);
}
END_TEST

START_TEST(deadlines)
{
	struct life l;

	/* nothing is asked of a live device */
	life_begin(&l, UBLKEV_STEP_LIVE);
	l.c.deadline_ms = l.now + 1;
	ck_assert(test_aborts(verify, &l, "deadline_ms"));
	/* what is recalled is waited for */
	life_begin(&l, UBLKEV_STEP_RECALL);
	l.c.deadline_ms = UINT64_MAX;
	ck_assert(test_aborts(verify, &l, "deadline_ms"));
	/* closing has none */
	life_begin(&l, UBLKEV_STEP_CLOSE);
	l.c.deadline_ms = l.now + 1;
	ck_assert(test_aborts(verify, &l, "timeout"));
	/* there are no further attempts on the way down */
	life_begin(&l, UBLKEV_STEP_DRAIN);
	l.c.retry_ms = l.now + 1;
	ck_assert(test_aborts(verify, &l, "retry_ms"));
}
END_TEST

/* None is closed whose operations on files were not recalled. */
START_TEST(files)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_RECALL);
	l.c.files = false;
	ck_assert(test_aborts(verify, &l, "files"));
	life_begin(&l, UBLKEV_STEP_RECALL);
	l.c.traits = 0;
	ck_assert(test_aborts(verify, &l, "files"));
	life_begin(&l, UBLKEV_STEP_CLOSE);
	l.c.traits = UBLKEV__CAN_PLACE;
	l.c.files = true;
	ck_assert(test_aborts(verify, &l, "files"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life_verify");
	TCase *tc = tcase_create("verify");

	tcase_add_loop_test(tc, undo, 0, (int)TEST_COUNT(legal));
	tcase_add_test(tc, undo_of_a_suspect);
	tcase_add_test(tc, undo_of_a_removal);
	tcase_add_loop_test(tc, flag, 0, (int)TEST_COUNT(flags));
	tcase_add_loop_test(tc, rung, 0, 9);
	tcase_add_test(tc, deadlines);
	tcase_add_test(tc, files);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life_steps.h - the facts about each step of a device's life, in one table
 *
 * The files of life act by it, names.c and explain.c speak from it, verify
 * holds a life to it. tests/steps.sh prints it and compares that with what
 * life.h, HACKING.md and the manual say.
 */
#ifndef UBLKEV_CORE_LIFE_STEPS_H
#define UBLKEV_CORE_LIFE_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/dev.h>

/*
 * What is done when a deadline passes, the mildest first. A step has some of
 * these rungs, its ladder, and waits for a grace period after each.
 */
enum ublkev__rung {
	UBLKEV__RUNG_CANCEL,	/* ask the driver to end the command */
	UBLKEV__RUNG_ABORT,	/* fail the requests, those to come also */
	UBLKEV__RUNG_RECALL,	/* cancel operations on files, if there are any */
	UBLKEV__RUNG_CLOSE,	/* leave the device while its command waits */
	UBLKEV__RUNG_LOSE,	/* wait for nothing any more */
};

#define UBLKEV__RUNG(name) (1u << UBLKEV__RUNG_##name)

struct ublkev__life_step {
	const char *name;	/* what ublkev_step_name() answers */
	const char *silence;	/* what it means when the deadline passes;
				   NULL: nothing that the step knows of */
	size_t timeout;		/* where struct ublkev_conf has it; 0: none */
	uint32_t cmds;		/* bits, by enum ublkev__ctrl_cmd: what may be
				   pending */
	uint8_t ladder;		/* bits, UBLKEV__RUNG() */
	uint32_t undo;		/* bits, UBLKEV__UNDO(): what is there, until
				   the device turns down; then at most */
	/* how it begins: first this enum ublkev__life_act, then a command */
	uint8_t act;
	uint8_t cmd, cmd_recover;
	/* on the way up, where it goes from here */
	uint8_t next, next_recover;
};

extern const struct ublkev__life_step ublkev__life_steps[UBLKEV_NR_STEPS];

#endif

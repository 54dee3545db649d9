/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evctl_opts.h - the command line of ublk-evctl
 */
#ifndef EVCTL_OPTS_H
#define EVCTL_OPTS_H

#include <stddef.h>
#include <stdint.h>

enum opts_cmd {
	CMD_LIST,
	CMD_INFO,
	CMD_FEATURES,
	CMD_STOP,
	CMD_DEL,
	CMD_RECOVER,
	CMD_QUIESCE,
	CMD_UPGRADE,
	CMD_RESIZE,
	CMD_AFFINITY,
	CMD_ORPHANS,
	CMD_STATS,
	CMD_TOP,
	CMD_DOCTOR,
	CMD_OWNER,
	CMD_SCHEDULER,
	CMD_HELP,
	CMD_VERSION,
	NR_CMDS
};

/* seconds that a command may take, when --timeout does not say */
#define OPTS_TIMEOUT_S		20
#define OPTS_SERVER_TIMEOUT_S	90	/* recover, upgrade */
#define OPTS_INTERVAL_S		2

/* the strings point into argv */
struct opts {
	enum opts_cmd cmd;
	int id;				/* -1: none */
	uint64_t size_bytes;
	int json;
	int safe;
	int force;
	int async;
	int shrink;
	int clean;
	int all;
	unsigned int timeout_s;
	unsigned int interval_s;
	unsigned int count;		/* 0: for ever */
	const char *socket;		/* NULL: where servers put it */
	const char *program;		/* NULL: ublk-evdemo as installed */
	const char *root;		/* before /dev, /proc, /sys, /run; "" */
	char **rest;			/* after --, for the program; ends
					   with NULL */
};

/*
 * Reads argv, whose order may change. 0, or -EINVAL with one line in err,
 * without \n: what is wrong, the cause and the remedy.
 */
int opts_parse(struct opts *o, int argc, char **argv, char *err,
	       size_t err_size);

/* "list"; static string */
const char *opts_cmd_name(enum opts_cmd cmd);

/* the text of --help, with \n */
extern const char opts_help[];

#endif /* EVCTL_OPTS_H */

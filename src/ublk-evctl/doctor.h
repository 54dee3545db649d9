/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.h - what is known of a machine, and what is wrong with it
 *
 * What the system says is gathered first (doctor.c); judging it touches
 * nothing but files below `root`, so that each fault can be shown in a test.
 */
#ifndef EVCTL_DOCTOR_H
#define EVCTL_DOCTOR_H

#include <stdint.h>
#include <sys/types.h>

#include "ublk-evctl/device.h"

enum level {
	LEVEL_OK,
	LEVEL_WARNING,
	LEVEL_FAULT,
	NR_LEVELS
};

struct check {
	enum level level;
	char name[24];
	char text[256];
	char remedy[256];	/* "": none is needed */
};

struct report {
	struct check *v;
	unsigned int nr;
	int failed;		/* out of memory */
};

/* the text is as printf, and is escaped; remedy NULL: none */
void report_add(struct report *r, enum level level, const char *name,
		const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void report_fini(struct report *r);
enum level report_worst(const struct report *r);

/* "ok", "warning", "fault" */
const char *level_name(enum level level);

struct host {
	const char *root;	/* before /proc, /sys, /lib, /run, /etc */
	char release[65];	/* as uname(2) */
	int control_err;	/* of opening /dev/ublk-control */
	int uring_err;		/* of io_uring_setup(2), as of a server */
	int features_err;	/* of GET_FEATURES; 1: not asked */
	uint64_t features;
	uint64_t caps;		/* effective ones */
	int seccomp;		/* 0 none, 1 strict, 2 a filter */
	uint64_t nofile;	/* RLIMIT_*; UINT64_MAX: none */
	uint64_t memlock;
};

/* reads caps and seccomp from /proc/self/status */
void host_status(struct host *h);

/* the machine's checks; d: its devices, for those that count them */
void host_judge(struct report *r, const struct host *h, const struct devs *d);

/* a device's checks */
void dev_judge(struct report *r, const char *root, const struct dev *d);

#endif /* EVCTL_DOCTOR_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the control plane of one device: commands to ublk-control,
 * through a ring of their own
 *
 * One command at a time. The ring is a plain one: a command runs in a worker
 * thread of the kernel, which posts its completion and signals the eventfd.
 */
#ifndef UBLKEV_URING_CONTROL_H
#define UBLKEV_URING_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core_ctl.h"
#include "core/core_params.h"
#include "util/mem.h"

struct ublkev__control;

/* an answer */
struct ublkev__control_done {
	enum ublkev__cmd cmd;
	int res;
	uint64_t features;		/* of GET_FEATURES */
	struct ublkev__devinfo info;	/* of ADD_DEV */
};

/* Errors: -ENOMEM, and those of io_uring_setup(2). */
int ublkev__control_new(struct ublkev__control **ctlp,
			const struct ublkev__mem *mem, int evfd);

/* Opens /dev/ublk-control. Errors: those of open(2). */
int ublkev__control_open(struct ublkev__control *ctl);

/*
 * Closes everything. A command that is still pending goes on in the kernel,
 * and the memory that was lent to it is left to it for good; true then.
 */
bool ublkev__control_free(struct ublkev__control *ctl);

/*
 * Submits a command; one answer follows, but see free. `info` for its id
 * and for ADD_DEV, `params` for SET_PARAMS. Errors: -EBUSY, one is pending;
 * those of io_uring_enter(2).
 */
int ublkev__control_submit(struct ublkev__control *ctl, enum ublkev__cmd cmd,
			   const struct ublkev__devinfo *info,
			   const struct ublkev__params *params);

/* asks the kernel to end the pending command early; it may not be able to */
void ublkev__control_cancel(struct ublkev__control *ctl);

/*
 * An answer to reap, or a command that could not be submitted yet. Looked at
 * before sleeping: the eventfd's signal for an answer may have been taken
 * together with another's.
 */
bool ublkev__control_has_work(const struct ublkev__control *ctl);

/* the next answer, if there is one */
bool ublkev__control_reap(struct ublkev__control *ctl,
			  struct ublkev__control_done *done);

#endif

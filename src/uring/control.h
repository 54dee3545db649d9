/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the control plane of one device: commands to ublk-control
 *
 * One command at a time, through one of two carriers: a ring of this process
 * (control_ring.h), or the broker (broker.h), a process that is not held up
 * when this one is killed. Either way the eventfd is signalled when an answer
 * can be reaped.
 */
#ifndef UBLKEV_URING_CONTROL_H
#define UBLKEV_URING_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/broker.h>

#include "core/core_ctl.h"
#include "core/core_params.h"
#include "util/mem.h"

struct ublkev__control;

/* a command */
struct ublkev__control_req {
	enum ublkev__cmd cmd;
	/*
	 * Its id; the rest for ADD_DEV. Of a device of an ordinary user's, as
	 * its features tell, the driver wants the name of ublkc with each.
	 */
	struct ublkev__devinfo info;
	struct ublkev__params params;	/* of SET_PARAMS */
	/*
	 * Of START_DEV and END_USER_RECOVERY the server's pid, which
	 * ublkev__control_submit() fills in; of UPDATE_SIZE sectors, of
	 * QUIESCE_DEV milliseconds, of GET_QUEUE_AFFINITY the queue.
	 */
	uint64_t data;
};

/* an answer */
struct ublkev__control_done {
	enum ublkev__cmd cmd;
	struct ublkev__ctl_answer answer;
	struct ublkev__params params;	/* of GET_PARAMS */
	struct ublkev_cpus cpus;	/* of GET_QUEUE_AFFINITY */
};

/*
 * `broker` NULL: a ring of this process. Errors: -ENOMEM; those of
 * io_uring_setup(2) or of socketpair(2); -EPIPE, the broker is dead.
 */
int ublkev__control_new(struct ublkev__control **ctlp,
			const struct ublkev__mem *mem, int evfd,
			struct ublkev_broker *broker);

/*
 * Opens /dev/ublk-control. Errors: those of open(2). With a broker this only
 * sees whether it is there: what the broker meets in opening it is the answer
 * of the first command.
 */
int ublkev__control_open(struct ublkev__control *ctl);

/*
 * Closes everything. true: a command was still pending in this process' ring.
 * It goes on in the kernel, and the memory that was lent to it is left to it
 * for good.
 */
bool ublkev__control_free(struct ublkev__control *ctl);

/*
 * Submits a command; one answer follows, but see free. Errors: -EBUSY, one is
 * pending; those of io_uring_enter(2); -EPIPE, the broker is dead.
 */
int ublkev__control_submit(struct ublkev__control *ctl,
			   const struct ublkev__control_req *req);

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

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carrier.h - the control plane of one device: commands to ublk-control
 *
 * One command at a time, through one of two carriers: a ring of this process
 * (carrier_ring.h), or the broker (broker.h), a process that is not held up
 * when this one is killed. Either way the eventfd is signalled when an answer
 * can be reaped.
 */
#ifndef UBLKEV_URING_CARRIER_H
#define UBLKEV_URING_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/broker.h>

#include "core/life.h"
#include "core/params.h"
#include "util/alloc.h"

struct ublkev__carrier;

/* a command */
struct ublkev__carrier_req {
	enum ublkev__ctrl_cmd cmd;
	/*
	 * Its id; the rest for ADD_DEV. Of a device of an ordinary user's, as
	 * its features tell, the driver wants the name of ublkc with each.
	 */
	struct ublkev__devinfo info;
	struct ublkev__params params;	/* of SET_PARAMS */
	/*
	 * Of START_DEV and END_USER_RECOVERY the server's pid, which
	 * ublkev__carrier_submit() fills in; of UPDATE_SIZE sectors, of
	 * QUIESCE_DEV milliseconds, of GET_QUEUE_AFFINITY the queue.
	 */
	uint64_t data;
	/*
	 * START_DEV: a broker is to give the disk the I/O scheduler "none" when
	 * it is live. A ring of this process does not.
	 */
	bool no_scheduler;
};

/* an answer */
struct ublkev__carrier_done {
	enum ublkev__ctrl_cmd cmd;
	struct ublkev__ctrl_answer answer;
	struct ublkev__params params;	/* of GET_PARAMS */
	struct ublkev_cpus cpus;	/* of GET_QUEUE_AFFINITY */
};

/*
 * `broker` NULL: a ring of this process. Errors: -ENOMEM; those of
 * io_uring_setup(2) or of socketpair(2); -EPIPE, the broker is dead.
 */
int ublkev__carrier_new(struct ublkev__carrier **carrierp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker);

/*
 * Opens /dev/ublk-control. Errors: those of open(2). With a broker this only
 * sees whether it is there: what the broker meets in opening it is the answer
 * of the first command.
 */
int ublkev__carrier_open(struct ublkev__carrier *carrier);

/*
 * Closes everything. true: a command was still pending in this process' ring.
 * It goes on in the kernel, and the memory that was lent to it is left to it
 * for good.
 */
bool ublkev__carrier_free(struct ublkev__carrier *carrier);

/*
 * Submits a command; one answer follows, but see free. Errors: -EBUSY, one is
 * pending; those of io_uring_enter(2); -EPIPE, the broker is dead; -EMFILE,
 * -ENFILE, -ENOMEM, it has no descriptor or memory for the device. The last
 * four may be the answer instead.
 */
int ublkev__carrier_submit(struct ublkev__carrier *carrier,
			   const struct ublkev__carrier_req *req);

/* asks the kernel to end the pending command early; it may not be able to */
void ublkev__carrier_cancel(struct ublkev__carrier *carrier);

/*
 * An answer to reap, or a command that could not be submitted yet. Looked at
 * before sleeping: the eventfd's signal for an answer may have been taken
 * together with another's.
 */
bool ublkev__carrier_has_work(const struct ublkev__carrier *carrier);

/* the next answer, if there is one */
bool ublkev__carrier_reap(struct ublkev__carrier *carrier,
			  struct ublkev__carrier_done *done);

#endif

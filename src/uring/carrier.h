/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carrier.h - the control plane of one device: commands to ublk-control
 *
 * One command at a time, through one of two carriers: a ring of this process
 * (carrier_ring.h), or the broker (carrier_broker.h), a process that is not
 * held up when this one is killed. Either way the eventfd is signalled when an
 * answer can be reaped. src/ev calls all of it, in the thread of the device's
 * loop; nothing here waits for the driver.
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

/* what REG_BUF registers */
struct ublkev__carrier_memory {
	void *base;		/* this process' mapping of it */
	uint64_t bytes;
	uint64_t offset_bytes;	/* in the file, by which a broker maps it */
	int fd;			/* the file's: of use until submit returns */
	bool read_only;
};

/* A command. */
struct ublkev__carrier_req {
	enum ublkev__ctrl_cmd cmd;
	/*
	 * The device's id, and for ADD_DEV what is wished. The features count
	 * for every command: with those of an ordinary user's device goes the
	 * path of ublkc, by which the driver sees whether the caller may
	 * (ublk_ctrl_uring_cmd_permission()).
	 */
	struct ublkev_cmd_info info;
	struct ublkev__params params;	/* of SET_PARAMS */
	/*
	 * UPDATE_SIZE has sectors here, QUIESCE_DEV milliseconds,
	 * GET_QUEUE_AFFINITY the queue, UNREG_BUF the memory's number. START_DEV and END_USER_RECOVERY have
	 * the server's pid, which ublkev__carrier_submit() fills in.
	 */
	uint64_t data;
	struct ublkev__carrier_memory memory;	/* of REG_BUF */
	/*
	 * A broker that carries START_DEV is to give the disk the I/O scheduler
	 * "none" when it is live. A ring of this process does not look at it.
	 */
	bool no_scheduler;
};

/* An answer. */
struct ublkev__carrier_done {
	enum ublkev__ctrl_cmd cmd;
	struct ublkev__ctrl_answer answer;
	struct ublkev__params params;	/* of GET_PARAMS */
	struct ublkev_cpus cpus;	/* of GET_QUEUE_AFFINITY */
};

/*
 * Makes a carrier, with `broker` NULL one with a ring of this process. It
 * signals evfd, which stays the caller's and has to outlive it. Errors:
 * -ENOMEM; those of io_uring_setup(2) or of socketpair(2) and sendmsg(2);
 * -EPIPE, the broker is dead.
 */
int ublkev__carrier_new(struct ublkev__carrier **carrierp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker);

/*
 * Opens /dev/ublk-control. Errors: those of open(2). With a broker this looks
 * only whether it is there: when the broker cannot open it, that errno is the
 * answer to the first command.
 */
int ublkev__carrier_open(struct ublkev__carrier *carrier);

/*
 * Closes and frees everything; NULL is nothing. Answers true when a command was
 * still pending in this process' ring: it goes on in the kernel, and the memory
 * that was lent to it stays allocated for good.
 */
bool ublkev__carrier_free(struct ublkev__carrier *carrier);

/*
 * Submits a command, to which one answer follows, unless the carrier is freed
 * before. Errors, after which none follows: -EBUSY, one is pending; those of
 * io_uring_enter(2); -EPIPE, the broker is dead; -EMFILE, -ENFILE, -ENOMEM, it
 * has no descriptor or memory for the device. The last four may be the answer
 * instead.
 */
int ublkev__carrier_submit(struct ublkev__carrier *carrier,
			   const struct ublkev__carrier_req *req);

/*
 * Asks the kernel to end the pending command early, which then is answered,
 * mostly with -EINTR. A command that sleeps uninterruptibly goes on. Without a
 * pending command it does nothing.
 */
void ublkev__carrier_cancel(struct ublkev__carrier *carrier);

/*
 * Whether there is an answer to reap, or a command that could not be submitted
 * yet. The caller looks here before it sleeps: the eventfd is the I/O ring's as
 * well, so a signal for an answer may have been taken together with one for
 * requests.
 */
bool ublkev__carrier_has_work(const struct ublkev__carrier *carrier);

/* Takes the next answer into *done; false when there is none. */
bool ublkev__carrier_reap(struct ublkev__carrier *carrier,
			  struct ublkev__carrier_done *done);

#endif

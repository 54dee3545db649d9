/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_driver.h - the ublk driver, in memory
 *
 * Stands in for src/uring: implements uring/io.h and uring/carrier.h, to be
 * linked instead of it. Everything happens inside calls: a control command
 * runs when it is submitted, or `delay` calls of fake_tick() later; one that
 * has to wait goes on when what it waits for has come about. All is done
 * under one lock, for servers with threads: clients' done() runs in whatever
 * thread commits, and what it changes is to be looked at between fake_lock()
 * and fake_unlock().
 *
 *	fake_carrier.c  control commands, the driver's side and the seam
 *	fake_io.c       an io's life: eventfd, ublkc, buffers
 *	fake_ring.c     its ring: what is submitted, task work, the sleep
 *	fake_tags.c     what becomes of a tag by commands and task work
 *	fake_file.c     operations on files, which are real ones
 *	fake_recover.c  devices without a server, and commands to live ones
 *	fake_driver.c   devices, clients
 */
#ifndef UBLKEV_TESTS_FAKE_DRIVER_H
#define UBLKEV_TESTS_FAKE_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/life.h"
#include "core/decode.h"
#include "uring/io.h"

#define FAKE_DEVS	64
#define FAKE_RULES	16
#define FAKE_NEVER	UINT32_MAX

int fake_lock(void);		/* recursive; 0 */
void fake_unlock(const int *unused);
/* at the head of a function: locked until it returns */
#define FAKE_LOCKED \
	__attribute__((cleanup(fake_unlock), unused)) int fake_locked = \
		fake_lock()

/* ---- clients ------------------------------------------------------------ */

/* the driver's numbers */
enum {
	FAKE_READ, FAKE_WRITE, FAKE_FLUSH, FAKE_DISCARD, FAKE_ZEROES = 5,
	FAKE_ZONE_OPEN = 10, FAKE_ZONE_CLOSE, FAKE_ZONE_FINISH,
	FAKE_ZONE_APPEND, FAKE_ZONE_RESET_ALL, FAKE_ZONE_RESET,
	FAKE_REPORT_ZONES = 18,
};
#define FAKE_F_ZERO_COPY	(UINT64_C(1) << 0)
#define FAKE_F_ZONED		(UINT64_C(1) << 8)
#define FAKE_F_NEED_GET_DATA	(UINT64_C(1) << 2)
#define FAKE_F_USER_COPY	(UINT64_C(1) << 7)
#define FAKE_F_AUTO_BUF_REG	(UINT64_C(1) << 11)
#define FAKE_F_PER_IO_DAEMON	(UINT64_C(1) << 13)
#define FAKE_F_BATCH_IO		(UINT64_C(1) << 15)
#define FAKE_F_INTEGRITY	(UINT64_C(1) << 16)
#define FAKE_F_SHMEM_ZC		(UINT64_C(1) << 19)
#define FAKE_F_IO_DESC_SIZE	(UINT64_C(1) << 20)
#define FAKE_F_FUA	(1u << 13)
#define FAKE_F_NOUNMAP	(1u << 15)

/* `res` 0 or a negative errno; may submit again */
typedef void fake_done_fn(void *arg, int res);

/*
 * A request of `len` bytes at `offset`, as a user of /dev/ublkb<id> would
 * make it. `data` (READ: filled, WRITE: copied when a tag is found) stays
 * the caller's until `done` was called, once, perhaps inside this call.
 * `op_flags` as in a descriptor: an op and FAKE_F_*.
 */
void fake_submit(int id, uint32_t op_flags, uint64_t offset, uint32_t len,
		 void *data, fake_done_fn *done, void *arg);

/* A request as fake_submit() makes it, but of that queue. */
void fake_submit_on(int id, unsigned int queue, uint32_t op_flags,
		    uint64_t offset, uint32_t len, void *data,
		    fake_done_fn *done, void *arg);

/* ---- misfortune --------------------------------------------------------- */

enum fake_what {
	FAKE_CMD,		/* a control command answers `err` */
	FAKE_HANG,		/* the command ends only if cancelled */
	FAKE_HANG_HARD,		/* the command does not end, cancelled or not */
	FAKE_HANG_TICKS,	/* the command begins `err` ticks late */
	FAKE_FETCH,		/* FETCH is refused with `err` */
	FAKE_COMMIT,		/* COMMIT is refused with `err` */
	FAKE_COPY,		/* the data of GET_DATA can't be copied;
				   USER_COPY's copy answers `err` */
	FAKE_LEND,		/* AUTO_BUF_REG: a request finds no slot;
				   REGISTER_IO_BUF answers `err` */
	FAKE_UNLEND,		/* UNREGISTER_IO_BUF answers `err` */
	FAKE_ENTER,		/* enter fails with `err` */
	FAKE_ENTER_AGAIN,	/* enter leaves all as it is, without error */
	FAKE_OPEN,		/* opening ublkc */
	FAKE_NEED_BUFS,		/* buffers are refused */
	FAKE_IO_NEW,
	FAKE_IO_SET_UP,
	FAKE_CONTROL_NEW,
	FAKE_CONTROL_OPEN,
	FAKE_JOIN,		/* a queue's io is not given ublkc */
	FAKE_ENABLE,		/* a queue's ring is not enabled */
	FAKE_MOVE,		/* nor brought to its thread's node */
};

/*
 * The `nth` time from now (1: the next) and as often as `times` says;
 * `cmd` for the first four.
 */
void fake_rule(enum fake_what what, enum ublkev__ctrl_cmd cmd, unsigned int nth,
	       unsigned int times, int err);
void fake_no_rules(void);
/* Ends all that a rule of FAKE_HANG holds. */
void fake_release(void);
/* a completion that nobody asked for, in the ring of device `id` */
void fake_spurious(int id, unsigned int queue, unsigned int tag, int res);
/* a completion of that tag in the ring of who fetched the next one */
void fake_astray(int id, unsigned int queue, unsigned int tag, int res);
/* STOP_DEV, DEL_DEV by somebody else */
void fake_outside(enum ublkev__ctrl_cmd cmd, int id);
/* the server of the device is dead: nothing comes from it any more */
void fake_kill(int id);
/* somebody opens, closes ublkb<id> (or just its number): DEL_DEV waits */
void fake_hold(int id, int change);
/* a device that some dead server left */
int fake_leave(int id);

/* where hook is called: inside the calls of io.h, at their start (and end) */
enum fake_point {
	FAKE_AT_MUTE, FAKE_AT_MUTED, FAKE_AT_ENTER, FAKE_AT_ENTERED,
	FAKE_AT_REAP, FAKE_AT_REAPED, FAKE_AT_UNMUTE, FAKE_AT_UNMUTED,
	FAKE_AT_HAS_WORK, FAKE_AT_HAD_WORK, FAKE_AT_LOOK, FAKE_AT_LOOKED,
	/* before what is submitted, between that and the sleep, after it */
	FAKE_AT_TO_SLEEP, FAKE_AT_SLEEP, FAKE_AT_SLEPT,
	FAKE_POINTS
};

/* ---- the driver --------------------------------------------------------- */

struct fake_counts {
	unsigned int devs, ios, controls, pending;
	unsigned int enters, muted_signals, signals;
	unsigned int file_ops, file_cancels;
	unsigned int discards;	/* of those: of a block device */
	unsigned int lent_ops;	/* of those: on the driver's pages */
	unsigned int registers, unregisters;	/* of requests' pages */
	unsigned int part_copies;	/* FETCH, STORE, CLEAR */
	unsigned int file_left;	/* held when their ring was closed */
	unsigned int sleeps;	/* in the ring */
	unsigned int dozes;	/* those that found nothing at first */
	/* of the soonest alarm that was set; 0: none was */
	unsigned int alarm_us;
	unsigned int leaks;	/* memory lent to commands that hang */
	unsigned int left_bufs;	/* ios whose buffers somebody may touch */
	unsigned int cancels, aborted_reqs, cmds[UBLKEV__NR_CTRL_CMDS];
	unsigned int no_schedulers;	/* commands that ask a broker for it */
};

struct fake_conf {
	unsigned int cpus;		/* 64; most queues of a device */
	unsigned int delay;		/* 0; of each control command */
	unsigned int scan_reads;	/* 0; made inside START_DEV */
	unsigned int writeback;		/* 0; WRITEs made inside STOP_DEV */
	unsigned int work_cap;		/* 0: none; items that an enter runs */
	bool alarm_rings;		/* in every sleep, whatever else comes */
	uint64_t features;		/* as 6.12 */
	bool runs_work;			/* by_ring: at once, wherever the
					   server's thread is */
	bool no_data;			/* USER_COPY without copies is right */
	void (*hook)(enum fake_point at);
	/* operations on files: what becomes of one that is submitted */
	int (*file)(const struct ublkev__fileop *op);
	unsigned int file_room;		/* 4; SQEs for them beside the tags' */
	bool file_stuck;		/* no cancel ends what is held */
	/*
	 * The clients' own mapping of a file, from its beginning on: what is in
	 * memory that was registered of that file, comes so.
	 */
	char *client_base;
	uint64_t client_bytes;
	unsigned int first_number;	/* 0; of what is registered */
};

/* answers of fake.file() that are no results */
#define FAKE_FILE_DO	INT32_MAX	/* it is done, at once */
#define FAKE_FILE_HOLD	(INT32_MAX - 1)	/* done, or cancelled, later */
/* SHORT + n: n bytes of it */
#define FAKE_FILE_SHORT	(1 << 30)

/*
 * Does up to n of those that device `id`'s rings hold, in the order that they
 * were submitted; how many.
 */
unsigned int fake_file_go(int id, unsigned int n);
/* how many these are */
unsigned int fake_file_held(int id);

/* the sector that the last ZONE_APPEND was answered with */
extern uint64_t fake_appended;

extern struct fake_conf fake;
extern struct fake_counts fake_counts;

/* a new driver; what is left of the last one is freed */
void fake_reset(void);
void fake_tick(void);
/* what the server did wrong first, NULL: nothing */
const char *fake_violation(void);
/* nothing of any device, ring or command is left */
bool fake_clean(void);
/* requests of clients that are not yet answered */
unsigned int fake_unanswered(void);
/* the device exists; is live */
bool fake_exists(int id);
bool fake_live(int id);
/* enum ublkev_dev_state, or -ENODEV; its size */
int fake_state(int id);
uint64_t fake_sectors(int id);
/* what it was told of pages by SET_PARAMS */
uint32_t fake_dma_align_bytes(int id);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - what stands behind a ublkev_dev: the parts, and who joins them
 *
 *	evdev.c    the public calls: a device's wishes
 *	engine.c   making and releasing the parts
 *	evpump.c   the one loop that moves facts and actions between them
 *	evfile.c   its part with requests whose data are in files
 *	evreqop.c  its part with what backends have done for requests
 *	evoffload.c threads for what blocks
 *	evsub.c    what a layer has the backends beneath it do for a request
 *	act.c      its part in a device's life: commands, events, files
 *	evresize.c a resize: the backend's part of it
 *	evshare.c  memory that clients share with the server
 *	evloop.c   when the pump runs: libev's watchers
 *	evturn.c   a turn's budget, and what is done before the loop sleeps
 *	evworker.c the same in threads, a queue each
 *	evstats.c  looking at it
 */
#ifndef UBLKEV_EV_ENGINE_H
#define UBLKEV_EV_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>
#include <ublkev.h>

#include "core/lanelife.h"
#include "core/life.h"
#include "core/pace.h"
#include "core/params.h"
#include "core/placed.h"
#include "core/queue.h"
#include "core/ownops.h"
#include "core/threads.h"
#include "ev/clock.h"
#include "core/wait.h"
#include "ev/evoffload.h"
#include "ev/evsub.h"
#include "uring/carrier.h"
#include "uring/io.h"
#include "util/log.h"
#include "util/alloc.h"

struct ublkev__engine;
struct ublkev__worker;

/*
 * Queues, or a part of one's tags, that one thread serves, in its loop, through
 * its ring
 */
struct ublkev__lane {
	struct ublkev__engine *e;
	struct ublkev__worker *worker;	/* NULL: the application's thread's */
	struct ev_loop *loop;		/* NULL: driven by hand */
	struct ublkev__io *io;
	struct ublkev__queue *queues;
	unsigned int nr_queues;		/* that the driver took; a part is one */
	unsigned int first_id;		/* number of the first */
	unsigned int first_queue;	/* to be asked for requests */
	struct ublkev__lanelife life;	/* its own thread's, and its alone */
	/* evfile.c: where the backend places requests */
	struct ublkev__placed *wanting;	/* want SQEs: the first */
	struct ublkev__placed *last_wanting;
	unsigned int nr_placed;		/* requests of which there are some, or
					   operations on files of the backend's */
	unsigned int nr_flying;		/* operations that the kernel has, jobs
					   that the pool has */
	bool refused_pages;		/* a file did: it is in the log */
	bool punches;			/* a file knows no DISCARD but holes */
	/* evreqop.c: what the backend begins by itself */
	struct ublkev__reqops *wanting_ops;	/* want SQEs: the first */
	struct ublkev__reqops *last_wanting_ops;
	struct ublkev__job *jobs_done;	/* atomic: pushed by the pool */
	struct ublkev__subs subs;	/* evsub.c: what layers ask lower ones */
	bool pumping;
	bool stays;			/* evpump.c: the loop is not to sleep */
	bool alone;			/* in its loop: nobody else has watchers
					   or timers there */
	struct ublkev__wait wait;	/* before the loop may sleep: looking */
	struct ublkev__wait sleep;	/* or asleep in the ring */
	/* evturn.c: SCHED_BATCH */
	struct ublkev__wait batch;	/* whether it pays */
	bool is_batch;			/* the thread is, by us */
	unsigned int batch_wakes, batch_cqes;	/* since it was judged */
	uint64_t step_bytes;		/* evpump.c: between looks at a clock */

	/* evloop.c */
	bool by_ring;
	unsigned int idle_turns;	/* of the loop, since a pump */
	int loop_file;			/* -1: none, or the io watches it */
	bool rests;			/* until a call that runs the loop ends;
					   the watchers are stopped */
	struct ev_io on_ring;
	struct ev_check on_check;
	struct ev_io on_fd;
	struct ev_prepare on_prepare;
	struct ev_idle on_backlog;

	/* from start on, kept after STOPPED */
	struct ublkev_stats stats;

	/*
	 * Of a worker: its thread may be in the backend, or is in a callback of
	 * the loop that may be the backend's. The application's thread reads it.
	 */
	bool in_backend;
};

/* where a resize is */
enum ublkev__resize {
	UBLKEV__RESIZE_NONE,
	UBLKEV__RESIZE_GROWS,	/* a thread does what the backend would wait
				   for, in ops.grow */
	UBLKEV__RESIZE_HOLDS,	/* the backend grows once all threads are held */
	UBLKEV__RESIZE_ASKED,	/* the device's life was, which tells RESIZED */
	UBLKEV__RESIZE_CUTS,	/* the backend shrinks: its next piece is due */
};

struct ublkev__engine {
	/* from init to fini */
	struct ublkev_dev *dev;
	struct ublkev_backend *backend;
	struct ublkev_conf conf;
	struct ublkev__alloc mem;
	struct ublkev__log log;

	struct ublkev__lane lane;	/* the application's thread's */

	/* from start to STOPPED */
	pid_t pid;			/* that of the start */
	const void *thread;		/* the caller of start, whose is all
					   but what workers do */
	struct ublkev__life life;
	struct ublkev__pace pace;	/* the clock of life's deadlines */
	struct ublkev__carrier *carrier;
	unsigned int parts;		/* of each queue; a thread has one */
	struct ublkev__queue *queues;	/* the parts of the first, and so on */
	unsigned int nr_queues;		/* parts of those that the driver took */
	void *queues_mem;
	void *tags_mem;
	uint64_t *since_us;
	bool has_files;			/* either of the next two is there */
	struct ublkev__placed *placed;	/* of each tag of the device, or NULL:
					   see ops.place */
	void *placed_mem;
	struct ublkev__tagops *tagops;	/* of each tag, or NULL: LIMIT_REQ_OPS */
	void *tagops_mem;
	struct ublkev__tagsubs *tagsubs; /* of each tag, or NULL: no layer */
	struct ublkev__pool *offload; /* or NULL: nothing is offloaded */
	bool grown;			/* RESIZE_GROWS: the thread is back */
	bool closes_backend;		/* once the pool has no job any more */
	enum ublkev__life_mode mode;	/* REMOVE: no queues, no backend */
	enum ublkev__resize resize;
	uint64_t resize_bytes;		/* what the device is to have */
	uint64_t old_bytes;		/* and had, before it */
	/* evshare.c */
	struct ublkev__shared *shared;	/* [MAX_SHARED], or NULL: the device
					   has no SHMEM_ZC */
	int share_fd;			/* of what is to be registered; -1 */
	uint64_t share_offset;
	unsigned int share_flags;
	unsigned int share_index;	/* of the command that is out */
	/* evworker.c; none: the lane above has all queues */
	struct ublkev__worker *workers;
	unsigned int nr_workers;
	struct ublkev__threads threads;	/* what is known of them here */
	bool blocked;			/* by them, or a resize: this action */
	struct ublkev__life_action action;
	uint64_t answered;		/* requests, when it was told last */

	/* evlook.c, in the time of pace */
	uint64_t look_until_ms;		/* UINT64_MAX: no look is waited for */
	uint64_t look_since_ms;		/* when it was asked for */
	uint64_t look_given_ms;		/* the deadline after the last late one */

	/* evloop.c */
	struct ev_timer on_deadline;
	struct ev_cleanup on_destroy;
	uint64_t timer_ms;		/* the deadline it is set for */
};

/* the pool has brought some back, which are to be taken */
static inline bool ublkev__lane_has_jobs(const struct ublkev__lane *l)
{
	return __atomic_load_n(&l->jobs_done, __ATOMIC_RELAXED);
}

static inline uint64_t ublkev__engine_now_ms(struct ublkev__engine *e)
{
	return ublkev__pace_look(&e->pace, ublkev__clock_ms());
}

/* whether there is a pool: the backend may have something for threads of it */
bool ublkev__engine_offloads(const struct ublkev__engine *e);

/*
 * Makes every part that a device needs before its first control command;
 * *step says what it was at when it failed. On failure nothing is left.
 */
int ublkev__engine_up(struct ublkev__engine *e, enum ublkev_step *step);

/*
 * Memory and ring for a device of that shape, by up or, when the shape is
 * learnt from the device, before it is opened. Errors: -ENOMEM, and those of
 * io_uring_setup(2); what was made is down's to release.
 */
int ublkev__engine_set_up(struct ublkev__engine *e, unsigned int queues,
			  unsigned int depth, uint32_t max_io_bytes);

/* tells the lane's queues where their tags' buffers are */
void ublkev__engine_set_bufs(struct ublkev__lane *l);
/* makes the buffers, and tells. Errors: as of ublkev__io_need_bufs(). */
int ublkev__engine_need_bufs(struct ublkev__lane *l);

/* a lane of no queues yet */
void ublkev__engine_init_lane(struct ublkev__engine *e,
			      struct ublkev__lane *l);

/* a lane with its loop gets the eventfd that goes with it */
int ublkev__engine_new_io(struct ublkev__lane *l);

/*
 * Asserts that what its parts believe fits together; between two turns of the
 * pump, by its thread. For tests, and slow.
 */
void ublkev__engine_verify(const struct ublkev__engine *e);

/* releases all that up made, but for the eventfd, which it answers */
int ublkev__engine_down(struct ublkev__engine *e);

#endif

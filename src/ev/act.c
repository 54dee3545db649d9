/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins the core's life with the driver and the application: takes answers and
 * facts to it, and does what it asks for. All but what a lane's own thread
 * calls (arm, abort, close) runs in the application's thread, most of it in a
 * turn of the pump. The application's callback is called here alone, and may
 * stop the device or, at STOPPED, free it.
 */
#include "ev/act.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evclose.h"
#include "ev/evfile.h"
#include "ev/evlook.h"
#include "ev/evloop.h"
#include "ev/evpump.h"
#include "ev/evresize.h"
#include "ev/evshare.h"
#include "ev/evturn.h"
#include "ev/evworker.h"

static void act_own_params(const struct ublkev__engine *e,
			   struct ublkev__params *params)
{
	uint64_t features = e->life.info.features;
	enum ublkev__xfer xfer = ublkev__xfer_of(features, e->life.traits);

	memset(params, 0, sizeof(*params));
	ublkev__params_make(params, &e->backend->limits,
			    e->life.info.max_io_bytes,
			    xfer == UBLKEV__XFER_ZERO ||
			    features & UBLKEV__F(SHMEM_ZC));
}

static void act_command(struct ublkev__engine *e,
			const struct ublkev__life_action *a)
{
	struct ublkev__carrier_req req = {
		.cmd = a->cmd,
		.info = e->life.info,
		.data = a->data,
	};
	struct ublkev__ctrl_answer failed = { 0 };

	if (a->cmd == UBLKEV__CTRL_SET_PARAMS)
		act_own_params(e, &req.params);
	if (a->cmd == UBLKEV__CTRL_REG_BUF)
		ublkev__share_fill(e, &req);
	/* a recovered device keeps what its administrator chose meanwhile */
	req.no_scheduler = a->cmd == UBLKEV__CTRL_START_DEV &&
			   !(e->conf.flags & UBLKEV_CONF_KEEP_SCHEDULER);
	ublkev__log(&e->log, LOG_DEBUG, "%s", ublkev__ctrl_name(a->cmd));
	failed.res = ublkev__carrier_submit(e->carrier, &req);
	ublkev__share_sent(e);
	if (!failed.res)
		return;
	failed.res = ublkev__share_answered(e, a->cmd, failed.res);
	ublkev__life_cmd_done(&e->life, a->cmd, &failed,
			      ublkev__engine_now_ms(e));
}

/* Names the missing features, before the core refuses to go on without them. */
static void act_log_missing(struct ublkev__engine *e, uint64_t offered)
{
	uint64_t missing = ublkev__features_needed(&e->conf, e->life.traits) &
			   ~offered;
	unsigned int bit;

	if (e->life.traits & (UBLKEV__ZONED | UBLKEV__METADATA) &&
	    e->conf.flags & UBLKEV_CONF_UNPRIVILEGED)
		ublkev__log(&e->log, LOG_ERR,
			    "a disk with zones or metadata needs USER_COPY, which is not for a device of an ordinary user's: leave out UBLKEV_CONF_UNPRIVILEGED");
	for (bit = 0; bit < UBLKEV__NR_FEATURES; bit++)
		if (missing >> bit & 1)
			ublkev__log(&e->log, LOG_ERR,
				    "this kernel's ublk has no %s%s",
				    ublkev_feature_name(bit),
				    bit != UBLKEV__FB_PER_IO_DAEMON ? "" :
				    ", which several threads for a queue need (Linux 6.16)");
}

/* before the core refuses to serve it so */
static void act_log_one_thread(struct ublkev__engine *e, uint64_t features)
{
	if (e->life.step == UBLKEV_STEP_INFO && e->conf.threads_per_queue > 1 &&
	    !(features & UBLKEV__F(PER_IO_DAEMON)))
		ublkev__log(&e->log, LOG_ERR,
			    "the device was made without PER_IO_DAEMON, so a queue of it has one thread: leave conf.threads_per_queue at 1");
}

static int act_check_size(struct ublkev__engine *e, uint64_t own_sectors,
			  uint64_t dev_sectors)
{
	bool fits = own_sectors >= dev_sectors;

	if (own_sectors == dev_sectors)
		return 0;
	ublkev__log(&e->log, fits ? LOG_NOTICE : LOG_ERR,
		    "the device has %llu bytes, the backend %llu: %s",
		    (unsigned long long)dev_sectors << 9,
		    (unsigned long long)own_sectors << 9,
		    fits ? "the device's are served until it is resized" :
		    "it needs as many as the device at least");
	return fits ? 0 : -EINVAL;
}

/* The parameters of a device to recover must be what the backend can serve. */
static int act_check_params(struct ublkev__engine *e,
			    const struct ublkev__params *params)
{
	struct ublkev__params own;
	const char *what;
	int err;

	act_own_params(e, &own);
	err = act_check_size(e, own.dev_sectors, params->dev_sectors);
	if (err)
		return err;
	what = ublkev__params_misfit(&own, params);
	if (!what)
		return 0;
	ublkev__log(&e->log, LOG_ERR,
		    "the device was made with another %s than the backend's",
		    what);
	return -EINVAL;
}

static void act_take_cpus(struct ublkev__engine *e,
			  const struct ublkev__carrier_done *done)
{
	unsigned int queue = e->life.asked_cpus - 1;

	if (done->answer.res < 0)
		ublkev__log(&e->log, LOG_NOTICE,
			    "the CPUs of queue %u are not known: %d", queue,
			    done->answer.res);
	else
		ublkev__workers_pin(e, queue, &done->cpus);
}

static int act_set_up(struct ublkev__engine *e)
{
	const struct ublkev_cmd_info *info = &e->life.info;

	return ublkev__engine_set_up(e, info->queues, info->depth,
				     info->max_io_bytes);
}

static void act_look_at_answer(struct ublkev__engine *e,
			       struct ublkev__carrier_done *done)
{
	struct ublkev__ctrl_answer *a = &done->answer;

	if (done->cmd == UBLKEV__CTRL_GET_QUEUE_AFFINITY)
		act_take_cpus(e, done);
	a->res = ublkev__share_answered(e, done->cmd, a->res);
	if (a->res < 0)
		return;
	if (done->cmd == UBLKEV__CTRL_ADD_DEV)
		e->log.id = a->info.id;
	else if (done->cmd == UBLKEV__CTRL_GET_FEATURES &&
		 e->mode == UBLKEV__LIFE_ADD)
		act_log_missing(e, a->features);
	else if (done->cmd == UBLKEV__CTRL_GET_DEV_INFO)
		act_log_one_thread(e, a->info.features);
	else if (done->cmd == UBLKEV__CTRL_GET_PARAMS)
		a->res = act_check_params(e, &done->params);
	/* next is GET_QUEUE_AFFINITY, whose answer pins threads: make them */
	if (done->cmd == UBLKEV__CTRL_GET_PARAMS && !a->res &&
	    e->conf.flags & UBLKEV_CONF_QUEUE_THREADS)
		a->res = act_set_up(e);
}

void ublkev__act_answer(struct ublkev__engine *e)
{
	struct ublkev__carrier_done done;

	while (ublkev__carrier_reap(e->carrier, &done)) {
		ublkev__log(&e->log, LOG_DEBUG, "%s: %d",
			    ublkev__ctrl_name(done.cmd), done.answer.res);
		act_look_at_answer(e, &done);
		if (ublkev__life_cmd_done(&e->life, done.cmd, &done.answer,
					  ublkev__engine_now_ms(e)))
			ublkev__log(&e->log, LOG_ERR,
				    "%s was answered with %d, but not asked",
				    ublkev__ctrl_name(done.cmd),
				    done.answer.res);
	}
}

/* ---- facts --------------------------------------------------------------- */

void ublkev__act_tag_died(struct ublkev__engine *e)
{
	ublkev__life_tag_died(&e->life, ublkev__engine_now_ms(e));
}

void ublkev__act_drained(struct ublkev__engine *e)
{
	ublkev__life_drained(&e->life, ublkev__engine_now_ms(e));
}

void ublkev__act_lane_news(struct ublkev__engine *e)
{
	unsigned int facts = ublkev__lanelife_facts(&e->lane.life);

	if (facts & UBLKEV__FACT_TAG_DIED)
		ublkev__act_tag_died(e);
	if (facts & UBLKEV__FACT_DRAINED)
		ublkev__act_drained(e);
}

void ublkev__act_fault(struct ublkev__engine *e, int err)
{
	ublkev__life_fault(&e->life, err, ublkev__engine_now_ms(e));
}

/*
 * Whether it counts now that no request is with us: until QUIESCE_DEV is
 * answered another one may come.
 */
static bool act_waits_for_idle(const struct ublkev__life *c)
{
	return c->step == UBLKEV_STEP_QUIESCE && c->kept &&
	       c->pending == UBLKEV__CTRL_NONE;
}

static bool act_is_idle(const struct ublkev__engine *e)
{
	if (!act_waits_for_idle(&e->life))
		return false;
	return e->nr_workers ? ublkev__threads_idle(&e->threads)
			     : ublkev__pump_idle(&e->lane);
}

void ublkev__act_look_idle(struct ublkev__engine *e)
{
	if (e->nr_workers && act_waits_for_idle(&e->life)) {
		ublkev__threads_ask_idle(&e->threads);
		ublkev__workers_do(e);
	}
	if (act_is_idle(e))
		ublkev__life_idle(&e->life, ublkev__engine_now_ms(e));
}

static bool act_is_recalled(const struct ublkev__engine *e)
{
	if (!e->life.files)
		return false;
	return e->nr_workers ? ublkev__threads_recalled(&e->threads)
			     : ublkev__file_is_recalled(&e->lane);
}

void ublkev__act_look_recalled(struct ublkev__engine *e)
{
	if (!act_is_recalled(e))
		return;
	ublkev__lanelife_recalled(&e->lane.life);
	(void)ublkev__lanelife_facts(&e->lane.life);
	ublkev__life_recalled(&e->life, ublkev__engine_now_ms(e));
}

static void act_look_progress(struct ublkev__engine *e, uint64_t now_ms)
{
	uint64_t answered = ublkev__workers_answered(e);
	unsigned int i;

	for (i = 0; i < UBLKEV_NR_OPS; i++)
		answered += e->lane.stats.op[i].reqs;
	if (answered == e->answered)
		return;
	e->answered = answered;
	ublkev__life_progress(&e->life, now_ms);
}

void ublkev__act_tick(struct ublkev__engine *e)
{
	uint64_t now_ms;

	if (ublkev__life_deadline_ms(&e->life) == UINT64_MAX) {
		ublkev__look_end(e);
		return;
	}
	now_ms = ublkev__engine_now_ms(e);
	act_look_progress(e, now_ms);
	if (ublkev__look_may_judge(e, now_ms))
		ublkev__life_tick(&e->life, now_ms);
}

/* ---- actions ------------------------------------------------------------- */

static void act_open_ublkc(struct ublkev__engine *e)
{
	const struct ublkev_cmd_info *info = &e->life.info;
	enum ublkev__xfer copy = ublkev__xfer_of(info->features,
						 e->life.traits);
	bool no_data = e->life.traits & UBLKEV__NO_DATA;
	unsigned int i;
	int err = 0;

	if (!e->queues)
		err = act_set_up(e);
	if (!err && copy == UBLKEV__XFER_PLAIN && !e->nr_workers)
		err = ublkev__io_need_bufs(e->lane.io);
	if (!err && info->desc_bytes)
		ublkev__io_pad_descs(e->lane.io, info->desc_bytes);
	if (!err)
		err = ublkev__io_open(e->lane.io, info->id, info->queues,
				      info->depth, info->features);
	if (!err && e->nr_workers)
		err = ublkev__workers_open(e, copy == UBLKEV__XFER_PLAIN);
	if (!err)
		err = ublkev__share_init(e);
	if (!err) {
		e->nr_queues = info->queues * e->parts;
		if (!e->nr_workers)
			e->lane.nr_queues = info->queues;
		ublkev__engine_set_bufs(&e->lane);
		for (i = 0; i < e->nr_queues; i++) {
			ublkev__queue_set_xfer(&e->queues[i], copy, no_data);
			ublkev__queue_set_shared(&e->queues[i], e->shared);
		}
	}
	ublkev__life_opened(&e->life, err, ublkev__engine_now_ms(e));
}

/*
 * The FETCHes are with the driver before any other command is sent. Linux
 * 6.12 loses a read of the partition scan if the server's last FETCH and its
 * death come between START_DEV's wait for that FETCH and the disk: then
 * START_DEV never ends, whoever sent it. And it takes FETCHes that come after
 * STOP_DEV, which nothing would end.
 */
void ublkev__act_arm(struct ublkev__lane *l, bool unprivileged)
{
	unsigned int i;

	for (i = 0; i < l->nr_queues; i++) {
		ublkev__queue_arm(&l->queues[i]);
		ublkev__pump_out(l, &l->queues[i]);
	}
	ublkev__pump_enter(l, unprivileged ? ublkev__io_enter_unprivileged
					   : ublkev__io_enter);
}

void ublkev__act_abort(struct ublkev__lane *l)
{
	unsigned int i, n = 0;

	for (i = 0; i < l->nr_queues; i++)
		n += ublkev__queue_abort(&l->queues[i]);
	ublkev__file_abort(l);
	ublkev__log(&l->e->log, LOG_WARNING,
		    "requests are failed from now on, %u of them taken from the backend",
		    n);
}

void ublkev__act_recall(struct ublkev__lane *l)
{
	ublkev__lanelife_recall(&l->life);
	ublkev__file_recall(l);
}

void ublkev__act_close(struct ublkev__lane *l)
{
	/* operations on files that still run are no commands of the driver's */
	bool drained = l->life.tags == UBLKEV__TAGS_DRAINED ||
		       ublkev__pump_drained(l);
	unsigned int i;

	/* a thread has one line at a time: this one says more */
	ublkev__file_close(l);
	if (l->nr_queues && !drained)
		ublkev__log(&l->e->log, LOG_WARNING,
			    "the device is closed with requests in it");
	for (i = 0; i < l->nr_queues; i++)
		ublkev__queue_kill(&l->queues[i]);
	ublkev__evloop_forget_ring(l);
	ublkev__turn_end_batch(l);
	ublkev__io_close(l->io, drained);
	ublkev__lanelife_let_go(&l->life);
}

void ublkev__act_closed(struct ublkev__engine *e)
{
	ublkev__act_close(&e->lane);
	ublkev__life_closed(&e->life, ublkev__engine_now_ms(e));
}

/* whether all threads have closed their rings, which they are told to now */
static bool act_threads_have_closed(struct ublkev__engine *e)
{
	ublkev__threads_close(&e->threads);
	ublkev__workers_do(e);
	return ublkev__threads_closed(&e->threads);
}

/* rings first, each by its thread, then ublkc: one holds up the other's end */
static void act_close_io(struct ublkev__engine *e)
{
	if (e->nr_workers)
		(void)act_threads_have_closed(e);
	else
		ublkev__act_closed(e);
}

static void act_arm(struct ublkev__engine *e)
{
	bool hidden = ublkev__life_hides_privilege(&e->life);

	if (!e->nr_workers) {
		ublkev__act_arm(&e->lane, hidden);
		return;
	}
	ublkev__threads_arm(&e->threads, hidden);
	ublkev__workers_do(e);
}

static void act_abort_io(struct ublkev__engine *e)
{
	if (!e->nr_workers) {
		ublkev__act_abort(&e->lane);
		return;
	}
	ublkev__threads_abort(&e->threads);
	ublkev__workers_do(e);
}

static void act_recall_files(struct ublkev__engine *e)
{
	if (!e->nr_workers) {
		ublkev__act_recall(&e->lane);
		return;
	}
	ublkev__threads_recall(&e->threads);
	ublkev__workers_do(e);
}

/* Whether the event can be told by now. */
static bool act_may_tell(struct ublkev__engine *e,
			 const struct ublkev__life_action *a)
{
	if (a->revents == UBLKEV_RESIZED)
		return ublkev__resize_end(e, a->res);
	return a->revents != UBLKEV_STOPPED || act_threads_have_closed(e);
}

/*
 * Whether the action can be done by now. A command is not sent before the
 * threads have sent their FETCHes, or failed: see ublkev__act_arm().
 */
static bool act_may(struct ublkev__engine *e,
		    const struct ublkev__life_action *a)
{
	switch (a->act) {
	case UBLKEV__LIFE_EVENT:
		return act_may_tell(e, a);
	case UBLKEV__LIFE_CMD:
		return ublkev__threads_armed(&e->threads);
	case UBLKEV__LIFE_CLOSE_BACKEND:
		return act_threads_have_closed(e);
	default:
		return true;
	}
}

/* true: that was the last one, and e is gone */
static bool act_tell(struct ublkev__engine *e,
		     const struct ublkev__life_action *a)
{
	struct ublkev_dev *dev = e->dev;
	struct ev_loop *loop = e->lane.loop;
	bool last = a->revents == UBLKEV_STOPPED;
	int fd = -1;

	dev->step = a->step;
	dev->id = e->life.info.id;
	dev->err = e->life.err;
	if (a->revents & (UBLKEV_RESIZED | UBLKEV_REFUSED | UBLKEV_SHARED))
		dev->res = a->res;
	if (a->revents == UBLKEV_RESIZED)
		ublkev__resize_told(e);
	if (a->revents == UBLKEV_LIVE) {
		ublkev__threads_live(&e->threads);
		ublkev__workers_do(e);
	}
	if (last) {
		ublkev__evloop_stop(&e->lane);
		fd = ublkev__engine_down(e);
		e->lane.pumping = false;
		dev->active = 0;
	}
	dev->cb(loop, dev, a->revents);
	/*
	 * The eventfd's number is nobody else's before the application has had
	 * the chance to forget it: a loop may know its files by their numbers.
	 */
	if (fd >= 0)
		close(fd);
	return last;
}

static bool act(struct ublkev__engine *e, const struct ublkev__life_action *a)
{
	switch (a->act) {
	case UBLKEV__LIFE_CMD:
		act_command(e, a);
		break;
	case UBLKEV__LIFE_CANCEL:
		ublkev__log(&e->log, LOG_DEBUG, "cancelling %s",
			    ublkev__ctrl_name(a->cmd));
		ublkev__carrier_cancel(e->carrier);
		break;
	case UBLKEV__LIFE_OPEN:
		act_open_ublkc(e);
		break;
	case UBLKEV__LIFE_ARM:
		act_arm(e);
		break;
	case UBLKEV__LIFE_ABORT_IO:
		act_abort_io(e);
		break;
	case UBLKEV__LIFE_RECALL:
		act_recall_files(e);
		break;
	case UBLKEV__LIFE_CLOSE:
		act_close_io(e);
		break;
	case UBLKEV__LIFE_CLOSE_BACKEND:
		ublkev__close_backend(e);
		break;
	case UBLKEV__LIFE_EVENT:
		return act_tell(e, a);
	case UBLKEV__LIFE_NONE:
		break;
	}
	return false;
}

/* a resize that waits for threads begins, or its refusal is told */
static void act_grow(struct ublkev__engine *e)
{
	struct ublkev__life_action a = {
		.act = UBLKEV__LIFE_EVENT,
		.revents = UBLKEV_RESIZED,
		.step = e->life.step,
		.res = ublkev__resize_grow(e),
	};

	if (a.res)
		(void)act_tell(e, &a);
}

enum ublkev__need ublkev__act_need(const struct ublkev__engine *e)
{
	const struct ublkev__life *c = &e->life;

	if (c->nr && !e->blocked)
		return UBLKEV__NEED_RUN;
	if (c->pending && ublkev__carrier_has_work(e->carrier))
		return UBLKEV__NEED_RUN;
	if (ublkev__workers_have_facts(e) || act_is_idle(e) ||
	    act_is_recalled(e) || e->resize == UBLKEV__RESIZE_CUTS ||
	    ublkev__close_goes_on(e) || ublkev__resize_grows_on(e))
		return UBLKEV__NEED_RUN;
	return UBLKEV__NEED_LOOK;
}

bool ublkev__act_run(struct ublkev__engine *e)
{
	struct ublkev__life_action *a = &e->action;

	if (e->resize == UBLKEV__RESIZE_HOLDS || ublkev__resize_grows_on(e))
		act_grow(e);
	if (ublkev__close_goes_on(e))
		ublkev__close_backend_late(e);
	while (e->blocked || ublkev__life_next(&e->life, a)) {
		e->blocked = !act_may(e, a);
		if (e->blocked)
			return true;
		if (act(e, a))
			return false;
	}
	return true;
}

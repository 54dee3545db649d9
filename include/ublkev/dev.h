/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dev.h - a ublk block device as a libev watcher
 *
 * A ublkev_dev is to a block device what an ev_io is to a file descriptor:
 * the caller owns its memory, initialises it, starts it in a loop and gets
 * its callback called. Its states, and who may do what in each:
 *
 *   initialised  after ublkev_dev_init(), and again after STOPPED. Nothing
 *                exists in the kernel. May be started; ublkev_dev_fini()
 *                gives back what init took. Until fini the dev, its backend
 *                and the loop must stay where they are.
 *   starting     after ublkev_dev_start(). No I/O is lost or visible yet.
 *                Ends in LIVE, or in ERROR and STOPPED. May be stopped.
 *   live         after LIVE: /dev/ublkb<id> exists and serves. May be
 *                stopped, resized, released. An ERROR here is followed by
 *                STOPPED; a device that can be recovered is left to another
 *                server then, unless somebody else has stopped it.
 *   releasing    after ublkev_dev_release(), or when somebody else quiesced
 *                the device: what was begun is finished, what comes waits in
 *                the kernel for another server. Ends in STOPPED, or in LIVE
 *                again when the kernel refuses.
 *   stopping     after ublkev_dev_stop(), or an ERROR. Requests are still
 *                served, since the kernel writes back its cache first. Only
 *                ublkev_dev_abort() has an effect. Ends in STOPPED.
 *
 * From start to STOPPED all calls are those of the thread of the start, with
 * its loop. Another thread's or a forked child's, those of a copy of *dev, a
 * start without ublkev_dev_init() or callback, and an ev_loop_destroy() before
 * STOPPED end the process with an assertion that begins "ublkev:". Only those that look (info, stats, inflight) do not
 * assert it; they take no lock, and are that thread's, too.
 *
 * STOPPED comes exactly once for each successful start, and is the last
 * event: after it the library touches neither dev, backend nor loop, so its
 * callback may fini, free or restart the device.
 */
#ifndef UBLKEV_DEV_H
#define UBLKEV_DEV_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>
#include <ublkev/conf.h>
#include <ublkev/req.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ublkev_dev;
struct ublkev__engine;

/* revents of the callback, one event a call */
#define UBLKEV_LIVE	0x01	/* served; dev->id is known */
#define UBLKEV_ERROR	0x02	/* dev->err in dev->step; STOPPED follows */
#define UBLKEV_STOPPED	0x04	/* gone from the kernel (see dev->step) */
/* a resize has ended, with dev->res; on an error the size is as it was, see
   ublkev_dev_resize() for -ETIMEDOUT */
#define UBLKEV_RESIZED	0x08
/* a share or an unshare has ended, with dev->res */
#define UBLKEV_SHARED	0x20
/* a try_stop or a release was refused, with dev->res; the device serves on */
#define UBLKEV_REFUSED	0x10

/*
 * Where a device's life is, at the end of its last turn. From an ERROR on,
 * dev->step names the step that failed. After STOPPED it is GONE, or LOST when
 * DEL_DEV was refused or a control command never returned: then the kernel may
 * still hold the device, and in the latter case the bytes lent to that command
 * are never freed.
 * GONE after an ERROR -ETIMEDOUT in DEL: the device is stopped, and vanishes
 * when the last who holds it open lets go. After one in BACKEND_CLOSE the
 * device has ended as the last step says, but the backend has not closed.
 * RELEASED: the device is there without a server, for ublkev_dev_recover().
 */
enum ublkev_step {
	UBLKEV_STEP_IDLE,	/* not started */
	UBLKEV_STEP_BACKEND,	/* the backend's open and start */
	UBLKEV_STEP_SETUP,	/* memory, rings, eventfd */
	UBLKEV_STEP_CONTROL,	/* opening /dev/ublk-control */
	UBLKEV_STEP_FEATURES,	/* GET_FEATURES */
	UBLKEV_STEP_ADD,	/* ADD_DEV */
	UBLKEV_STEP_PARAMS,	/* SET_PARAMS */
	UBLKEV_STEP_INFO,	/* GET_DEV_INFO, GET_PARAMS: of a device to
				   recover */
	UBLKEV_STEP_RECOVER,	/* START_USER_RECOVERY */
	UBLKEV_STEP_OPEN,	/* opening and mapping /dev/ublkc<id> */
	UBLKEV_STEP_START,	/* FETCH_REQ of every tag, START_DEV or
				   END_USER_RECOVERY */
	UBLKEV_STEP_LIVE,
	UBLKEV_STEP_QUIESCE,	/* QUIESCE_DEV, the last requests */
	UBLKEV_STEP_STOP,	/* TRY_STOP_DEV, STOP_DEV */
	UBLKEV_STEP_DRAIN,	/* every tag comes back */
	UBLKEV_STEP_RECALL,	/* operations on files are cancelled, and end */
	UBLKEV_STEP_CLOSE,	/* mappings, /dev/ublkc<id>, I/O ring */
	UBLKEV_STEP_DEL,	/* DEL_DEV */
	UBLKEV_STEP_BACKEND_CLOSE, /* the backend's close_begin(), and what it
				   waits for */
	UBLKEV_STEP_GONE,
	UBLKEV_STEP_RELEASED,
	UBLKEV_STEP_LOST,
	UBLKEV_NR_STEPS
};

/*
 * Called from the loop (or from ublkev_dev_flush()), never from inside
 * another call of this page. `loop` is that given to start. The device goes on
 * when the callback returns: a loop run inside it (ev_run) serves all others.
 */
typedef void ublkev_dev_cb(struct ev_loop *loop, struct ublkev_dev *dev,
			   int revents);

/* the caller's memory; members ro are set by the library, rw the caller's */
struct ublkev_dev {
	void *data;			/* rw */
	ublkev_dev_cb *cb;		/* rw */
	int active;			/* ro: from start to STOPPED */
	int id;				/* ro: N of /dev/ublkbN; -1: unknown */
	int err;			/* ro: 0 or the first negative errno
					   of this start */
	int res;			/* ro: of the last RESIZED, REFUSED,
					   SHARED */
	enum ublkev_step step;		/* ro */
	struct ublkev__engine *priv;	/* private */
};

/*
 * Make a device from a conf (copied; NULL: all defaults) and a backend (not
 * owned; NULL only for ublkev_dev_remove()); cb is not NULL. data is left as
 * it is. After an error there is nothing to fini, and a line to conf.log names
 * the member that was wrong, its value and what would be right.
 * Errors: -EINVAL (a member of conf is out of its range, or an unprivileged
 * device is to be recoverable or COPY_ZERO, ZERO_MANUAL), -EOPNOTSUPP (a bit of features or flags is
 * unknown), -ENOMEM.
 */
int ublkev_dev_init(struct ublkev_dev *dev, ublkev_dev_cb *cb,
		    const struct ublkev_conf *conf,
		    struct ublkev_backend *backend);

/*
 * Bring the device up in `loop`; NULL: the application drives it through
 * the calls for other loops below. Returns before LIVE. Does nothing and
 * returns 0 when active already.
 * Errors, with dev->step telling where, nothing left behind, no event:
 * BACKEND: what the backend's open() or start() answered, -EINVAL (limits
 * that no kernel takes), -EOPNOTSUPP (QUEUE_THREADS without LIMIT_THREADS,
 * threads_per_queue above 1 without LIMIT_THREADS_PER_QUEUE,
 * COPY_ZERO or ZERO_MANUAL without place());
 * SETUP: -ENOMEM, -EMFILE, -ENFILE, -EAGAIN (no more threads),
 * -EPERM (io_uring disabled), -ENOSYS (io_uring absent), -EACCES (no
 * IO_FLUSHER without CAP_SYS_RESOURCE); CONTROL: -ENOENT (module not loaded),
 * -EACCES, -EPERM and others of open(2).
 * Later failures come as ERROR, then STOPPED; in FEATURES -EOPNOTSUPP when
 * the kernel has no recovery as asked for.
 *
 * The process needs CAP_SYS_ADMIN until STOPPED: without it STOP_DEV and
 * DEL_DEV are refused, and what the kernel has cached is lost. Of the calling
 * thread's io_uring, the limit of bounded workers is raised to 64 when it is
 * lower (IORING_REGISTER_IOWQ_MAX_WORKERS), for commands that wait.
 */
int ublkev_dev_start(struct ev_loop *loop, struct ublkev_dev *dev);

/*
 * Instead of start: stop and delete device conf.id, which some server left
 * behind; LIVE never comes. Errors as start, and -EINVAL when conf.id is -1.
 * A device that does not exist is ERROR -ENODEV. One whose server is alive
 * is stopped under it.
 */
int ublkev_dev_remove(struct ev_loop *loop, struct ublkev_dev *dev);

/*
 * Instead of start: serve device conf.id, whose server has died or released
 * it. Queues, depth and max_io_bytes are the device's, whatever conf says; the
 * backend has to be the same disk, which may be larger by now (a server died
 * while it was resized: the device's size is served until ublkev_dev_resize()
 * finishes that, to the backend's size or back): the driver sends it again, in
 * recovery REISSUE, what the dead server had not answered. Errors as start, and
 * -EINVAL when conf.id is -1. Later ones, after which the device is as it was:
 * in INFO -ENODEV (no such device), -EOPNOTSUPP (it was made without recovery),
 * -EINVAL (the backend does not fit, a line to the log says in what), -ENOTCONN
 * (it is stopped, and can only be deleted); in RECOVER -EBUSY (until the
 * deadline its server lived, or something held /dev/ublkc<id>). An error from
 * OPEN on: as before 7.3 no other server could have it any more, the device
 * is stopped and deleted there; else it waits for the next.
 */
int ublkev_dev_recover(struct ev_loop *loop, struct ublkev_dev *dev);

/*
 * Leave the device to another server: what the backend has is finished, what
 * comes waits in the kernel; then ring and /dev/ublkc<id> are closed, and
 * STOPPED comes with the step RELEASED. Whoever has the device open or mounted
 * sees no error, and waits until ublkev_dev_recover() somewhere else (in
 * recovery FAIL_IO it sees errors until then). When for stop_timeout_ms no
 * request was answered, what the backend still has is left to the driver: ERROR
 * -ETIMEDOUT, then STOPPED.
 * Does nothing and returns 0 when it is under way already. REFUSED, with
 * QUIESCE_DEV's error, says that all is as before. Meanwhile only
 * ublkev_dev_abort() has an effect: the backend is not waited for.
 * Errors: -EINVAL (not live, or busy with another change), -EBUSY (an
 * earlier command to the live device is not answered), -EOPNOTSUPP
 * (recovery NONE, or no QUIESCE_DEV, which came with 6.16: end the process
 * instead, at once and without a stop; in REISSUE nothing fails).
 */
int ublkev_dev_release(struct ev_loop *loop, struct ublkev_dev *dev);

/*
 * Stop as ublkev_dev_stop() does, unless somebody has the device open: then
 * REFUSED with -EBUSY. The kernel may take its time: requests are answered
 * until it has, and no deadline ends that but that of a ublkev_dev_stop().
 * Errors: -EINVAL (not live, or busy with another change), -EBUSY (as for
 * release), -EOPNOTSUPP (the kernel has no TRY_STOP_DEV, before 7.0).
 */
int ublkev_dev_try_stop(struct ev_loop *loop, struct ublkev_dev *dev);

/* flags of resize: yes, cut off what is beyond the new end */
#define UBLKEV_RESIZE_SHRINK	(1u << 0)

/*
 * Change the size, of backend and device; RESIZED tells of the end, with
 * UBLKEV_CONF_QUEUE_THREADS, or of a backend that has grow(), also of the
 * backend's refusal to grow. A mounted filesystem learns of it from its own
 * tool. Shrinking needs its flag: what
 * is beyond the end is lost, and a filesystem there is damaged.
 * A backend that has much to give back does so in pieces, between which all is
 * served, and RESIZED comes after the last. When the device is to end before
 * that, RESIZED comes at once, and a line in the log says that the backend did
 * not shrink. While one grows in a thread (grow()), all is served, too; when the
 * device is to end before it has, RESIZED -ECANCELED comes at once, and STOPPED
 * when the thread is back.
 * RESIZED -ETIMEDOUT: the kernel did not answer within cmd_timeout_ms and
 * grace_ms, and may yet do it. The device is served on, and the backend keeps
 * the larger of the two sizes; no other change can begin (-EBUSY) before the
 * answer is there. Then the same resize may be asked for again.
 * Errors, no event then: -EINVAL (not live, no multiple of the logical block,
 * 0, smaller without the flag, or busy with another change), -EBUSY (an earlier
 * command to the live device is not answered), -EOPNOTSUPP (the kernel has no
 * UPDATE_SIZE, before 6.16, or the backend no resize), -EAGAIN (no thread for
 * the backend's grow()).
 */
int ublkev_dev_resize(struct ev_loop *loop, struct ublkev_dev *dev,
		      uint64_t dev_bytes, unsigned int flags);

/* flags of share: the server has it to read from only, so WRITEs are matched */
#define UBLKEV_SHARE_READ_ONLY	(1u << 0)

/*
 * Memory that clients share with the server: `bytes` of the file `fd` from
 * offset_bytes on, both multiples of 4 KiB, of 4 GiB at most, a memfd of a
 * client's as a rule. The library maps it until it is unshared or the device has
 * stopped, and the kernel keeps its pages in memory that long; fd stays the
 * caller's, who may close it when this returns. READs and WRITEs which clients do
 * with O_DIRECT in that memory, each in one piece of it, come with
 * UBLKEV_REQ_SHARED and req->buf there; all others as ever.
 *
 * The file has to have F_SEAL_SHRINK: cut short, it would end the server by
 * SIGBUS. Whoever has it may change data while a backend looks at them.
 *
 * SHARED tells of the end: dev->res is the memory's number, from 0 on, or an
 * error: -ENOMEM; -EFAULT, its pages can't be kept; -EINTR; -EEXIST, pages of it
 * are shared already; -ENOSPC, somebody else has taken the numbers. The kernel
 * waits for all requests to be answered, and takes no other until they are, so that a backend which does not
 * answer holds it up. After -ETIMEDOUT (cmd_timeout_ms, grace_ms) it may yet do
 * it: the memory stays mapped, and no other change begins until it has answered
 * (-EBUSY). Without a broker a server that is killed meanwhile hangs.
 *
 * Errors, no event then: -EINVAL (not live, or busy with another change; a size
 * or an offset that is none; beyond the file's end), -EBUSY (as for release),
 * -EOPNOTSUPP (no UBLKEV_F_SHMEM_ZC in the features of ublkev_dev_info(); an
 * unknown flag), -EPERM (not sealed), -ENOSPC (64 are shared), those of
 * fcntl(2), fstat(2), mmap(2) and madvise(2).
 */
int ublkev_dev_share(struct ev_loop *loop, struct ublkev_dev *dev, int fd,
		     uint64_t offset_bytes, uint64_t bytes, unsigned int flags);

/*
 * The memory with that number is not to be used any more: SHARED with 0 says
 * that no request is in it, none will be, and it is not mapped; with an error all
 * is as it was. Errors, no event then: as share, and -ENOENT (no such number).
 */
int ublkev_dev_unshare(struct ev_loop *loop, struct ublkev_dev *dev,
		       unsigned int number);

/*
 * Take the device down: STOP_DEV, the last requests, DEL_DEV. Returns
 * before STOPPED; idempotent, and nothing when not active. The kernel
 * writes its dirty cache through the backend first, but not that of a device
 * that can be recovered, whose cached writes are lost if somebody has it open.
 * A filesystem still mounted on the device sees I/O errors afterwards: unmount
 * before.
 */
void ublkev_dev_stop(struct ev_loop *loop, struct ublkev_dev *dev);

/*
 * Stop, and don't wait for the backend: requests outstanding and to come
 * are answered -EIO. What the kernel had not written back is lost.
 */
void ublkev_dev_abort(struct ev_loop *loop, struct ublkev_dev *dev);

/* Give back what init took. Asserts that the device is not active. */
void ublkev_dev_fini(struct ublkev_dev *dev);

/* ---- what a device is, and does --------------------------------------- */

/* as negotiated; known from LIVE on */
struct ublkev_info {
	uint64_t dev_bytes;
	uint64_t features;		/* driver's feature bits in use */
	uint64_t kernel_features;	/* all that the kernel offers */
	uint32_t max_io_bytes;
	uint32_t logical_block_bytes;
	unsigned int queues;
	unsigned int depth;
};

/*
 * Fills in *info, of which `size` is the sizeof: members that this library does
 * not know are zeroes. Errors: -EAGAIN, the device is not active, or the driver
 * has not told of it yet (ADD_DEV, START_USER_RECOVERY), or is to remove it.
 */
int ublkev_dev_info(const struct ublkev_dev *dev, struct ublkev_info *info,
		    size_t size);

/*
 * Latencies by powers of two and eighths between: bucket b < 8 counts
 * b microseconds; above, b = 8 * e + m counts those of
 * (8 + m) << (e - 1) microseconds and more, up to the next bucket's.
 */
#define UBLKEV_LATENCY_BUCKETS	176

struct ublkev_op_stats {
	uint64_t reqs;		/* answered, errors included */
	uint64_t bytes;		/* of those without error */
	uint64_t errors;
};

/* counted since start; a restart begins at zero */
struct ublkev_stats {
	struct ublkev_op_stats op[UBLKEV_NR_OPS];
	uint64_t fua;			/* requests with FUA */
	uint64_t rejected;		/* failed by the checks before submit */
	uint64_t stale_answers;		/* see ublkev_req_done() */
	uint64_t wakes;			/* an eventfd woke its loop */
	uint64_t rounds;		/* enter, reap, submit, commit */
	uint64_t enters;		/* io_uring_enter(2) calls */
	uint64_t over_budget;		/* turns cut short by the budget */
	uint32_t inflight;		/* now with the backend */
	uint32_t inflight_max;		/* of each thread, added up */
	/*
	 * From the reaping of a request to the queueing of its answer, in
	 * UBLKEV_CONF_LATENCY: reads, and all the rest.
	 */
	uint32_t read_latency[UBLKEV_LATENCY_BUCKETS];
	uint32_t other_latency[UBLKEV_LATENCY_BUCKETS];
	/* see conf.wait_us */
	uint64_t waits;
	uint64_t waits_paid;		/* those that a request ended */
	uint64_t lent;			/* requests in op[] whose data nobody
					   copied, see UBLKEV_COPY_ZERO */
	/*
	 * Operations on files that the kernel still had when the rings were
	 * closed, and work that threads had (ublkev_offload()): some may yet
	 * be done. A descriptor of such a file, and with it its lock, is not
	 * to be handed on.
	 */
	uint64_t files_left;
	uint64_t shared;		/* requests in op[] whose data were in
					   memory of ublkev_dev_share() */
};

/*
 * Fills in *stats, of which `size` is the sizeof: members that this library
 * does not know are zeroes. After STOPPED the counters stay as they are.
 * Those of UBLKEV_CONF_QUEUE_THREADS are added up while they are counted: each
 * is right, all of them of no one moment. Errors: -EINVAL when never started.
 */
int ublkev_dev_stats(const struct ublkev_dev *dev, struct ublkev_stats *stats,
		     size_t size);

/*
 * The least latency that bucket b counts, in microseconds; of the last bucket
 * for any greater b. Any thread.
 */
uint64_t ublkev_latency_bucket_us(unsigned int b);

/* a request that is with the backend, see struct ublkev_req */
struct ublkev_inflight {
	uint64_t offset_bytes;
	uint64_t len_bytes;
	uint64_t age_us;	/* since it was reaped; 0 without
				   UBLKEV_CONF_LATENCY */
	uint32_t flags;		/* UBLKEV_REQ_* */
	uint16_t queue;
	uint16_t tag;
	uint8_t op;		/* enum ublkev_op */
};

/*
 * Lists up to `max` requests that are with the backend in v (NULL with
 * max 0); returns how many there are, which may be more. Those of
 * UBLKEV_CONF_QUEUE_THREADS come and go meanwhile; what is listed was there.
 */
unsigned int ublkev_dev_inflight(const struct ublkev_dev *dev,
				 struct ublkev_inflight *v, unsigned int max);

/* "ADD_DEV", "LIVE"; "?" for no step. Static string, any thread. */
const char *ublkev_step_name(unsigned int step);

/* "USER_COPY" for bit 7; NULL for a bit without name. Static, any thread. */
const char *ublkev_feature_name(unsigned int bit);

/*
 * What a failure in a step most likely means and what to do about it, in
 * one line without \n: "module ublk_drv is not loaded: modprobe ublk_drv".
 * NULL when there is no more to say than the errno does. Static string,
 * any thread.
 */
const char *ublkev_explain(enum ublkev_step step, int err);

/* ---- for loops other than libev ---------------------------------------
 *
 * After ublkev_dev_start(NULL, dev), until STOPPED, each turn:
 * ublkev_dev_flush(), wait until ublkev_dev_fd() is readable or
 * ublkev_dev_timeout_ms() is over, ublkev_dev_service().
 */

/*
 * The device's eventfd, to be watched for reading; never read it. It is the
 * same from the start to STOPPED, and is closed when the callback of STOPPED
 * has returned: until then its number is nobody else's, so a loop that knows
 * files by their numbers can forget it there (by the number kept since the
 * start, for the device is not active any more).
 */
int ublkev_dev_fd(const struct ublkev_dev *dev);

/*
 * Before sleeping: serves what is there, as long as the budget lasts, and
 * submits it. The only one of these calls that may call the callback, and
 * not to be called from inside one (nor a backend's). After STOPPED none of
 * these must be called, for the device is not active: it is an assertion.
 */
void ublkev_dev_flush(struct ublkev_dev *dev);

/* How many milliseconds to sleep at most: 0 not at all, -1 no limit. */
int ublkev_dev_timeout_ms(const struct ublkev_dev *dev);

/* To be called when the fd turned readable; what came the next flush serves. */
void ublkev_dev_service(struct ublkev_dev *dev);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_DEV_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h - how a device is to be: what ublkev_dev_init() is told
 *
 * ublkev_conf_init() fills in defaults, the application changes what it wants
 * otherwise, and ublkev_dev_init() copies and checks the whole, so that a
 * struct ublkev_conf may be one of the stack's, and serve for many devices.
 */
#ifndef UBLKEV_CONF_H
#define UBLKEV_CONF_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/broker.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Driver features, with the driver's numbers (UBLK_F_*). Those that
 * concern the library alone are chosen by it; conf.features takes:
 */
/*
 * One command for many requests of a queue (Linux 7.0). UBLKEV_COPY_DIRECT is
 * PLAIN then.
 */
#define UBLKEV_F_BATCH_IO		(UINT64_C(1) << 15)
/*
 * Clients may share memory with the server, which the application registers by
 * ublkev_dev_share() (Linux 7.1): what they read into it and write from it with
 * O_DIRECT nobody copies. Not with a recovery, for what was registered outlives
 * its server. UBLKEV_COPY_DIRECT is USER then, or PLAIN of an ordinary user's
 * device.
 */
#define UBLKEV_F_SHMEM_ZC		(UINT64_C(1) << 19)
/* no partition scan at start (Linux 7.0); a later BLKRRPART works */
#define UBLKEV_F_NO_AUTO_PART_SCAN	(UINT64_C(1) << 18)

/*
 * Takes one line, without \n, that is the library's until this returns; its
 * priority is one of syslog(3), LOG_ERR and so on. Called in the thread of the
 * loop, from inside the library, so it must neither wait nor call that.
 */
typedef void ublkev_log_fn(void *log_data, int priority, const char *line);

/*
 * As realloc(3), aligned for anything: ptr NULL allocates; bytes 0 frees and
 * returns NULL; NULL else means that there is no memory, which is the call's
 * -ENOMEM. Called in the thread of the loop, from init until LIVE and at the
 * end, never while requests are served. What the kernel may still use of a
 * device that was LOST is never given back.
 */
typedef void *ublkev_alloc_fn(void *alloc_data, void *ptr, size_t bytes);

/* conf.flags */
/*
 * Take the time of every request, for stats.latency: two clock readings a
 * batch.
 */
#define UBLKEV_CONF_LATENCY	(1u << 0)
/*
 * A device of an ordinary user's, who needs no capability: the driver keeps
 * its owner, and lets others have it as its file's permissions say. Somebody
 * has to give the user /dev/ublkc<id>, which is waited for until the deadline:
 * the udev rule that comes with the library does. No recovery, and the kernel
 * kills (SIGKILL) a server that leaves a request unanswered for 30 seconds
 * (ublk_timeout). A device of root's is an ordinary one all the same.
 */
#define UBLKEV_CONF_UNPRIVILEGED (1u << 1)
/*
 * Make the calling thread an IO_FLUSHER for good (prctl(2)), so that memory
 * it asks for is not got by writing to the disk that it serves; start fails
 * when that can't be had.
 */
#define UBLKEV_CONF_IO_FLUSHER	(1u << 2)
/*
 * Serve each queue in a thread of its own, "ublkev-q<n>", with a loop and a
 * ring of its own. It is kept to those of the CPUs that the kernel gives the
 * queue (GET_QUEUE_AFFINITY) which the caller's thread may use; where that
 * can't be had, a line in the log says so. Buffers are then of those CPUs'
 * node, as the thread is the first to touch them. budget_us, budget_reqs and
 * wait_us are of each thread; one that has a single CPU does not wait, for the
 * queue's clients are there.
 * Without it all queues are served in the caller's loop, and the library
 * makes no thread. The device's life, its events, its log and its memory
 * (conf.alloc) stay with the caller's loop; of several lines that a thread
 * logs at once one may be all that is told. The threads block all signals
 * but those of their own faults, and inherit all else. They have loops of
 * their own, so an allocator of ev_set_allocator() is called in them too.
 * STOPPED comes when the last has let go, so a submit() that does not return
 * holds it up. The backend has to allow it: UBLKEV_LIMIT_THREADS.
 */
#define UBLKEV_CONF_QUEUE_THREADS (1u << 3)
/*
 * Have the loop watch the io_uring ring's own file beside the eventfd, which
 * then is for control commands only. A request's arrival interrupts the loop's
 * sleep and is seen when it wakes, without a system call to fetch it: with one
 * request at a time two calls for each instead of three, where none is waited
 * for (wait_us); with many it makes no difference. In return a busy device
 * has a check watcher in every turn of the loop, and others in the thread see
 * their system calls interrupted (EINTR) by requests.
 * A device that is driven by hand has its eventfd all the same.
 */
#define UBLKEV_CONF_RING_FD	(1u << 4)
/*
 * Leave the disk its I/O scheduler. The block layer gives a disk of one queue
 * mq-deadline, which merges and sorts for a seek that a memory or network disk
 * does not have, and costs every request instructions. So the broker
 * (conf.broker) writes "none" to /sys/block/ublkb<id>/queue/scheduler when a
 * device was added and is live, unless this flag is set. A recovered device
 * keeps what it has. The udev rule that comes with the library does the same
 * and heeds the flag, too. Without a broker the library does not touch it: the
 * write freezes the queue until its requests are answered, so that the process
 * that serves them must not wait for it (elv_iosched_store()).
 */
#define UBLKEV_CONF_KEEP_SCHEDULER (1u << 5)

/*
 * The library may change the scheduling policy of the loop's thread, while it
 * has this device, between SCHED_OTHER, as it has to be at start, and
 * SCHED_BATCH. It does so when the device sleeps in the ring (sleep_us) and
 * several requests come with each wake-up: the kernel then lets a client on the
 * same CPU send all that it has before the server runs, instead of changing
 * from one to the other for each request. Whatever else the thread does waits
 * for the others on its CPU meanwhile, some milliseconds when all are busy: it
 * is for a loop that has no more to do than its disk. The thread of a queue
 * whose backend has no queue_start() is treated so without the flag.
 */
#define UBLKEV_CONF_SCHED_BATCH	(1u << 6)

/*
 * The library changes the scheduling policy of no thread, that of a queue's
 * not either. Not with UBLKEV_CONF_SCHED_BATCH.
 */
#define UBLKEV_CONF_KEEP_POLICY	(1u << 7)

/*
 * The requests' buffers are to have transparent huge pages (MADV_HUGEPAGE).
 * Otherwise their pages are small, whatever is usual on the system, for a tag
 * that has requests of 4 KiB alone is not to cost 2 MiB. But the driver, and a
 * file that is opened O_DIRECT, look up each page of a request's data: with
 * requests of 128 KiB a tenth of all that they cost is saved. A disk whose
 * backend has map(), or whose files are in clients' own pages (UBLKEV_COPY_ZERO),
 * has no buffers that this could be about.
 */
#define UBLKEV_CONF_HUGE_PAGES	(1u << 8)

/* the most of conf.threads_per_queue */
#define UBLKEV_MAX_THREADS_PER_QUEUE	64
/* the most of conf.offload_threads */
#define UBLKEV_MAX_OFFLOAD_THREADS	64

/* what becomes of a device, and its requests, when its server is gone */
enum ublkev_recovery {
	/* requests fail; the device is stopped */
	UBLKEV_RECOVERY_NONE,
	/*
	 * The device stays. What the server had fails, what comes waits for
	 * another server (UBLK_F_USER_RECOVERY).
	 */
	UBLKEV_RECOVERY_REQUEUE,
	/*
	 * What the server had is given to the next, too: a write may be done
	 * twice (UBLK_F_USER_RECOVERY_REISSUE).
	 */
	UBLKEV_RECOVERY_REISSUE,
	/*
	 * The device stays, requests fail at once until another server is
	 * there (UBLK_F_USER_RECOVERY_FAIL_IO, Linux 6.13).
	 */
	UBLKEV_RECOVERY_FAIL_IO,
	UBLKEV_NR_RECOVERIES
};

/*
 * How the data of READ and WRITE get from the kernel's pages to the backend
 * and back. What the kernel does not offer, or the backend can't, becomes
 * PLAIN; the features in struct ublkev_info tell.
 */
enum ublkev_copy {
	/*
	 * What measured best for this sort of backend, among what the kernel
	 * offers.
	 */
	UBLKEV_COPY_AUTO,
	/*
	 * The kernel copies to and from a buffer of each tag, the backend
	 * from and to that. A buffer keeps the memory that its largest
	 * request touched.
	 */
	UBLKEV_COPY_PLAIN,
	/*
	 * The kernel copies to and from the backend's memory, where its
	 * map() says (UBLK_F_NEED_GET_DATA): one copy, one command more for
	 * each WRITE. Buffers are there only for what map() leaves to
	 * submit(). PLAIN for backends without map(), and with
	 * UBLKEV_F_BATCH_IO.
	 */
	UBLKEV_COPY_DIRECT,
	/*
	 * The kernel's data are copied to and from the backend's memory, or a
	 * buffer, by reads and writes of /dev/ublkcN (UBLK_F_USER_COPY):
	 * one command more for each READ and WRITE. A backend that keeps no
	 * data (UBLKEV_LIMIT_NO_DATA) then has none copied.
	 */
	UBLKEV_COPY_USER,
	/*
	 * No copy: the pages of the kernel's request are lent to the ring
	 * (UBLK_F_AUTO_BUF_REG, Linux 6.16), and the files that place() names
	 * are read into them and written from them. What place() leaves to
	 * submit(), what finds no room in the ring's table of buffers (16384),
	 * and what a file refuses (EINVAL, EFAULT: pages that it can't do
	 * O_DIRECT with) is copied as with USER. Needs a backend with place()
	 * and root: the kernel lends nothing to an unprivileged device.
	 * A zoned disk with UBLKEV_F_BATCH_IO is served as with USER, for the
	 * driver would tell appends of the wrong place.
	 */
	UBLKEV_COPY_ZERO,
	/*
	 * The same, but the library itself lends the pages, of the requests
	 * that place() places only: by a command in front of what is done to
	 * the files, and another in front of the answer
	 * (UBLK_F_SUPPORT_ZERO_COPY, Linux 6.15). That is more for each of
	 * these, and less for what place() leaves to submit(), of which the
	 * kernel lends nothing then. Takes more room in the ring: queues times
	 * depth are at most some 16300.
	 */
	UBLKEV_COPY_ZERO_MANUAL,
	UBLKEV_NR_COPIES
};

/*
 * How a device is to be. Filled with defaults by ublkev_conf_init(), then
 * changed; the defaults stand beside each member. Grows at its end only.
 */
struct ublkev_conf {
	size_t size;		/* ro: set by the init call, at most 4096 */
	int id;			/* -1: the kernel picks a free one; else
				   0 .. 2^20 - 1 */
	unsigned int queues;	/* 1; .. 4096; the kernel takes at most one
				   a CPU. 0: one for each CPU that the thread
				   which calls ublkev_dev_init() may use, but
				   4 at most without QUEUE_THREADS, and no
				   more than depth leaves room for */
	unsigned int depth;	/* 128; requests a queue, 1 .. 4096; times
				   queues at most 32767 */
	uint32_t max_io_bytes;	/* 512 KiB; 4 KiB .. 32 MiB, multiple of
				   4 KiB. Address space of queues * depth *
				   max_io_bytes is reserved, memory used only
				   when touched. */
	uint64_t features;	/* 0; UBLKEV_F_* wanted, used where the
				   kernel offers them */
	unsigned int flags;	/* 0; UBLKEV_CONF_* */
	/*
	 * Deadlines, each 1 .. 2^31 - 1. With QUEUE_THREADS one that has passed
	 * is judged when all threads have looked at what came to them, but for
	 * one that stays in the backend for grace_ms.
	 */
	unsigned int cmd_timeout_ms;	/* 10000; any one control command
					   that no I/O is needed for, and the
					   wait for /dev/ublkc<id> */
	unsigned int start_timeout_ms;	/* 30000; START_DEV, whose partition
					   scan the backend must answer, and
					   again from each answer */
	unsigned int stop_timeout_ms;	/* 30000; from ublkev_dev_stop(), and
					   again from each request that is
					   answered: after such a silence the
					   others are failed. See also
					   stop_limit_ms */
	unsigned int grace_ms;		/* 2000; after each deadline, for
					   what was done about it to help */
	/* fairness: a turn of the loop ends for this device when one is up */
	unsigned int budget_us;		/* 250; 0: no bound; .. 1000000 */
	unsigned int budget_reqs;	/* 1024; 0: no bound; .. 2^31 - 1 */
	/* how the device meets the process */
	ublkev_log_fn *log;		/* NULL: silent */
	void *log_data;
	ublkev_alloc_fn *alloc;		/* NULL: realloc(3) and free(3) */
	void *alloc_data;
	struct ublkev_broker *broker;	/* NULL: control commands are this
					   process'; see broker.h. Not owned;
					   lives as long as the device */
	/*
	 * UBLKEV_RECOVERY_NONE. Before Linux 7.0 a device that can be
	 * recovered has no partitions: its scan would make a crash of the
	 * server in the midst of it the end of the device.
	 */
	enum ublkev_recovery recovery;
	unsigned int recover_timeout_ms; /* 60000; 1 .. 2^31 - 1; until the
					    kernel lets a device be recovered:
					    it may need 30 s to give up the
					    dead server's last request */
	/*
	 * 200; 0: none, at most 1000. Before the loop sleeps, wait so long at
	 * most for the next request, looking at memory only: that saves a
	 * client with one request at a time a wake-up of the server. Once a
	 * turn of the loop, only while no request is with the backend (one
	 * that is placed in files is with the ring) and no
	 * other watcher is pending (one that becomes so meanwhile waits so
	 * long), never longer than budget_us, not where one CPU is all that
	 * the thread may use, and only as long as it pays: by the library's count requests
	 * come in less than wait_us of waiting each; else it tries now and
	 * then. The default is that of KVM, which looks so long for a virtual
	 * CPU that goes to sleep (halt_poll_ns). 0 is no sleep in the ring
	 * either: see sleep_us.
	 */
	unsigned int wait_us;
	enum ublkev_copy copy;		/* UBLKEV_COPY_AUTO */
	/*
	 * 0: none, .. 2^31 - 1. From ublkev_dev_stop() or ublkev_dev_release(),
	 * however many requests are answered meanwhile, until the others are
	 * failed. What the kernel has not written back by then is lost: a cache
	 * of 4 GiB on a backend of 50 MB/s takes 82 s.
	 */
	unsigned int stop_limit_ms;
	/*
	 * 200; 0: none, at most 100000. Where looking does not pay or there is
	 * one CPU, the device sleeps in the ring before the loop does, for so
	 * long a turn at most, likewise as long as it pays: the answer and the
	 * wait for the next request are one system call. A file of the loop
	 * that turns ready ends that at once; the loop's timers, and files
	 * that the loop does not poll yet, may wait so long, so that a loop
	 * whose timers may be late can have more. Not with
	 * UBLKEV_CONF_RING_FD, nor in a loop without epoll. A queue's thread
	 * whose backend has no queue_start() does for a tenth of a second.
	 */
	unsigned int sleep_us;
	/*
	 * 4; 1 .. 64. The most threads that the library makes of a device for
	 * what its backend offloads (ublkev_offload(), grow()).
	 */
	unsigned int offload_threads;
	/*
	 * 1; 1 .. 64, times queues at most 4096. With QUEUE_THREADS so many
	 * threads serve each queue, but no more than it has requests
	 * (UBLK_F_PER_IO_DAEMON, Linux 6.16): of its tags every so-manyth is the
	 * same thread's. It is for clients that use fewer CPUs, and so fewer
	 * queues, than the server has to spare; where queues are as many as CPUs
	 * one does. More than 1 needs UBLKEV_LIMIT_THREADS_PER_QUEUE of the
	 * backend, and a kernel that has it, and does not go with
	 * UBLKEV_F_BATCH_IO. Each thread takes buffers' address space, and 64
	 * bytes a tag, as if it had the whole queue. The kernel's descriptors of the requests
	 * are padded to 64 bytes each, where it can (UBLK_F_IO_DESC_SIZE, Linux
	 * 7.3), so that no two threads read the same line of a cache.
	 */
	unsigned int threads_per_queue;
};

/*
 * `size` is sizeof(*conf). The members that this library knows get their
 * defaults, those of a newer header zeroes.
 */
void ublkev_conf_init(struct ublkev_conf *conf, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_CONF_H */

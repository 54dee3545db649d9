/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd.h - control commands to devices that others serve
 *
 * For tools: a ublkev_cmd sends one command at a time to the driver, about
 * any device, and calls back with its answer. The commands that bring a device
 * up belong to whoever serves it, and are dev.h's.
 */
#ifndef UBLKEV_CMD_H
#define UBLKEV_CMD_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/dev.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ublkev_cmd;
struct ublkev__cmdrun;

enum ublkev_cmd_op {
	UBLKEV_CMD_GET_FEATURES,	/* answer: features; no device */
	UBLKEV_CMD_GET_DEV_INFO,	/* answer: info */
	UBLKEV_CMD_GET_PARAMS,		/* answer: params */
	UBLKEV_CMD_GET_QUEUE_AFFINITY,	/* arg: queue; answer: cpus */
	UBLKEV_CMD_STOP_DEV,
	UBLKEV_CMD_TRY_STOP_DEV,	/* -EBUSY: somebody has it open */
	UBLKEV_CMD_DEL_DEV,		/* waits for who has it open */
	UBLKEV_CMD_DEL_DEV_ASYNC,	/* does not, it goes when they do */
	/*
	 * arg: the kernel's patience in ms, not 0. After an error other than
	 * -ENODEV, -EOPNOTSUPP and -EPERM the driver keeps requests back all
	 * the same, and its server does not know: end the server then, and
	 * have another recover the device (ublk_ctrl_quiesce_dev()).
	 */
	UBLKEV_CMD_QUIESCE_DEV,
	UBLKEV_CMD_UPDATE_SIZE,		/* arg: bytes, a multiple of 512;
					   -ENODEV: it is not live */
	UBLKEV_NR_CMDS
};

/* info.state, with the driver's numbers (UBLK_S_DEV_*) */
enum ublkev_dev_state {
	UBLKEV_STATE_DEAD,	/* added, or stopped */
	UBLKEV_STATE_LIVE,
	UBLKEV_STATE_QUIESCED,	/* no server; requests wait for one */
	UBLKEV_STATE_FAIL_IO,	/* no server; requests fail */
	UBLKEV_NR_STATES
};

/* what GET_DEV_INFO tells */
struct ublkev_cmd_info {
	uint64_t features;	/* the device's, UBLK_F_* */
	uint64_t signature;	/* ublksrv_flags, as its server wrote them;
				   see ublkev_signature_is_ours() */
	uint32_t max_io_bytes;
	uint32_t owner_uid;	/* of an unprivileged device */
	uint32_t owner_gid;
	int id;
	int pid;		/* of the server; when that is dead, still
				   its pid before Linux 7.0, -1 from there */
	unsigned int state;	/* enum ublkev_dev_state */
	unsigned int queues;
	unsigned int depth;
	unsigned int desc_bytes;	/* of each request's descriptor, where
					   that is padded (UBLK_F_IO_DESC_SIZE,
					   Linux 7.3); else 0 */
};

/* what GET_PARAMS tells; members as in struct ublkev_limits */
struct ublkev_cmd_params {
	uint64_t dev_bytes;
	uint64_t max_discard_bytes;
	uint64_t max_write_zeroes_bytes;
	uint32_t logical_block_bytes;
	uint32_t physical_block_bytes;
	uint32_t io_min_bytes;
	uint32_t io_opt_bytes;		/* 0: none */
	uint32_t max_io_bytes;
	uint32_t chunk_bytes;		/* 0: none */
	uint32_t discard_granularity_bytes;
	uint32_t flags;			/* UBLKEV_LIMIT_* */
	unsigned int char_major, char_minor;	/* of /dev/ublkc<id> */
	unsigned int disk_major, disk_minor;	/* of /dev/ublkb<id>; 0 when
						   there is none */
};

/* CPUs that a kernel can have: the most that CONFIG_NR_CPUS takes */
#define UBLKEV_MAX_CPUS 8192u

/* what GET_QUEUE_AFFINITY tells: bit n % 64 of word n / 64 is CPU n */
struct ublkev_cpus {
	uint64_t bits[UBLKEV_MAX_CPUS / 64];
};

struct ublkev_cmd_answer {
	enum ublkev_cmd_op op;
	int id;				/* the device's */
	int res;			/* 0 or a negative errno */
	union {				/* by op, when res is 0 */
		uint64_t features;
		struct ublkev_cmd_info info;
		struct ublkev_cmd_params params;
		struct ublkev_cpus cpus;
	} u;
};

/*
 * Called from the loop, exactly once for each successful submit, never from
 * inside a call of this page. res is the driver's answer: 0; -ENODEV, there is
 * no such device; -EPERM or -EACCES, the process may not; -EOPNOTSUPP, the
 * kernel has no such command; others as the command's comment above says. Or it
 * is -ECANCELED, after ublkev_cmd_cancel() and if the driver did not answer all
 * the same; or -ETIMEDOUT, the deadline has passed. When the kernel does not
 * even end the command then, within grace_ms, it goes on there, and the few
 * bytes lent to it are never freed. The ublkev_cmd may be used for another
 * command, and be freed, from inside the callback. `answer` is the library's,
 * until the callback returns.
 */
typedef void ublkev_cmd_cb(struct ev_loop *loop, struct ublkev_cmd *cmd,
			   const struct ublkev_cmd_answer *answer);

/* the caller's memory, which stays where it is as long as it is active */
struct ublkev_cmd {
	void *data;			/* rw */
	ublkev_cmd_cb *cb;		/* rw */
	int active;			/* ro: a command is under way */
	struct ublkev__cmdrun *priv;	/* private */
};

/*
 * Of conf (copied; NULL: all defaults) cmd_timeout_ms, grace_ms, log, alloc
 * and broker are used. Opens nothing yet. After an error there is nothing to
 * fini. Errors: -EINVAL, -EOPNOTSUPP as ublkev_dev_init(), -ENOMEM.
 */
int ublkev_cmd_init(struct ublkev_cmd *cmd, ublkev_cmd_cb *cb,
		    const struct ublkev_conf *conf);

/*
 * Send a command about device `id` (any number for GET_FEATURES); `arg` as
 * its comment above says, else 0. Its deadline is cmd_timeout_ms, and for
 * QUIESCE_DEV arg more than that. A device of an ordinary user's is sent the
 * name of its /dev/ublkc<id> along as the driver wants it; whether it is one
 * is asked first. STOP_DEV and DEL_DEV may wait for the device's server: from
 * a process that serves it they need a broker (see broker.h). It may be called
 * in any thread, that of `loop`, to which the command belongs until its answer.
 * One without init, callback or loop, a copy of *cmd, another thread's cancel,
 * and an ev_loop_destroy() before the answer end the process with an assertion
 * that begins "ublkev:".
 * Errors, no callback then: -EBUSY (one is under way), -EINVAL (no such
 * command, or id or arg out of range); those of io_uring_setup(2), and of
 * open(2) of /dev/ublk-control; -EPIPE, the broker is dead.
 */
int ublkev_cmd_submit(struct ev_loop *loop, struct ublkev_cmd *cmd,
		      enum ublkev_cmd_op op, int id, uint64_t arg);

/*
 * Ask the kernel to end the command early; the callback still follows. `loop`
 * and thread are those of the submit. Without a command it does nothing.
 */
void ublkev_cmd_cancel(struct ev_loop *loop, struct ublkev_cmd *cmd);

/*
 * Give back what init and submit took, in any thread; after that it does
 * nothing. Asserts that no command is under way.
 */
void ublkev_cmd_fini(struct ublkev_cmd *cmd);

/* Whether info.signature was written by this library. Any thread. */
int ublkev_signature_is_ours(uint64_t signature);

/*
 * Whether it says that the device was made with UBLKEV_CONF_KEEP_SCHEDULER, by
 * this library. Any thread.
 */
int ublkev_signature_keeps_scheduler(uint64_t signature);

/* "GET_DEV_INFO"; "?" for no command. Static string, any thread. */
const char *ublkev_cmd_name(unsigned int cmd);

/* "QUIESCED"; "?" for no state. Static string, any thread. */
const char *ublkev_state_name(unsigned int state);

/*
 * What is known to be wrong with ublk in the kernel of that release, as
 * uname(2) tells it, in one line without \n; NULL: nothing. A device's start
 * logs it as a warning. Static string, any thread.
 */
const char *ublkev_kernel_fault(const char *release);

/*
 * Whether a fault of that release is one by which ADD_DEV crashes it. A start
 * warns of it and goes on: whether to start there is the application's choice,
 * to be made before. Any thread.
 */
int ublkev_kernel_crashes(const char *release);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_CMD_H */

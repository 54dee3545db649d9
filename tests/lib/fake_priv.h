/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_priv.h - what the files of the fake driver share
 */
#ifndef UBLKEV_TESTS_FAKE_PRIV_H
#define UBLKEV_TESTS_FAKE_PRIV_H

#include "core/params.h"
#include "fake_driver.h"
#include "uring/carrier.h"

struct fake_req {
	struct fake_req *next;
	uint32_t op_flags, len;
	uint64_t offset;
	void *data;
	fake_done_fn *done;
	void *arg;
};

enum fake_tag_state {
	TAG_NONE, TAG_ARMED, TAG_WORK, TAG_OWNED, TAG_ABORTED,
	TAG_NEED_DATA,	/* owned, but only GET_DATA is taken */
	TAG_GETTING,
};

struct fake_tag {
	enum fake_tag_state state;
	struct ublkev__io *io;	/* of who fetched it, and alone may commit */
	struct fake_req *req;
	bool copied;		/* USER_COPY; an operation on a file */
	bool slot;		/* its pages are in the ring */
	bool shared;		/* its data are in registered memory */
	bool wants_slot;	/* what the io believes of that, by hand */
	/* committed, while operations on files have its pages: see fake__late() */
	struct fake_req *late;
	int late_res;
	void *buf;
	struct ublkev__desc desc;
};

struct fake_queue {
	struct ublkev__io *io;	/* of who fetched last: of all tags, unless
				   the device has PER_IO_DAEMON */
	struct fake_tag *tags;
	struct fake_req *first, **tail;	/* wait for a tag */
	bool fetch_ended;	/* BATCH_IO */
};

enum fake_disk {
	DISK_NONE, DISK_SCAN, DISK_LIVE, DISK_STOPPING, DISK_DEAD,
	DISK_QUIESCED, DISK_FAIL_IO,	/* without a server */
};

/* a command's result: it waits. No errno, and no answer of a command */
#define FAKE_WAITS INT32_MAX

struct fake_dev {
	bool used;
	bool deleted;		/* DEL_DEV did its part, the id is not free */
	bool was_stopped;
	bool has_params;
	bool quiescing;		/* requests are kept back */
	bool frozen;		/* REG_BUF, UNREG_BUF waits for what is begun */
	struct fake_memory {
		uint64_t offset, bytes;	/* 0: none */
		bool read_only;
	} memory[UBLKEV__MAX_SHARED];
	bool recovering;	/* between START_ and END_USER_RECOVERY */
	bool broken;		/* can't be recovered any more */
	bool no_scan;		/* one FETCH came without privilege */
	enum fake_disk disk;
	int id;
	int holders;
	unsigned int generation;
	unsigned int inflight;	/* requests, waiting ones included */
	unsigned int scan, writeback;
	unsigned int next_queue;
	unsigned int joined;	/* ios apart that have ublkc */
	struct ublkev_cmd_info info;
	struct ublkev__params params;
	struct ublkev__io *io;	/* who has ublkc open */
	struct fake_queue *queues;
};

struct fake_cmd {
	struct fake_cmd *next;
	struct ublkev__carrier *carrier; /* NULL: closed, or an outsider */
	enum ublkev__ctrl_cmd cmd;
	unsigned int delay;
	unsigned int phase;
	bool cancelled;
	bool hangs, hard;
	int fail;
	unsigned int generation;	/* of the device that is deleted */
	struct ublkev_cmd_info info;
	struct ublkev__params params;
	uint64_t data;
	struct ublkev__carrier_memory memory;
	uint64_t features;
	struct ublkev_cpus cpus;
};

/* whether the device has one of these features, FAKE_F_* */
static inline bool fake__has(const struct fake_dev *d, uint64_t features)
{
	return d->info.features & features;
}

/* fake_driver.c */
struct fake_dev *fake__dev(int id);
/* a rule applies now; *err is its errno */
bool fake__rule(enum fake_what what, enum ublkev__ctrl_cmd cmd, int *err);
void fake__violates(const char *what);
void fake__point(enum fake_point at);
bool fake__all_armed(const struct fake_dev *d);
/* a request of the driver's own */
void fake__own(struct fake_dev *d, uint32_t op, fake_done_fn *done);
/* the tag is armed: give it a request that waits */
void fake__feed(struct fake_dev *d, unsigned int queue, unsigned int tag);
void fake__answer(struct fake_dev *d, struct fake_req *req, int res);
/* fail what waits for a tag */
void fake__fail_waiting(struct fake_dev *d);
/* the last of it, if nothing refers to it any more */
void fake__maybe_free(struct fake_dev *d);
int fake__add(struct ublkev_cmd_info *info);

/* fake_tags.c: REG_BUF, UNREG_BUF; and whether data are in what those made */
int fake__reg_buf(struct fake_dev *d, const struct fake_cmd *c);
int fake__unreg_buf(struct fake_dev *d, const struct fake_cmd *c);
void fake__match(const struct fake_dev *d, struct fake_tag *t);

/* fake_recover.c: the device outlives its server; it goes */
bool fake__stays(const struct fake_dev *d);
void fake__leave(struct fake_dev *d);
unsigned int fake__state(const struct fake_dev *d);
/* commands */
int fake__start_recovery(struct fake_dev *d);
int fake__end_recovery(struct fake_dev *d, const struct fake_cmd *c);
int fake__quiesce(struct fake_dev *d, const struct fake_cmd *c);
int fake__update_size(struct fake_dev *d, const struct fake_cmd *c);
int fake__try_stop(const struct fake_dev *d);
int fake__look(const struct fake_dev *d, struct fake_cmd *c);

/* fake_ring.c: task work for the ring */
void fake__work(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		int res);
void fake__signal(struct ublkev__io *io);

/* fake_tags.c: the driver's part of a command of a tag, and of its task work */
struct fake_sqe;
void fake__io_cmd(struct ublkev__io *io, const struct fake_sqe *sqe);
void fake__run_one(struct ublkev__io *io, const struct ublkev__cqe *w);
/* the driver aborts all armed tags */
void fake__abort_armed(struct fake_dev *d);

/* fake_file.c: what is submitted, and what the ring's end leaves of it */
void fake__file(struct ublkev__io *io, const struct fake_sqe *sqe);
void fake__forget_files(struct ublkev__io *io);
/* one of that tag's is not done yet */
bool fake__file_holds(const struct ublkev__io *io, unsigned int queue,
		      unsigned int tag);
/*
 * AUTO_BUF_REG: whoever has a request's pages keeps it from its end, which is
 * what its COMMIT said.
 */
bool fake__late(const struct ublkev__io *io, unsigned int queue,
		unsigned int tag);
void fake__end_late(struct fake_dev *d, unsigned int queue, unsigned int tag);
/* fake_ring.c: likewise, its completion */
void fake__post(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		int res);

/*
 * fake_io.c: the server's end of it dies; the eventfd that it shares with its
 * control
 */
int fake__cut(struct ublkev__io *io);

/* fake_carrier.c: nothing comes from there any more */
void fake__cut_control(int evfd);
/* whatever commands wait for may have come about */
void fake__progress(void);
void fake__drop_cmds(void);

#endif

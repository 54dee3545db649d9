/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.h - the old server's side of an upgrade
 *
 * A client says 'release': the device is released, and the memory is kept
 * until the client says 'done', after which this process ends. If the client
 * goes away without it the device is taken back. Where the kernel wants to
 * see this process exit (json_stays()) it does so at once. Whether the disk has
 * lost writes is told last of all, when it answers no more requests.
 */
#ifndef EVDEMO_HANDOVER_H
#define EVDEMO_HANDOVER_H

#include "ublk-evdemo/jsonsock.h"

enum handover_state {
	HANDOVER_NONE,
	HANDOVER_RELEASING,	/* the client waits for its answer */
	HANDOVER_RELEASED,	/* we wait for the client */
	HANDOVER_DONE
};

/* all of them from the loop; readopt may fail the process, not return so */
struct handover_ops {
	/* as ublkev_dev_release(); 1: it ends with this process */
	int (*release)(void *data);
	void (*readopt)(void *data);
	void (*end)(void *data);
	/* ublkev_file_lost_writes() of the disk */
	int (*lost_writes)(void *data);
};

struct handover {
	enum handover_state state;
	struct handover_ops ops;
	void *data;
	struct jsonclient *client;	/* NULL: gone */
};

void handover_init(struct handover *h, const struct handover_ops *ops,
		   void *data);

/* the two words; each is answered now or later */
void handover_release(struct handover *h, struct jsonclient *client);
void handover_done(struct handover *h, struct jsonclient *client);

/*
 * How the release ended: err 0 for RELEASED. Answers whether it was asked for
 * here, and if it was, what becomes of the device is dealt with.
 */
int handover_released(struct handover *h, int err);

/* a client is gone, whoever it was */
void handover_gone(struct handover *h, const struct jsonclient *client);

#endif /* EVDEMO_HANDOVER_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A release that a client has asked for: who may end it, and what becomes of
 * the device when that client goes away.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "ublk-evdemo/handover.h"
#include "ublk-evdemo/json.h"
#include "ublk-evdemo/logger.h"

void handover_init(struct handover *h, const struct handover_ops *ops,
		   void *data)
{
	memset(h, 0, sizeof(*h));
	h->ops = *ops;
	h->data = data;
}

static void handover_readopt(struct handover *h)
{
	log_msg(LOG_WARNING, "the successor is gone: taking the device back");
	h->state = HANDOVER_NONE;
	h->ops.readopt(h->data);
}

void handover_release(struct handover *h, struct jsonclient *client)
{
	int err;

	if (h->state != HANDOVER_NONE) {
		jsonclient_answer(client, json_error("somebody else takes it "
						     "over"), -1);
		return;
	}
	err = h->ops.release(h->data);
	if (err < 0) {
		jsonclient_answer(client, json_failure("release", err), -1);
		return;
	}
	h->client = client;
	/* to drop a successor would mean to take the device back from it */
	jsonclient_keep(client, 1);
	h->state = err ? HANDOVER_DONE : HANDOVER_RELEASING;
	if (!err)
		return;
	/* the end of this process is the answer, and this goes before it */
	jsonclient_linger(client);
	jsonclient_answer(client, json_leaving(h->ops.lost_writes(h->data)),
			  -1);
	h->ops.end(h->data);
}

void handover_done(struct handover *h, struct jsonclient *client)
{
	if (h->state != HANDOVER_RELEASED || h->client != client) {
		jsonclient_answer(client, json_error("nothing was released to "
						     "you"), -1);
		return;
	}
	h->state = HANDOVER_DONE;
	jsonclient_answer(client, json_done("done"), -1);
	h->ops.end(h->data);
}

int handover_released(struct handover *h, int err)
{
	if (h->state != HANDOVER_RELEASING)
		return 0;
	h->state = err ? HANDOVER_NONE : HANDOVER_RELEASED;
	if (h->client)
		jsonclient_keep(h->client, !err);
	if (h->client)
		jsonclient_answer(h->client,
				  err ? json_failure("release", err) :
				  json_released(h->ops.lost_writes(h->data)),
				  -1);
	if (err)
		h->client = NULL;
	else if (!h->client)
		handover_readopt(h);
	return 1;
}

void handover_gone(struct handover *h, const struct jsonclient *client)
{
	if (h->client != client)
		return;
	h->client = NULL;
	if (h->state == HANDOVER_RELEASED)
		handover_readopt(h);
}

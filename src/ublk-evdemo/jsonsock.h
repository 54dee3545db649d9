/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jsonsock.h - a Unix stream socket that answers lines, in the device's loop
 *
 * A client sends lines and gets one line for each, in order. Nothing here
 * waits for a client: of one that does not read at most one answer is in
 * memory, and a few KiB in the kernel, its lines are not read on, and it is
 * dropped after a while. Of too many clients that which was quiet longest and
 * waits for no answer makes room for a new one.
 */
#ifndef EVDEMO_JSONSOCK_H
#define EVDEMO_JSONSOCK_H

#include <stddef.h>

#include <ev.h>

#include "ublk-evdemo/jsonlisten.h"

#define CTLSOCK_LINE_BYTES 128	/* with its \n */
#define CTLSOCK_MAX_CLIENTS 64

struct jsonsock;
struct jsonclient;

struct jsonsock_ops {
	/*
	 * A line (without \n). One jsonclient_answer() follows, from inside
	 * or later; until then the client's further lines wait.
	 */
	void (*line)(void *data, struct jsonclient *client, const char *line);
	/*
	 * The client is gone, and not to be answered any more. Not called
	 * from inside a call of this page. May be NULL.
	 */
	void (*gone)(void *data, struct jsonclient *client);
};

/*
 * Takes `text` over; NULL: no memory, the client is dropped. A duplicate of
 * `fd`, if it is not -1, goes along with the first byte (SCM_RIGHTS).
 */
void jsonclient_answer(struct jsonclient *client, char *text, int fd);

/* whether the client, quiet though it is, makes no room for others */
void jsonclient_keep(struct jsonclient *client, int kept);

/* the client sees the end of the connection only when this process is gone */
void jsonclient_linger(const struct jsonclient *client);

/*
 * Listens at `path`, mode 0600, and serves in `loop`. A socket file that
 * nobody listens on is replaced; flags: see jsonlisten.h.
 * 0, or a negative errno and one line in err: -EADDRINUSE (somebody does),
 * -EEXIST (no socket), or what socket(2) and bind(2) answer.
 */
int jsonsock_new(struct jsonsock **csp, struct ev_loop *loop, const char *path,
		 unsigned int flags, const struct jsonsock_ops *ops, void *data,
		 char *err, size_t err_size);

/*
 * Drops the clients, without a word of it, and removes the file if it is
 * still this socket's.
 */
void jsonsock_free(struct jsonsock *cs);

#endif /* EVDEMO_JSONSOCK_H */

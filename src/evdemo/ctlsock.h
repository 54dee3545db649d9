/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctlsock.h - a Unix stream socket that answers lines, in the device's loop
 *
 * A client sends lines and gets one line for each, in order. Nothing here
 * waits for a client: one that does not read keeps at most one answer in
 * memory, its lines are not read on, and it is dropped after a while.
 */
#ifndef EVDEMO_CTLSOCK_H
#define EVDEMO_CTLSOCK_H

#include <stddef.h>

#include <ev.h>

#define CTLSOCK_LINE_BYTES 128	/* with its \n */
#define CTLSOCK_MAX_CLIENTS 64

struct ctlsock;

/*
 * The answer to a line (without \n), to be freed by the caller; NULL: no
 * memory, the client is dropped.
 */
typedef char *ctlsock_answer_fn(void *data, const char *line);

/*
 * Listens at `path`, mode 0600, and serves in `loop`. A socket file that
 * nobody listens on is replaced.
 * 0, or a negative errno and one line in err: -EADDRINUSE (somebody does),
 * -EEXIST (no socket), or what socket(2) and bind(2) answer.
 */
int ctlsock_new(struct ctlsock **csp, struct ev_loop *loop, const char *path,
		ctlsock_answer_fn *answer, void *data, char *err,
		size_t err_size);

/* Drops the clients, and removes the file if it is still this socket's. */
void ctlsock_free(struct ctlsock *cs);

#endif /* EVDEMO_CTLSOCK_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock.h - a server's control socket, from the client's side
 *
 * Lines go out, each is answered by one line of JSON; see ublk-evdemo(1).
 */
#ifndef EVCTL_SOCK_H
#define EVCTL_SOCK_H

#include <stddef.h>

#include <ev.h>
#include <jansson.h>

struct sock;

/*
 * An answer: a JSON object, to be kept with json_incref(), or NULL and a
 * negative errno: -ETIMEDOUT, -EPROTO (no JSON), -EPIPE (closed), those of
 * connect(2). After an error the socket is of no more use. It may be freed
 * from inside.
 */
typedef void sock_cb(void *data, json_t *answer, int err);

/*
 * Nothing is connected before sock_ask(). 0 or -ENOMEM, -ENAMETOOLONG.
 */
int sock_new(struct sock **sp, struct ev_loop *loop, const char *path,
	     sock_cb *cb, void *data);
void sock_free(struct sock *s);

/*
 * Asks; one callback follows, never from inside. One question at a time:
 * else -EBUSY. Other errors: those of socket(2) and connect(2), and
 * -ENAMETOOLONG.
 */
int sock_ask(struct sock *s, const char *line, double timeout_s);

/*
 * The path where this user's server of device `id` listens unless told
 * otherwise; `root` goes before /run. 0, or as rundir_own().
 */
int sock_path(char *buf, size_t size, const char *root, int id);

#endif /* EVCTL_SOCK_H */

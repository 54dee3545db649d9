/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - one question to a device's server, and what is said when it
 * fails
 */
#ifndef EVCTL_SERVER_H
#define EVCTL_SERVER_H

#include "ublk-evctl/session.h"

/* --socket, or where the server of --id listens by default: as sock_path() */
int server_path(const struct evctl *t, char *buf, size_t size);

/* the command's failure where there is no such path, by its error */
int server_nowhere(struct evctl *t, int err);

/*
 * Asks the server of opts->id and waits for the answer, which is to be given
 * back with json_decref(). 0 or a negative errno.
 */
int server_ask(struct evctl *t, const char *line, json_t **answer);

/* fails the command with that error; `remedy` ends the line */
int server_fail(struct evctl *t, int err, const char *remedy);

/*
 * With --socket: asks who listens there, and fails the command unless it
 * serves opts->id. `remedy` ends the line when nobody answers.
 */
int server_check(struct evctl *t, const char *remedy);

#endif /* EVCTL_SERVER_H */

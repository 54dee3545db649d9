/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json_kit.h - a client of a control socket, for tests in the server's thread
 */
#ifndef UBLKEV_TESTS_JSON_KIT_H
#define UBLKEV_TESTS_JSON_KIT_H

#include <ev.h>

/* A connection to the socket at path that does not block. */
int json_kit_dial(const char *path);

/* Runs n turns of the server's loop, none of which sleeps. */
void json_kit_turn(struct ev_loop *loop, int n);

void json_kit_say(int fd, const char *text);

/*
 * What there is to read after the server had its turns: "" for nothing, "EOF"
 * for the end. Good until the next call.
 */
const char *json_kit_hear(struct ev_loop *loop, int fd);

#endif

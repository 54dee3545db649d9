/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - the words of the control socket
 */
#ifndef EVDEMO_COMMAND_H
#define EVDEMO_COMMAND_H

#include "ublk-evdemo/jsonsock.h"

/* whose data is a struct app */
extern const struct jsonsock_ops command_ops;

struct app;

/* a resize has ended: its client gets the answer */
void command_resized(struct app *app, int err);

#endif /* EVDEMO_COMMAND_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.h - what top draws: a terminal's alternate screen, blocks of text
 * for a pipe, or lines of JSON
 */
#ifndef EVCTL_SCREEN_H
#define EVCTL_SCREEN_H

#include "ublk-evctl/session.h"
#include "ublk-evctl/top.h"

struct screen {
	int tty;
	int json;
};

void screen_open(struct screen *s, int json);
/* the terminal is as it was */
void screen_close(struct screen *s);
void screen_draw(struct screen *s, const struct evctl *t,
		 const struct peer *peers);

#endif /* EVCTL_SCREEN_H */

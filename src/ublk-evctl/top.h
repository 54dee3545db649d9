/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top.h - a device on top's screen, and where its counters come from
 */
#ifndef EVCTL_TOP_H
#define EVCTL_TOP_H

#include "ublk-evctl/sample.h"

struct sock;
struct top;

enum peer_source {
	PEER_NOTHING,
	PEER_SERVER,
	PEER_KERNEL
};

/* a device on the screen */
struct peer {
	struct peer *next;
	struct top *top;
	int id;
	struct sock *sock;	/* to its server; NULL: where is unknown */
	int asked;
	enum peer_source source;	/* of now */
	int comparable;		/* then is of the same source */
	struct sample now, then;
};

#endif /* EVCTL_TOP_H */

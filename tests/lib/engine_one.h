/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_one.h - one device on one lazy disk, and one request at a time
 */
#ifndef UBLKEV_TESTS_ENGINE_ONE_H
#define UBLKEV_TESTS_ENGINE_ONE_H

#include "engine_rig.h"

extern struct lazy lazy;
extern struct rig_dev r;

/* a checked fixture: r's conf is set, it is not up; nothing is left after it */
void one_setup(void);
void one_teardown(void);

/* a request, and what became of it: one_tell() is its fake_done_fn */
struct one {
	unsigned int done;
	int res;
};

void one_tell(void *one, int res);
/* for rig_until() */
bool one_done(void *one);

/* a request to device 0, waited for; its result */
int one_io(uint32_t op, uint64_t offset_bytes, uint32_t len_bytes, void *data);

#endif

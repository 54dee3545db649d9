/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_client.h - users of a fake device who check what they read
 *
 * Each client has a stripe of the disk to itself and one request at a time.
 */
#ifndef UBLKEV_TESTS_ENGINE_CLIENT_H
#define UBLKEV_TESTS_ENGINE_CLIENT_H

#include "fake_driver.h"
#include "testlib.h"

#define STRIPE_BYTES	(16u << 10)

struct client {
	int id;				/* of the device */
	uint64_t base;			/* of the stripe */
	struct test_rng *rng;
	unsigned int left;		/* requests to make */
	unsigned int done, errors;
	bool busy;
	bool errors_allowed;
	bool unchecked;			/* a disk that keeps nothing */
	uint32_t op, at, len;
	char buf[STRIPE_BYTES];
	char model[STRIPE_BYTES];
	bool vague[STRIPE_BYTES / 512];	/* a write to it failed */
};

/* n clients with a stripe each; they begin at once */
struct client *clients_new(unsigned int n, int id, struct test_rng *rng,
			   unsigned int reqs);
void clients_go(struct client *c, unsigned int n);
/* all requests were made and answered */
bool clients_done(const struct client *c, unsigned int n);
unsigned int clients_errors(const struct client *c, unsigned int n);

#endif

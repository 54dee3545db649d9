/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client writes what it can recognise, reads it back, and counts what it
 * is told.
 */
#include "engine_client.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 512u

static void next(struct client *c);

static void check_read(const struct client *c)
{
	uint32_t b;

	for (b = 0; b < c->len / BLOCK && !c->unchecked; b++) {
		if (c->vague[c->at / BLOCK + b])
			continue;
		if (memcmp(c->buf + b * BLOCK, c->model + c->at + b * BLOCK,
			   BLOCK))
			ck_abort_msg("device %d: wrong data at %llu", c->id,
				     (unsigned long long)c->base + c->at +
				     b * BLOCK);
	}
}

static void note_change(struct client *c, int res)
{
	memset(c->vague + c->at / BLOCK, res != 0, c->len / BLOCK);
	if (c->op == FAKE_WRITE)
		memcpy(c->model + c->at, c->buf, c->len);
	else
		memset(c->model + c->at, 0, c->len);
}

static void on_done(void *arg, int res)
{
	struct client *c = arg;

	TEST_HOLDS(c->busy);
	c->busy = false;
	c->done++;
	c->errors += res != 0;
	if (res && !c->errors_allowed)
		ck_abort_msg("op %u: %d", c->op, res);
	if (c->op == FAKE_READ && !res)
		check_read(c);
	else if (c->op != FAKE_READ && c->op != FAKE_FLUSH)
		note_change(c, res);
	/* a device that fails at once would be asked for ever */
	if (res)
		return;
	next(c);
}

static uint32_t pick_op(struct test_rng *rng)
{
	static const uint32_t ops[] = {
		FAKE_READ, FAKE_READ, FAKE_READ, FAKE_WRITE, FAKE_WRITE,
		FAKE_FLUSH, FAKE_DISCARD, FAKE_ZEROES,
	};

	return ops[test_rng_below(rng, TEST_COUNT(ops))];
}

static void next(struct client *c)
{
	uint32_t blocks = STRIPE_BYTES / BLOCK;
	uint32_t flags = 0;

	if (!c->left)
		return;
	c->left--;
	c->busy = true;
	c->op = pick_op(c->rng);
	c->at = (uint32_t)test_rng_below(c->rng, blocks);
	c->len = 1 + (uint32_t)test_rng_below(c->rng, blocks - c->at);
	c->at *= BLOCK;
	c->len *= BLOCK;
	if (c->op == FAKE_WRITE) {
		test_rng_fill(c->rng, c->buf, c->len);
		flags = test_rng_below(c->rng, 4) ? 0 : FAKE_F_FUA;
	}
	if (c->op == FAKE_FLUSH)
		fake_submit(c->id, c->op, 0, 0, NULL, on_done, c);
	else
		fake_submit(c->id, c->op | flags, c->base + c->at, c->len,
			    c->buf, on_done, c);
}

struct client *clients_new(unsigned int n, int id, struct test_rng *rng,
			   unsigned int reqs)
{
	struct client *c = calloc(n, sizeof(*c));
	unsigned int i;

	ck_assert_ptr_nonnull(c);
	for (i = 0; i < n; i++) {
		c[i].id = id;
		c[i].base = (uint64_t)i * STRIPE_BYTES;
		c[i].rng = rng;
		c[i].left = reqs;
	}
	return c;
}

void clients_go(struct client *c, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!c[i].busy)
			next(&c[i]);
}

bool clients_done(const struct client *c, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (c[i].busy || c[i].left)
			return false;
	return true;
}

unsigned int clients_errors(const struct client *c, unsigned int n)
{
	unsigned int i, errors = 0;

	for (i = 0; i < n; i++)
		errors += c[i].errors;
	return errors;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_sleeper.h - a device whose lane sleeps in the ring, and a client that
 * has its next request when it does; included once by a program, whose own all
 * of it is
 */
#ifndef UBLKEV_TESTS_ENGINE_SLEEPER_H
#define UBLKEV_TESTS_ENGINE_SLEEPER_H

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "engine_rig.h"
#include "engine_stripe.h"

#define REQS	1000u

static struct lazy lazy;
static struct rig_dev r;
static pthread_t main_thread;

static int nr_cpus;

/* found before the C library's: a thread with one CPU looks at no memory */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	int i;

	(void)pid;
	CPU_ZERO_S(size, set);
	for (i = 0; i < nr_cpus; i++)
		CPU_SET_S(i, size, set);
	return 0;
}

static inline void setup(void)
{
	rig_setup();
	lazy_init(&lazy, LAZY_NOW, 1);
	rig_conf(&r);
	nr_cpus = 1;
	r.conf.wait_us = 1000;
	main_thread = pthread_self();
}

static inline void teardown(void)
{
	ck_assert(fake_clean());
	lazy_fini(&lazy);
	rig_teardown();
}

/* ---- a client that has its next request when the server sleeps ------------- */

/* be it in the ring or in the loop */

static struct {
	unsigned int left, done;
	bool away;
} client;

static char data[512];

static inline void client_done(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	client.done++;
	client.away = true;
}

static inline void client_next(enum fake_point at)
{
	if (!client.away || !client.left)
		return;
	if (at != FAKE_AT_SLEEP && at != FAKE_AT_UNMUTED)
		return;
	client.left--;
	client.away = false;
	fake_submit(r.dev.id, FAKE_READ, 0, 512, data, client_done, NULL);
}

static inline void client_start(unsigned int reqs)
{
	FAKE_LOCKED;

	memset(&client, 0, sizeof(client));
	client.left = reqs - 1;
	fake.hook = client_next;
	fake_submit(r.dev.id, FAKE_READ, 0, 512, data, client_done, NULL);
}

static inline bool client_ready(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return client.away && !client.left;
}

static inline unsigned int sleeps(void)
{
	FAKE_LOCKED;

	return fake_counts.sleeps;
}

#endif

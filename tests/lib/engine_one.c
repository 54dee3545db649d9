/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One device for tests of a single request.
 */
#include "engine_one.h"

struct lazy lazy;
struct rig_dev r;

void one_setup(void)
{
	rig_setup();
	lazy_init(&lazy, LAZY_NOW, 1);
	rig_conf(&r);
}

void one_teardown(void)
{
	ck_assert(fake_clean());
	lazy_fini(&lazy);
	rig_teardown();
}

void one_tell(void *arg, int res)
{
	struct one *one = arg;

	one->done++;
	one->res = res;
}

bool one_done(void *arg)
{
	return ((struct one *)arg)->done;
}

int one_io(uint32_t op, uint64_t offset_bytes, uint32_t len_bytes, void *data)
{
	struct one one = { 0, 0 };

	fake_submit(0, op, offset_bytes, len_bytes, data, one_tell, &one);
	rig_until(one_done, &one);
	ck_assert_uint_eq(one.done, 1);
	return one.res;
}

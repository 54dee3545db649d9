/* SPDX-License-Identifier: BSD-2-Clause */
/* Which releases have a fault of the driver that people should be told of. */
#include <string.h>

#include <ublkev.h>

#include "testlib.h"

static const struct {
	const char *release;
	const char *says;	/* NULL: nothing is wrong */
} releases[] = {
	{ "6.18.4", "use Linux 6.18.6 or later" },
	{ "6.18.4-arch1-1", "NUMA" },
	{ "6.18.5-200.fc43.x86_64", "NUMA" },
	{ "6.18.40", "workers" },
	{ "6.18.40-1-lts", "workers" },
	{ "6.18.400", NULL },
	{ "6.18.41", NULL },
	{ "6.18.6", NULL },
	{ "6.18.", NULL },
	{ "6.18", NULL },
	{ "16.18.4", NULL },
	{ "6.17.0-1015-azure", "NUMA" },
	{ "6.17.0-1018-azure-fde", "NUMA" },
	{ "6.17.0-1015-aws", NULL },
	{ "6.17.0-1017-aws", "use linux-image-6.17.0-1020-aws or" },
	{ "6.17.0-1017-azure", "NUMA" },
	{ "6.17.0-1020-azure", "use linux-image-6.17.0-1021-azure or" },
	{ "6.17.0-1014-azure", NULL },
	{ "6.17.0-1021-azure", NULL },
	{ "6.17.0-1019-aws", "NUMA" },
	{ "6.17.0-1020-aws", NULL },
	{ "6.17.0-23-generic", NULL },
	{ "6.17.0-24-generic", "suspected" },
	{ "6.17.0-29-generic", "suspected" },
	{ "6.17.0-30-generic", NULL },
	{ "6.17.0-35-generic", "may crash" },
	{ "6.17.0-38-generic", "may crash" },
	{ "6.17.0-40-generic", "use linux-image-6.17.0-41-generic or" },
	{ "6.17.0-41-generic", NULL },
	{ "6.17.0-400-generic", NULL },
	{ "6.17.0-40-lowlatency", NULL },
	{ "6.17.0-99999999999999999999-generic", NULL },
	{ "6.17.0-", NULL },
	{ "6.17.0-10150-azure", NULL },
	{ "7.0.0-28-generic", "workers" },
	{ "7.0.0-280-generic", NULL },
	{ "7.0.14", "workers" },
	{ "7.0.1", NULL },
	{ "6.12.117", NULL },
	{ "7.3.4", NULL },
	{ "", NULL },
	{ "x", NULL },
};

START_TEST(fault)
{
	const char *text = ublkev_kernel_fault(releases[_i].release);

	ck_assert_int_eq(ublkev_kernel_crashes(releases[_i].release),
			 text && strstr(text, "ADD_DEV may crash") != NULL);
	if (!releases[_i].says) {
		ck_assert_msg(!text, "%s: %s", releases[_i].release, text);
		return;
	}
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, releases[_i].says));
	ck_assert_ptr_null(strpbrk(text, "\n%"));
	ck_assert_uint_le(strlen(text), 160);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernels");
	TCase *tc = tcase_create("kernels");

	tcase_add_loop_test(tc, fault, 0, (int)TEST_COUNT(releases));
	suite_add_tcase(suite, tc);
	return test_main(suite);
}

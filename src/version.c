/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of the library that runs, which may be another than the
 * header's.
 */
#include <ublkev.h>

#define STR(x) #x
#define VERSION_OF(major, minor, patch) STR(major) "." STR(minor) "." STR(patch)

const char *ublkev_version(void)
{
	return VERSION_OF(UBLKEV_VERSION_MAJOR, UBLKEV_VERSION_MINOR,
			  UBLKEV_VERSION_PATCH);
}

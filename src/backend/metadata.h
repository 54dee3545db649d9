/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metadata.h - how metadata are kept
 *
 * With all bits inverted: what was never written reads as all ones then, be it
 * memory that was given back or a hole in a file, and these are an escape which
 * nobody checks (T10_PI_APP_ESCAPE, T10_PI_REF_ESCAPE).
 */
#ifndef UBLKEV_BACKEND_METADATA_H
#define UBLKEV_BACKEND_METADATA_H

#include <stdint.h>

/* from how they are kept to how they are, and back; `to` may be `from` */
static inline void ublkev__metadata_invert(char *to, const char *from,
					   uint64_t n)
{
	for (; n; n--)
		*to++ = (char)~*from++;
}

#endif

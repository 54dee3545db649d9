/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spec.h - what a line says of one disk, for spec.c and types.c
 */
#ifndef UBLKEV_LAYERS_SPEC_H
#define UBLKEV_LAYERS_SPEC_H

#include <stdbool.h>

#include <ublkev/diskspec.h>

/* so deep may disks stand in disks */
#define UBLKEV__SPEC_DEPTH	100u

struct ublkev__spec_value {
	const struct ublkev_disk_key *key;
	size_t at;			/* of the value, in the line */
	char *text;			/* as it is meant; NULL: a disk */
	uint64_t number;
	struct ublkev_backend *disk;	/* until it is taken */
};

struct ublkev_disk_values {
	const struct ublkev_disk_type *type;
	size_t at;			/* of the type, in the line */
	struct ublkev_disk_error *why;
	struct ublkev__spec_value *v;
	unsigned int nr;
};

/* the library's types, by name; a name of NULL ends them */
extern const struct ublkev_disk_type ublkev__disk_types[];

#endif

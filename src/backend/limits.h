/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits.h - what a backend may say of itself when it is opened
 */
#ifndef UBLKEV_BACKEND_LIMITS_H
#define UBLKEV_BACKEND_LIMITS_H

#include <stdbool.h>

#include <ublkev/backend.h>

#include "util/log.h"

/* what open() finds in them: blocks of 512 bytes, and 0, whose meaning follows */
void ublkev__limits_default(struct ublkev_limits *l);

/* After open(): replaces 0 by what it stands for, as ublkev/backend.h says. */
void ublkev__limits_complete(struct ublkev_limits *l);

/* which calls of the backend's the limits go with */
#define UBLKEV__OPS_PLACE	(1u << 0)
#define UBLKEV__OPS_APPEND	(1u << 1)
#define UBLKEV__OPS_MAP		(1u << 2)

/*
 * Of complete limits: 0, or -EINVAL, and a line in the log that names backend
 * (`name`), member, value and remedy. `ops`: UBLKEV__OPS_* that it has.
 */
int ublkev__limits_check(const struct ublkev_limits *l, unsigned int ops,
			 const char *name, const struct ublkev__log *log);

/* the operations that they allow: a bit for each of enum ublkev_op */
unsigned int ublkev__limits_ops(const struct ublkev_limits *l);

#endif

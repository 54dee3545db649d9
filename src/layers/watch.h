/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - layers that change nothing: "stats" counts requests, "log" writes a line
 * for each
 */
#ifndef UBLKEV_LAYERS_WATCH_H
#define UBLKEV_LAYERS_WATCH_H

#include <ublkev/backend.h>

/*
 * Over `beneath`, which it owns from then on; when it fails that is the caller's.
 * Errors: -ENOMEM, those of ublkev_lower_new().
 */
int ublkev__stats_layer_new(struct ublkev_backend **backendp,
			    struct ublkev_backend *beneath);
int ublkev__log_layer_new(struct ublkev_backend **backendp,
			  struct ublkev_backend *beneath);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ublkev.h - Linux block devices served from inside a libev loop
 *
 * The one header to include. The rules that hold for every declaration
 * below it:
 *
 * Errors are 0 or a negative errno value, from the backend to the driver;
 * the global errno is never part of an answer.
 *
 * Bytes are bytes. A member or parameter that counts bytes ends in _bytes,
 * one that counts milliseconds in _ms; there are no sectors in this API.
 *
 * Threads: a device, its backend and its loop belong to one thread, the one
 * that called ublkev_dev_start(), from then until STOPPED. Different devices
 * may live in different threads; the library has no globals. (io_uring:
 * SINGLE_ISSUER; the ublk driver ties each queue to the task that fetched it.)
 * What is not started may be used in any thread, in one at a time.
 *
 * A caller's bug (a call in a state that forbids it) is an assertion whose
 * text begins with "ublkev:".
 */
#ifndef UBLKEV_H
#define UBLKEV_H

#define UBLKEV_VERSION_MAJOR 0
#define UBLKEV_VERSION_MINOR 1
#define UBLKEV_VERSION_PATCH 0

#include <ublkev/req.h>
#include <ublkev/backend.h>
#include <ublkev/reqop.h>
#include <ublkev/layer.h>
#include <ublkev/file.h>
#include <ublkev/diskspec.h>
#include <ublkev/layers.h>
#include <ublkev/broker.h>
#include <ublkev/conf.h>
#include <ublkev/dev.h>
#include <ublkev/cmd.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The version of the library that is running, as "MAJOR.MINOR.PATCH"; the
 * macros above are that of the header. Static string, any thread.
 */
const char *ublkev_version(void);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_H */

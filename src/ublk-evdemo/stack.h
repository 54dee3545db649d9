/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.h - the disk of --disk
 */
#ifndef EVDEMO_STACK_H
#define EVDEMO_STACK_H

#include <ublkev.h>

#include "ublk-evdemo/evdemo_opts.h"

/*
 * Makes what o->disk says; its files are trusted as that of --file is. 0, or -1 after
 * a line to the log that says where it is wrong, with all files as they were.
 */
int stack_new(struct ublkev_backend **backendp, const struct opts *o);

#endif /* EVDEMO_STACK_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statefile.h - what a server was told, for the one that recovers its device
 *
 * A file N.json beside the control socket of device N, of mode 0600: the
 * options of the server's command line, and the number by which the kernel
 * tells this disk from every other since it booted (diskseq). Whoever recovers
 * the device takes them on. The environment's UBLK_EV_ROOT goes before /run
 * and /sys.
 */
#ifndef EVDEMO_STATEFILE_H
#define EVDEMO_STATEFILE_H

#include <jansson.h>

#include "ublk-evdemo/evdemo_opts.h"

/* what goes before /run and /sys: "" but in tests */
const char *statefile_root(void);

/*
 * Writes the object in `text`, and the disk's number, as the state of device
 * `id`; replaces the file in one step. What fails is a line in the log. Waits
 * for files: for the scribe.
 */
void statefile_write(int id, const char *text);

/* the device is gone, and its file with it; it need not be there */
void statefile_remove(int id);

/*
 * The options of the server that had device o->recover_id, taken on by o where
 * they were not given. A file that cannot be trusted, is damaged or is about
 * another disk is a line in the log, and not used; none at all is neither.
 * What o then points into; to be decref'd when o is not used any more; NULL.
 */
json_t *statefile_recall(struct opts *o);

#endif /* EVDEMO_STATEFILE_H */

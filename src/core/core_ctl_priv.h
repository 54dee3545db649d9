/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_ctl_priv.h - what the files of core_ctl share
 */
#ifndef UBLKEV_CORE_CTL_PRIV_H
#define UBLKEV_CORE_CTL_PRIV_H

#include "core/core_ctl.h"

#define UBLKEV__NEVER UINT64_MAX

static inline bool ublkev__ctl_uses(const struct ublkev__ctl *c, uint64_t f)
{
	return c->info.features & f;
}

/* ---- core_ctl.c: what is to be pulled ------------------------------------- */

/* an action without more to say */
void ublkev__ctl_do(struct ublkev__ctl *c, enum ublkev__ctl_act act);
void ublkev__ctl_command(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			 uint64_t data);
/* ask for the pending command's end */
void ublkev__ctl_cancel(struct ublkev__ctl *c);
void ublkev__ctl_tell(struct ublkev__ctl *c, int revents, int res);
void ublkev__ctl_enter(struct ublkev__ctl *c, enum ublkev_step step,
		       uint64_t now_ms, uint64_t deadline_ms);
/* the end of all: STOPPED */
void ublkev__ctl_finish(struct ublkev__ctl *c, enum ublkev_step step);
/* what is wrong; only the first counts */
void ublkev__ctl_note_error(struct ublkev__ctl *c, int err);
/* an error, after which there is only the way down */
void ublkev__ctl_fail(struct ublkev__ctl *c, int err, uint64_t now_ms);

/* ---- core_ctl_up.c ------------------------------------------------------------ */

/*
 * `cmd`, pending in a step of the upper row, is answered. The error, if it is
 * none that another attempt may mend.
 */
int ublkev__ctl_up(struct ublkev__ctl *c, enum ublkev__cmd cmd,
		   const struct ublkev__ctl_answer *a, uint64_t now_ms);
/* it is time for c->retry_ms' attempt */
void ublkev__ctl_retry(struct ublkev__ctl *c, uint64_t now_ms);

/* ---- core_ctl_live.c ---------------------------------------------------------- */

/* in LIVE */
void ublkev__ctl_live_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			   const struct ublkev__ctl_answer *a,
			   uint64_t now_ms);
/* TRY_STOP_DEV was refused */
void ublkev__ctl_try_refused(struct ublkev__ctl *c, int res, uint64_t now_ms);
/* in QUIESCE */
void ublkev__ctl_quiesced(struct ublkev__ctl *c, int res, uint64_t now_ms);

/* ---- core_ctl_down.c ---------------------------------------------------------- */

void ublkev__ctl_go_down(struct ublkev__ctl *c, uint64_t now_ms);
/* go on with whatever is to be undone next; no command is pending */
void ublkev__ctl_unwind(struct ublkev__ctl *c, uint64_t now_ms);
void ublkev__ctl_stop_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			   int res, uint64_t now_ms);
void ublkev__ctl_del_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			  int res, uint64_t now_ms);
/* the step's deadline passed */
void ublkev__ctl_expire(struct ublkev__ctl *c, uint64_t now_ms);

#endif

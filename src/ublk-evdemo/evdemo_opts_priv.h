/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evdemo_opts_priv.h - a command line while it is read and judged
 */
#ifndef EVDEMO_OPTS_PRIV_H
#define EVDEMO_OPTS_PRIV_H

#include <stddef.h>

#include "ublk-evdemo/evdemo_opts.h"

struct parse {
	struct opts *o;
	char *err;
	size_t err_size;
	/* the first option given that does not go with ... */
	const char *not_delete;
	const char *not_recover;
	const char *not_take_over;
	/* the first one given of the disk but --disk */
	const char *not_disk;
	/* the first one given that is of a file disk only */
	const char *of_file;
};

/* writes p->err, one line without \n; -EINVAL */
int opts_fail(const struct parse *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* the number of a name in names[nr], or -1 */
int opts_find(const char *const names[], unsigned int nr, const char *name);

/* 0, or -EINVAL and p->err: what was given does not go together */
int opts_check_all(const struct parse *p);

#endif /* EVDEMO_OPTS_PRIV_H */

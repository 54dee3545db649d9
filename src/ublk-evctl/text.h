/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - tables, sizes, lists of CPUs, as people read them
 */
#ifndef EVCTL_TEXT_H
#define EVCTL_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <ublkev.h>

/* columns as wide as their widest cell, two blanks apart */
struct table {
	unsigned int cols;
	unsigned int nr;	/* cells */
	char **cells;
	int failed;		/* out of memory */
};

void table_init(struct table *t, unsigned int cols);
void table_fini(struct table *t);

/*
 * The next cell, as printf, escaped, 255 bytes at most; the next row when this
 * one is full.
 */
void table_cell(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, FILE *f);

/* "256M", "1.5G", "513"; binary units, at most one digit behind the point */
const char *text_bytes(char buf[16], uint64_t bytes);

/* "0-3,8", as /sys has it; "" for none; as snprintf */
int text_cpus(char *buf, size_t size, const struct ublkev_cpus *cpus);

#endif /* EVCTL_TEXT_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * optline.h - what getopt_long(3) does not like, as the programs say it
 *
 * Both call it with opterr 0 and a list of short options that begins with a
 * colon, and say by themselves what is wrong: in one line, with the remedy.
 */
#ifndef COMMON_OPTLINE_H
#define COMMON_OPTLINE_H

#include <getopt.h>
#include <stddef.h>

/* the name of the long option of that value, without dashes; "?" for none */
const char *optline_name(const struct option *options, int opt);

/*
 * Writes the line, without \n, about the option that getopt_long(3) has just
 * answered with `got`, '?' or ':'. What it left in optopt and optind is looked
 * at; `program` is whose --help is pointed at.
 */
void optline_refusal(char *buf, size_t size, const char *program,
		     const struct option *options, int got, char **argv);

#endif /* COMMON_OPTLINE_H */

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of four lines: a value is missing, or there is one too many, or the option
 * is unknown, be it short or long.
 */
#include <ctype.h>
#include <stdio.h>

#include "common/number.h"
#include "common/optline.h"

static const struct option *optline_find(const struct option *options, int opt)
{
	const struct option *o;

	for (o = options; o->name; o++)
		if (o->val == opt)
			return o;
	return NULL;
}

const char *optline_name(const struct option *options, int opt)
{
	const struct option *o = optline_find(options, opt);

	return o ? o->name : "?";
}

/*
 * optopt is the value of a long option that is known, the letter of a short one
 * that is not, and 0 for a long one that is unknown or ambiguous.
 */
void optline_refusal(char *buf, size_t size, const char *program,
		     const struct option *options, int got, char **argv)
{
	char shown[64];

	number_shown(shown, sizeof(shown), argv[optind - 1]);
	if (got == ':')
		snprintf(buf, size, "option --%s: its value is missing: "
			 "see %s --help", optline_name(options, optopt),
			 program);
	else if (optline_find(options, optopt))
		snprintf(buf, size, "option '%s': takes no value: leave it out",
			 shown);
	else if (optopt)
		snprintf(buf, size, "option '-%c': unknown: see %s --help",
			 isprint(optopt) ? optopt : '?', program);
	else
		snprintf(buf, size, "option '%s': unknown or ambiguous: "
			 "see %s --help", shown, program);
}

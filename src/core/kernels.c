/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels in which ublk is known to be broken, by their releases. A list of
 * last resort: what a kernel can do is asked of it, never guessed from here.
 * Sources: the reports of users of ublk servers, which name releases.
 */
#include <stddef.h>
#include <string.h>

#include <ublkev/cmd.h>

/* ADD_DEV allocates per NUMA node, without the fix that followed */
#define ADD_OOPS "ADD_DEV may crash this kernel and block every later one " \
	"(NUMA allocation of queues): use another release"
/* likewise, by what it was made from; nobody has reported it */
#define ADD_SUSPECT "ADD_DEV is suspected to crash this kernel (NUMA " \
	"allocation of queues, as in later releases): use another release"
/* the worker of a command is never run */
#define IOWQ_STUCK "control commands may stop being run after some hundred " \
	"devices have come and gone (io_uring workers): use another release"

static const struct {
	const char *base;		/* then a number, */
	unsigned int first, last;	/* one of these */
	const char *flavour;		/* somewhere behind it; NULL: any */
	const char *text;
} faults[] = {
	{ "6.18.", 4, 5, NULL, ADD_OOPS },
	/* Ubuntu: fixed in -41, azure -1021, aws -1020 */
	{ "6.17.0-", 24, 29, "generic", ADD_SUSPECT },
	{ "6.17.0-", 35, 35, "generic", ADD_OOPS },
	{ "6.17.0-", 38, 38, "generic", ADD_OOPS },
	{ "6.17.0-", 40, 40, "generic", ADD_OOPS },
	{ "6.17.0-", 1015, 1020, "azure", ADD_OOPS },
	{ "6.17.0-", 1017, 1017, "aws", ADD_OOPS },
	{ "6.17.0-", 1019, 1019, "aws", ADD_OOPS },
	{ "6.18.", 40, 40, NULL, IOWQ_STUCK },
	{ "7.0.0-", 28, 28, NULL, IOWQ_STUCK },
	{ "7.0.", 14, 14, NULL, IOWQ_STUCK },
};

/* 0: there is none; no release has one of so many digits that it overflows */
static unsigned int kernel_number(const char *s)
{
	unsigned int n = 0;

	while (*s >= '0' && *s <= '9' && n < 1000000)
		n = 10 * n + (unsigned int)(*s++ - '0');
	return n;
}

const char *ublkev_kernel_fault(const char *release)
{
	unsigned int nr;
	size_t i, n;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		n = strlen(faults[i].base);
		if (strncmp(release, faults[i].base, n))
			continue;
		nr = kernel_number(release + n);
		if (nr < faults[i].first || nr > faults[i].last)
			continue;
		if (!faults[i].flavour || strstr(release, faults[i].flavour))
			return faults[i].text;
	}
	return NULL;
}

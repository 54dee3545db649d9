/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels in which ublk is known to be broken, by their releases. A list of
 * last resort: what a kernel can do is asked of it, never guessed from here.
 * Sources: the reports of users of ublk servers, which name releases.
 */
#include <stddef.h>
#include <string.h>

#include <ublkev/cmd.h>

/* These allocate queues per NUMA node in ADD_DEV, without the fix that
   followed. */
#define ADD_OOPS(mended) "ADD_DEV may crash this kernel and block every " \
	"later one (NUMA allocation of queues): use " mended
/* These were made from the same sources, but nobody has reported a crash. */
#define ADD_SUSPECT(mended) "ADD_DEV is suspected to crash this kernel (NUMA " \
	"allocation of queues, as in later releases): use " mended
/* In these the io_uring worker of a command may never be run. */
#define IOWQ_STUCK "control commands may stop being run after some hundred " \
	"devices have come and gone (io_uring workers): use another release"

/* what mends it; Ubuntu's by the package */
#define STABLE	"Linux 6.18.6 or later"
#define GENERIC	"linux-image-6.17.0-41-generic or later"
#define AZURE	"linux-image-6.17.0-1021-azure or later"
#define AWS	"linux-image-6.17.0-1020-aws or later"

static const struct {
	const char *base;		/* then a number, */
	unsigned int first, last;	/* one of these */
	const char *flavour;		/* somewhere behind it; NULL: any */
	const char *text;
	int crashes;
} faults[] = {
	{ "6.18.", 4, 5, NULL, ADD_OOPS(STABLE), 1 },
	{ "6.17.0-", 24, 29, "generic", ADD_SUSPECT(GENERIC), 0 },
	{ "6.17.0-", 35, 35, "generic", ADD_OOPS(GENERIC), 1 },
	{ "6.17.0-", 38, 38, "generic", ADD_OOPS(GENERIC), 1 },
	{ "6.17.0-", 40, 40, "generic", ADD_OOPS(GENERIC), 1 },
	{ "6.17.0-", 1015, 1020, "azure", ADD_OOPS(AZURE), 1 },
	{ "6.17.0-", 1017, 1017, "aws", ADD_OOPS(AWS), 1 },
	{ "6.17.0-", 1019, 1019, "aws", ADD_OOPS(AWS), 1 },
	{ "6.18.", 40, 40, NULL, IOWQ_STUCK, 0 },
	{ "7.0.0-", 28, 28, NULL, IOWQ_STUCK, 0 },
	{ "7.0.", 14, 14, NULL, IOWQ_STUCK, 0 },
};

#define NR_FAULTS (sizeof(faults) / sizeof(faults[0]))

/* The number that s begins with, or 0. It stops before it could overflow. */
static unsigned int kernel_number(const char *s)
{
	unsigned int n = 0;

	while (*s >= '0' && *s <= '9' && n < 1000000)
		n = 10 * n + (unsigned int)(*s++ - '0');
	return n;
}

/* the fault of that release; NR_FAULTS: none */
static size_t kernel_find(const char *release)
{
	unsigned int nr;
	size_t i, n;

	for (i = 0; i < NR_FAULTS; i++) {
		n = strlen(faults[i].base);
		if (strncmp(release, faults[i].base, n))
			continue;
		nr = kernel_number(release + n);
		if (nr < faults[i].first || nr > faults[i].last)
			continue;
		if (!faults[i].flavour || strstr(release, faults[i].flavour))
			break;
	}
	return i;
}

const char *ublkev_kernel_fault(const char *release)
{
	size_t i = kernel_find(release);

	return i < NR_FAULTS ? faults[i].text : NULL;
}

int ublkev_kernel_crashes(const char *release)
{
	size_t i = kernel_find(release);

	return i < NR_FAULTS && faults[i].crashes;
}

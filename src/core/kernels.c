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
/* the worker of a command is never run */
#define IOWQ_STUCK "control commands may stop being run after some hundred " \
	"devices have come and gone (io_uring workers): use another release"

static const struct {
	const char *release;	/* up to a character that is no digit */
	const char *flavour;	/* somewhere behind it; NULL: any */
	const char *text;
} faults[] = {
	{ "6.18.4", NULL, ADD_OOPS },
	{ "6.18.5", NULL, ADD_OOPS },
	{ "6.17.0-1015", "azure", ADD_OOPS },
	{ "6.17.0-1018", "azure", ADD_OOPS },
	{ "6.17.0-1017", "aws", ADD_OOPS },
	{ "6.18.40", NULL, IOWQ_STUCK },
	{ "7.0.0-28", NULL, IOWQ_STUCK },
	{ "7.0.14", NULL, IOWQ_STUCK },
};

static int kernel_goes_on(const char *s)
{
	return *s >= '0' && *s <= '9';
}

const char *ublkev_kernel_fault(const char *release)
{
	size_t i, n;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		n = strlen(faults[i].release);
		if (strncmp(release, faults[i].release, n) ||
		    kernel_goes_on(release + n))
			continue;
		if (!faults[i].flavour || strstr(release, faults[i].flavour))
			return faults[i].text;
	}
	return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls are used directly, because they change the calling thread
 * only; libcap's wrappers may change all threads (capset(2), libpsx).
 */
#include "uring/privilege.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYS_ADMIN (UINT32_C(1) << CAP_SYS_ADMIN)

typedef struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

static int privilege_get(caps c)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	memset(c, 0, sizeof(caps));
	return (int)syscall(SYS_capget, &head, c);
}

static int privilege_set(caps c)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	return (int)syscall(SYS_capset, &head, c);
}

void ublkev__privilege_drop(struct ublkev__privilege *was)
{
	caps c;

	was->changed = 0;
	if (privilege_get(c) || !(c[0].effective & SYS_ADMIN))
		return;
	was->effective = c[0].effective;
	c[0].effective &= ~SYS_ADMIN;
	was->changed = !privilege_set(c);
}

void ublkev__privilege_restore(const struct ublkev__privilege *was)
{
	caps c;

	if (!was->changed || privilege_get(c))
		return;
	c[0].effective = was->effective;
	/* cannot be refused: what is permitted was not changed */
	(void)privilege_set(c);
}

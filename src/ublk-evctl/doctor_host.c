/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges the machine: kernel, module, rights, io_uring, limits. A judgement
 * reads files below --root and what doctor.c has gathered, and nothing else.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/udevrule.h"
#include "ublk-evctl/doctor.h"
#include "ublk-evctl/procs.h"

/* include/uapi/linux/capability.h */
#define CAP_IPC_LOCK_BIT	14
#define CAP_SYS_ADMIN_BIT	21
#define CAP_SYS_RESOURCE_BIT	24

/* descriptors of a device: control, ublkcN, ring, eventfd, broker */
#define FDS_A_DEVICE	5
/* and of a process with a loop, a log and a socket */
#define FDS_A_SERVER	16

static int host_has_cap(const struct host *h, int bit)
{
	return (int)(h->caps >> bit & 1);
}

/* of root/proc/self/status, the number behind `key`; `missing` if none */
static uint64_t host_status_value(const char *root, const char *key, int base,
				  uint64_t missing)
{
	char path[PATH_MAX], line[256];
	uint64_t v = missing;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/status", root);
	f = fopen(path, "re");
	if (!f)
		return missing;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			v = strtoull(line + strlen(key), NULL, base);
	fclose(f);
	return v;
}

void host_status(struct host *h)
{
	h->caps = host_status_value(h->root, "CapEff:", 16, 0);
	h->seccomp = (int)host_status_value(h->root, "Seccomp:", 10, 0);
}

static int host_exists(const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return !access(full, F_OK);
}

/* whether a line of root/lib/modules/RELEASE/name has the module's name */
static int host_listed(const struct host *h, const char *name)
{
	char path[PATH_MAX], *line = NULL, *at;
	size_t size = 0;
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/lib/modules/%s/%s", h->root,
		 h->release, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* behind the colon of modules.dep is what the module needs */
	while (!found && getline(&line, &size, f) > 0) {
		at = strstr(line, "/ublk_drv.ko");
		found = at && at < line + strcspn(line, ":");
	}
	free(line);
	fclose(f);
	return found;
}

/* major * 1000 + minor */
static unsigned int host_version(const struct host *h)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(h->release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major * 1000 + minor;
}

static void host_kernel(struct report *r, const struct host *h)
{
	const char *fault = ublkev_kernel_fault(h->release);

	if (fault)
		report_add(r, LEVEL_WARNING, "kernel",
			   "use another kernel release", "Linux %s: %s",
			   h->release, fault);
	else if (host_version(h) < 6004)
		report_add(r, LEVEL_FAULT, "kernel", "use Linux 6.4 or later",
			   "Linux %s has no ublk that can be used",
			   h->release);
	else
		report_add(r, LEVEL_OK, "kernel", NULL, "Linux %s",
			   h->release);
}

static int host_loaded(const struct host *h)
{
	return host_exists(h->root, "/sys/module/ublk_drv") ||
	       host_exists(h->root, "/sys/class/ublk-char");
}

/* whether ID or ID_LIKE of os-release(5) names that distribution */
static int host_is_like(const struct host *h, const char *name)
{
	char path[PATH_MAX], line[256], *save, *w;
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/etc/os-release", h->root);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "ID=", 3) && strncmp(line, "ID_LIKE=", 8))
			continue;
		save = NULL;
		for (w = strtok_r(line, "=\"' \n", &save); w && !found;
		     w = strtok_r(NULL, "=\"' \n", &save))
			found = !strcmp(w, name);
	}
	fclose(f);
	return found;
}

/* where a distribution splits the module off, the package that has it */
static void host_package(const struct host *h, char *buf, size_t size)
{
	const char *other = "or a kernel with CONFIG_BLK_DEV_UBLK";

	/* Ubuntu says that it is like Debian, which has no such package */
	if (host_is_like(h, "ubuntu"))
		snprintf(buf, size, "apt install linux-modules-extra-%s, %s",
			 h->release, other);
	else if (host_is_like(h, "fedora") || host_is_like(h, "rhel"))
		snprintf(buf, size, "dnf install kernel-modules-extra-%s, %s",
			 h->release, other);
	else if (host_is_like(h, "debian") && strstr(h->release, "-cloud-"))
		snprintf(buf, size, "install the linux-image without -cloud, "
			 "%s", other);
	else
		snprintf(buf, size, "install the package that has the "
			 "kernel's further modules, %s", other);
}

static void host_module(struct report *r, const struct host *h)
{
	char remedy[200];

	if (host_loaded(h)) {
		report_add(r, LEVEL_OK, "module", NULL, "ublk_drv is there");
	} else if (host_listed(h, "modules.dep")) {
		report_add(r, LEVEL_FAULT, "module", "modprobe ublk_drv",
			   "ublk_drv is not loaded");
	} else if (host_listed(h, "modules.builtin")) {
		report_add(r, LEVEL_FAULT, "module", "look in dmesg why it "
			   "did not start", "ublk_drv is built in and not "
			   "there");
	} else {
		host_package(h, remedy, sizeof(remedy));
		report_add(r, LEVEL_FAULT, "module", remedy,
			   "Linux %s comes without ublk_drv", h->release);
	}
}

static void host_control(struct report *r, const struct host *h)
{
	static const char node[] = "/dev/ublk-control";

	switch (h->control_err) {
	case 0:
		report_add(r, LEVEL_OK, "control", NULL, "%s opens", node);
		break;
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		/* without the module that is no fault of its own */
		report_add(r, LEVEL_FAULT, "control", host_loaded(h) ?
			   "is devtmpfs or udev at work? give a container "
			   "the device" : "load the module", "%s is missing",
			   node);
		break;
	case -EACCES:
	case -EPERM:
		report_add(r, LEVEL_FAULT, "control", "be root; for an "
			   "ordinary user's devices, be in group ublk with "
			   "udev's rule installed; in a container, allow the "
			   "device", "no permission for %s", node);
		break;
	default:
		report_add(r, LEVEL_FAULT, "control", "raise what the message "
			   "says", "%s: %s", node, strerror(-h->control_err));
	}
}

static void host_privilege(struct report *r, const struct host *h)
{
	if (host_has_cap(h, CAP_SYS_ADMIN_BIT))
		report_add(r, LEVEL_OK, "privilege", NULL, "CAP_SYS_ADMIN");
	else
		report_add(r, LEVEL_WARNING, "privilege", "be root for "
			   "others", "without CAP_SYS_ADMIN only an ordinary "
			   "user's devices can be made and controlled");
}

static void host_uring_forbidden(struct report *r, const struct host *h)
{
	char disabled[16] = "", group[16] = "-1";

	procs_line(disabled, sizeof(disabled), h->root,
		   "proc/sys/kernel/io_uring_disabled");
	procs_line(group, sizeof(group), h->root,
		   "proc/sys/kernel/io_uring_group");
	if (!strcmp(disabled, "2"))
		report_add(r, LEVEL_FAULT, "io_uring",
			   "sysctl -w kernel.io_uring_disabled=0",
			   "kernel.io_uring_disabled is 2: for nobody");
	else if (!strcmp(disabled, "1"))
		report_add(r, LEVEL_FAULT, "io_uring", "be one of them, or "
			   "sysctl -w kernel.io_uring_disabled=0",
			   "kernel.io_uring_disabled is 1: only for "
			   "CAP_SYS_ADMIN and group %s", group);
	else if (h->seccomp)
		report_add(r, LEVEL_FAULT, "io_uring", "allow io_uring_setup, "
			   "io_uring_enter and io_uring_register in the "
			   "container's seccomp profile", "a seccomp profile "
			   "forbids it");
	else
		report_add(r, LEVEL_FAULT, "io_uring", "look at the security "
			   "module's log", "a security module forbids it");
}

static void host_uring(struct report *r, const struct host *h)
{
	switch (h->uring_err) {
	case 0:
		report_add(r, LEVEL_OK, "io_uring", NULL, "can be used");
		break;
	case -EPERM:
	case -EACCES:
		host_uring_forbidden(r, h);
		break;
	case -ENOSYS:
		report_add(r, LEVEL_FAULT, "io_uring", h->seccomp ? "allow "
			   "io_uring_setup in the container's seccomp "
			   "profile" : "use a kernel with CONFIG_IO_URING",
			   "is not there%s", h->seccomp ?
			   ", or a seccomp profile hides it" : "");
		break;
	case -EINVAL:
		report_add(r, LEVEL_FAULT, "io_uring", "use Linux 6.4 or "
			   "later", "has no DEFER_TASKRUN");
		break;
	default:
		report_add(r, LEVEL_FAULT, "io_uring", "raise the limit that "
			   "is reached: ulimit -n, ulimit -l, or memory",
			   "cannot be set up: %s", strerror(-h->uring_err));
	}
}

static void host_features(struct report *r, const struct host *h)
{
	static const struct {
		unsigned int bit;
		const char *what;
	} wanted[] = {
		{ 3, "recovery" },
		{ 5, "ordinary users' devices" },
		{ 9, "recovery fail-io (6.13)" },
		{ 10, "resize (6.16)" },
		{ 12, "quiesce (6.16)" },
		{ 17, "stop --safe (7.0)" },
	};
	char absent[200] = "", *p = absent;
	size_t i;

	if (h->features_err > 0)
		return;
	if (h->features_err) {
		/* Linux 6.4 takes the command for one about a device */
		report_add(r, LEVEL_FAULT, "features", h->features_err ==
			   -EOPNOTSUPP || h->features_err == -ENODEV ?
			   "use Linux 6.5 or later" :
			   "look in dmesg", "GET_FEATURES: %s",
			   out_strerror(h->features_err));
		return;
	}
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!(h->features >> wanted[i].bit & 1))
			p += sprintf(p, "%s%s", p == absent ? "" : ", ",
				     wanted[i].what);
	if (*absent)
		report_add(r, LEVEL_WARNING, "features", "a newer kernel has "
			   "it, if it is needed", "this kernel is without %s",
			   absent);
	else
		report_add(r, LEVEL_OK, "features", NULL, "all that matter");
}

static void host_limits(struct report *r, const struct host *h)
{
	uint64_t devices = h->nofile < FDS_A_SERVER ? 0 :
			   (h->nofile - FDS_A_SERVER) / FDS_A_DEVICE;

	if (devices < 8)
		report_add(r, devices ? LEVEL_WARNING : LEVEL_FAULT, "files",
			   "raise ulimit -n, or LimitNOFILE=", "%" PRIu64
			   " descriptors are enough for %" PRIu64 " devices in "
			   "a process", h->nofile, devices);
	else if (h->nofile == UINT64_MAX)
		report_add(r, LEVEL_OK, "files", NULL, "no limit");
	else
		report_add(r, LEVEL_OK, "files", NULL, "%" PRIu64 " "
			   "descriptors, enough for %" PRIu64 " devices in a "
			   "process", h->nofile, devices);
	if (h->memlock < 8 << 20 && !host_has_cap(h, CAP_IPC_LOCK_BIT))
		report_add(r, LEVEL_WARNING, "locked memory", "raise ulimit "
			   "-l, or LimitMEMLOCK=", "%" PRIu64 " KiB: a server "
			   "may not lock its memory, and can be swapped out",
			   h->memlock >> 10);
	else
		report_add(r, LEVEL_OK, "locked memory", NULL, "enough");
}

/* from 6.15 on an ordinary user's only, before it all */
static unsigned int host_counted(const struct host *h, const struct devs *d)
{
	unsigned int i, n = 0;

	for (i = 0; i < d->nr; i++)
		n += host_version(h) < 6015 ||
		     (d->v[i].info.features & DEV_F_UNPRIVILEGED) != 0;
	return n;
}

static void host_ublks_max(struct report *r, const struct host *h,
			   const struct devs *d)
{
	const char *whose = host_version(h) < 6015 ? "" : " of ordinary users";
	unsigned int n = host_counted(h, d);
	unsigned long max;
	char line[32];

	if (procs_line(line, sizeof(line), h->root,
		       "sys/module/ublk_drv/parameters/ublks_max"))
		return;
	max = strtoul(line, NULL, 10);
	if (n >= max)
		report_add(r, LEVEL_WARNING, "ublks_max", "write more to "
			   "/sys/module/ublk_drv/parameters/ublks_max",
			   "%u devices%s, and no more than %lu are allowed",
			   n, whose, max);
	else
		report_add(r, LEVEL_OK, "ublks_max", NULL,
			   "%u devices%s of %lu", n, whose, max);
}

static void host_flusher(struct report *r, const struct host *h)
{
	if (host_has_cap(h, CAP_SYS_RESOURCE_BIT))
		report_add(r, LEVEL_OK, "IO_FLUSHER", NULL,
			   "a server may be one");
	else
		report_add(r, LEVEL_WARNING, "IO_FLUSHER", "give servers "
			   "CAP_SYS_RESOURCE", "without CAP_SYS_RESOURCE a "
			   "server may wait for its own disk when memory is "
			   "short");
}

static void host_udev(struct report *r, const struct host *h)
{
	static const char *const dirs[] = { UDEVRULE_DIRS };
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/udev/rules.d/"
			 "60-ublk-ev.rules", dirs[i]);
		if (!host_exists(h->root, path))
			continue;
		if (host_exists(h->root, "/run/udev/control"))
			report_add(r, LEVEL_OK, "udev", NULL, "%s", path);
		else
			report_add(r, LEVEL_WARNING, "udev", "start udevd, if "
				   "ordinary users are to have devices",
				   "%s is there, and no udevd", path);
		return;
	}
	report_add(r, LEVEL_WARNING, "udev", "install 60-ublk-ev.rules, if "
		   "they are to have them", "no rule gives ordinary users "
		   "their devices");
}

void host_judge(struct report *r, const struct host *h, const struct devs *d)
{
	host_kernel(r, h);
	host_module(r, h);
	host_control(r, h);
	host_privilege(r, h);
	host_uring(r, h);
	host_features(r, h);
	host_limits(r, h);
	host_ublks_max(r, h, d);
	host_flusher(r, h);
	host_udev(r, h);
}

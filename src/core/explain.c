/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an errno of a step most likely means. The driver's errnos and their
 * conditions are from drivers/block/ublk_drv.c, those of io_uring from
 * io_uring_setup(2). What silence means is in the step's row (life_steps.c).
 */
#include <errno.h>
#include <stddef.h>

#include <ublkev/dev.h>

#include "core/life_steps.h"

struct explanation {
	enum ublkev_step step;
	int err;
	const char *text;
};

static const struct explanation explanations[] = {
	{ UBLKEV_STEP_BACKEND, -EBUSY,
	  "the backend already serves another device: give each device its own" },
	{ UBLKEV_STEP_BACKEND, -EINVAL,
	  "the backend's limits are none that the kernel takes: the log names the member" },
	{ UBLKEV_STEP_BACKEND, -EOPNOTSUPP,
	  "the backend allows no thread for each queue (UBLKEV_LIMIT_THREADS), or not several, or has no place() for zero copy: the log says which; do without" },
	{ UBLKEV_STEP_SETUP, -EAGAIN,
	  "no more threads: raise the limit of processes (ulimit -u, TasksMax=), or have fewer queues" },
	{ UBLKEV_STEP_SETUP, -EMFILE,
	  "too few file descriptors, a device needs five, and three for each thread: raise the limit (ulimit -n, LimitNOFILE=)" },
	{ UBLKEV_STEP_SETUP, -ENFILE,
	  "the system is out of file descriptors: raise fs.file-max" },
	{ UBLKEV_STEP_SETUP, -ENOMEM,
	  "no memory for rings and buffers: lower queues, depth or max I/O size, or raise the limit of locked memory (ulimit -l)" },
	{ UBLKEV_STEP_SETUP, -EPERM,
	  "io_uring is disabled here: set sysctl kernel.io_uring_disabled to 0, or allow io_uring_setup in the seccomp profile of the container" },
	{ UBLKEV_STEP_SETUP, -ENOSYS,
	  "this kernel has no io_uring, or a seccomp profile hides it: use Linux 6.4 or later, and allow io_uring_setup" },
	{ UBLKEV_STEP_SETUP, -EINVAL,
	  "this kernel's io_uring is too old: use Linux 6.4 or later" },
	{ UBLKEV_STEP_CONTROL, -ENOENT,
	  "/dev/ublk-control is missing: load the module (modprobe ublk_drv), or use a kernel built with CONFIG_BLK_DEV_UBLK" },
	{ UBLKEV_STEP_CONTROL, -ENXIO,
	  "/dev/ublk-control has no driver: load the module (modprobe ublk_drv)" },
	{ UBLKEV_STEP_CONTROL, -ENODEV,
	  "/dev/ublk-control has no driver: load the module (modprobe ublk_drv)" },
	{ UBLKEV_STEP_CONTROL, -EACCES,
	  "no permission for /dev/ublk-control: run as root; an ordinary user's device needs ublk-ev's udev rule, and the user in group ublk" },
	{ UBLKEV_STEP_CONTROL, -EPERM,
	  "no permission for /dev/ublk-control: run as root, and allow the device in the container's device cgroup" },
	{ UBLKEV_STEP_CONTROL, -EMFILE,
	  "too few file descriptors, a device needs five, and three for each thread: raise the limit (ulimit -n, LimitNOFILE=)" },
	{ UBLKEV_STEP_FEATURES, -EOPNOTSUPP,
	  "this kernel's ublk lacks a feature that is needed, the log names it: have another recovery, one thread a queue, or a newer Linux (6.4; to fail I/O 6.13)" },
	{ UBLKEV_STEP_SETUP, -EACCES,
	  "being an IO_FLUSHER needs CAP_SYS_RESOURCE, and io_uring a security module or seccomp profile that allows it" },
	{ UBLKEV_STEP_SETUP, -EPIPE,
	  "the broker process is dead: start another" },
	{ UBLKEV_STEP_FEATURES, -EPIPE,
	  "the broker process is dead: start another" },
	{ UBLKEV_STEP_FEATURES, -EMFILE,
	  "the broker process is out of file descriptors, a device needs four there: raise the hard limit (ulimit -Hn, LimitNOFILE=)" },
	{ UBLKEV_STEP_FEATURES, -ENFILE,
	  "the system is out of file descriptors: raise fs.file-max" },
	{ UBLKEV_STEP_FEATURES, -ENOMEM,
	  "no memory for the rings of the broker process: raise the limit of locked memory (ulimit -l)" },
	{ UBLKEV_STEP_FEATURES, -EACCES,
	  "the broker has no permission for /dev/ublk-control: start it as root" },
	{ UBLKEV_STEP_FEATURES, -EPERM,
	  "the broker has no permission for /dev/ublk-control: start it as root" },
	{ UBLKEV_STEP_ADD, -EEXIST,
	  "the device id is taken: choose another id, or delete that device if its server is dead" },
	{ UBLKEV_STEP_ADD, -EPERM,
	  "adding a device needs CAP_SYS_ADMIN: run as root" },
	{ UBLKEV_STEP_ADD, -EACCES,
	  "the module's limit of devices is reached: raise ublk_drv.ublks_max" },
	{ UBLKEV_STEP_ADD, -ENOMEM,
	  "the kernel found no memory for the queues: lower queues or depth" },
	{ UBLKEV_STEP_ADD, -EINVAL,
	  "the driver refuses queues, depth or id: see the limits in ublk-evdemo(1)" },
	{ UBLKEV_STEP_PARAMS, -EINVAL,
	  "the driver refuses the disk's geometry: check size, block size and max I/O size" },
	{ UBLKEV_STEP_PARAMS, -EACCES,
	  "nobody gave this user the character device in time: install the udev rule of ublk-ev" },
	{ UBLKEV_STEP_PARAMS, -EPERM,
	  "nobody gave this user the character device in time: install the udev rule of ublk-ev" },
	{ UBLKEV_STEP_PARAMS, -ENOENT,
	  "the character device did not appear in /dev: is devtmpfs or udev at work here?" },
	{ UBLKEV_STEP_INFO, -ENODEV,
	  "there is no such device" },
	{ UBLKEV_STEP_INFO, -EOPNOTSUPP,
	  "the device was made without recovery, or in a way that is not served so, as the log may say: it needs its own program, or can be deleted" },
	{ UBLKEV_STEP_INFO, -ENOTCONN,
	  "the device is stopped: it can only be deleted" },
	{ UBLKEV_STEP_INFO, -EINVAL,
	  "the backend does not fit the device, the log says in what: give the same disk" },
	{ UBLKEV_STEP_INFO, -EPERM,
	  "recovering a device needs CAP_SYS_ADMIN: run as root" },
	{ UBLKEV_STEP_RECOVER, -EBUSY,
	  "another process serves the device, or a child of its dead server still holds it" },
	{ UBLKEV_STEP_RECOVER, -EINVAL,
	  "a former recovery was broken off, which this kernel can't mend: delete the device" },
	{ UBLKEV_STEP_OPEN, -ENOENT,
	  "the character device did not appear in /dev: is devtmpfs or udev at work here?" },
	{ UBLKEV_STEP_OPEN, -EACCES,
	  "no permission for the character device: check its owner, and the container's device cgroup" },
	{ UBLKEV_STEP_OPEN, -EBUSY,
	  "another process holds the character device: only one server may have it" },
	{ UBLKEV_STEP_OPEN, -EMFILE,
	  "too few file descriptors, a device needs five, and three for each thread: raise the limit (ulimit -n, LimitNOFILE=)" },
	{ UBLKEV_STEP_START, -EINVAL,
	  "the block layer refuses the disk's geometry: check block size, max I/O and discard limits" },
	{ UBLKEV_STEP_START, -ENODEV,
	  "the device was stopped or deleted while it came up" },
	{ UBLKEV_STEP_LIVE, -ENODEV,
	  "the device was stopped or deleted from outside" },
	{ UBLKEV_STEP_STOP, -ENODEV,
	  "there is no such device" },
	{ UBLKEV_STEP_STOP, -EPERM,
	  "stopping a device needs CAP_SYS_ADMIN: run as root" },
	{ UBLKEV_STEP_STOP, -EACCES,
	  "the device is another user's: only that user may stop it, or root" },
	{ UBLKEV_STEP_DEL, -EACCES,
	  "the device is another user's: only that user may delete it, or root" },
	{ UBLKEV_STEP_DEL, -EPERM,
	  "deleting a device needs CAP_SYS_ADMIN: run as root" },
};

const char *ublkev_explain(enum ublkev_step step, int err)
{
	size_t i;

	for (i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (explanations[i].step == step && explanations[i].err == err)
			return explanations[i].text;
	if (err == -EPIPE)
		return "the broker process died: the device can't be controlled any more, and is left to the kernel";
	if (err == -ETIMEDOUT && step < UBLKEV_NR_STEPS &&
	    ublkev__life_steps[step].silence)
		return ublkev__life_steps[step].silence;
	if (err == -ETIMEDOUT)
		return "the driver did not answer a control command in time: look for hung tasks in the kernel log";
	return NULL;
}

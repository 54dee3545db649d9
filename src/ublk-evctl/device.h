/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h - a device as the driver, /proc and /sys together know it
 */
#ifndef EVCTL_DEVICE_H
#define EVCTL_DEVICE_H

#include "ublk-evctl/session.h"

/* bits of info.features that this tool looks at: UBLK_F_* */
#define DEV_F_USER_RECOVERY		(UINT64_C(1) << 3)
#define DEV_F_USER_RECOVERY_REISSUE	(UINT64_C(1) << 4)
#define DEV_F_UNPRIVILEGED		(UINT64_C(1) << 5)
#define DEV_F_USER_RECOVERY_FAIL_IO	(UINT64_C(1) << 9)
#define DEV_F_UPDATE_SIZE		(UINT64_C(1) << 10)
#define DEV_F_BATCH_IO			(UINT64_C(1) << 15)

enum dev_server {
	DEV_SERVER_UNKNOWN,	/* may not be seen by this user */
	DEV_SERVER_NONE,
	DEV_SERVER_DEAD,	/* the driver still names it */
	DEV_SERVER_ALIVE
};

struct dev {
	int id;
	int err;			/* of GET_DEV_INFO: then nothing else
					   is known */
	int unsent;			/* err is of asking at all */
	struct ublkev_cmd_info info;
	int params_err;			/* of GET_PARAMS */
	struct ublkev_cmd_params params;
	char scheduler[24];		/* of its disk; "": unknown, or none
					   is there */
	enum dev_server server;
	int pid;			/* its; 0: none */
	char comm[32];
	int held;			/* somebody uses it; -1: unknown */
};

struct devs {
	struct dev *v;
	unsigned int nr;
};

/*
 * The devices that /sys, or else /dev, shows, by number; only `id` unless it
 * is -1, whether shown or not. 0, or a negative errno.
 */
int devs_find(struct devs *d, const char *root, int id);

/* a negative errno of devs_find() of all as the command's failure */
int devs_find_fail(struct evctl *t, int err);

/*
 * Where there is none, whether there is a driver at all: ST_OK, or the
 * command's failure with ST_NOT_FOUND.
 */
int devs_driver(struct evctl *t, const struct devs *d);
void devs_free(struct devs *d);

/* Asks the driver and looks into /proc; `held`: also who uses each. */
void devs_load(struct evctl *t, struct devs *d, int held);

/* devs_load() without the driver: from info and /proc who the server is */
void devs_servers(struct devs *d, const char *root);

/*
 * Find and load device opts->id. On a failure the command's, with its exit
 * status returned, and d is empty.
 */
int devs_load_one(struct evctl *t, struct devs *d, int held);

/* into d->scheduler, what /sys says */
void dev_read_scheduler(struct dev *d, const char *root);

/* d->err as the command's failure */
int dev_fail(struct evctl *t, const struct dev *d);

/* no server lives: it waits for another, or has been left behind */
int dev_is_orphan(const struct dev *d);

/* whether the device, and what its clients wrote, waits for another server */
int dev_is_recoverable(const struct dev *d);

/* "none", "requeue", "reissue", "fail-io" */
const char *dev_recovery_name(uint64_t features);

/* a member "devices" of --json */
json_t *dev_json(const struct dev *d);

/* ["USER_COPY", "BIT_40"] */
json_t *dev_features_json(uint64_t features);

#endif /* EVCTL_DEVICE_H */

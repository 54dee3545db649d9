/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device as the JSON of list and info.
 */
#include <stdio.h>
#include <string.h>

#include "ublk-evctl/device.h"

json_t *dev_features_json(uint64_t features)
{
	json_t *list = json_array();
	const char *name;
	unsigned int b;
	char buf[16];

	for (b = 0; b < 64; b++) {
		if (!(features >> b & 1))
			continue;
		name = ublkev_feature_name(b);
		snprintf(buf, sizeof(buf), "BIT_%u", b);
		json_array_append_new(list, json_string(name ? name : buf));
	}
	return list;
}

static json_t *device_json_tristate(int v)
{
	return v < 0 ? json_null() : json_boolean(v);
}

static json_t *device_json_integer(uint64_t v)
{
	return json_integer((json_int_t)(v & INT64_MAX));
}

static json_t *device_json_server_json(const struct dev *d)
{
	static const int alive[] = {
		[DEV_SERVER_UNKNOWN] = -1,
		[DEV_SERVER_NONE] = 0,
		[DEV_SERVER_DEAD] = 0,
		[DEV_SERVER_ALIVE] = 1,
	};

	return json_pack("{s:o, s:o, s:o}", "alive",
			 device_json_tristate(alive[d->server]),
			 "pid", d->pid ? json_integer(d->pid) : json_null(),
			 "comm", d->comm[0] ? out_json_text(d->comm) :
			 json_null());
}

static json_t *device_json_owner_json(const struct ublkev_cmd_info *i)
{
	if (!(i->features & DEV_F_UNPRIVILEGED))
		return json_null();
	return json_pack("{s:I, s:I}", "uid", (json_int_t)i->owner_uid,
			 "gid", (json_int_t)i->owner_gid);
}

static json_t *device_json_params_json(const struct ublkev_cmd_params *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "logical_block_bytes",
			    device_json_integer(p->logical_block_bytes));
	json_object_set_new(o, "physical_block_bytes",
			    device_json_integer(p->physical_block_bytes));
	json_object_set_new(o, "io_min_bytes",
			    device_json_integer(p->io_min_bytes));
	json_object_set_new(o, "io_opt_bytes",
			    device_json_integer(p->io_opt_bytes));
	json_object_set_new(o, "max_io_bytes",
			    device_json_integer(p->max_io_bytes));
	json_object_set_new(o, "chunk_bytes",
			    device_json_integer(p->chunk_bytes));
	json_object_set_new(o, "max_discard_bytes",
			    device_json_integer(p->max_discard_bytes));
	json_object_set_new(o, "discard_granularity_bytes",
			    device_json_integer(p->discard_granularity_bytes));
	json_object_set_new(o, "max_write_zeroes_bytes",
			    device_json_integer(p->max_write_zeroes_bytes));
	json_object_set_new(o, "read_only", json_boolean(
			    p->flags & UBLKEV_LIMIT_READ_ONLY));
	json_object_set_new(o, "rotational", json_boolean(
			    p->flags & UBLKEV_LIMIT_ROTATIONAL));
	json_object_set_new(o, "volatile_cache", json_boolean(
			    p->flags & UBLKEV_LIMIT_VOLATILE_CACHE));
	json_object_set_new(o, "fua", json_boolean(
			    p->flags & UBLKEV_LIMIT_FUA));
	return o;
}

json_t *dev_json(const struct dev *d)
{
	const struct ublkev_cmd_info *i = &d->info;
	json_t *o = json_object();
	char name[32];

	json_object_set_new(o, "id", json_integer(d->id));
	snprintf(name, sizeof(name), "/dev/ublkb%d", d->id);
	json_object_set_new(o, "device", json_string(name));
	if (d->err) {
		json_object_set_new(o, "error",
				    json_string(out_strerror(d->err)));
		return o;
	}
	json_object_set_new(o, "state",
			    json_string(ublkev_state_name(i->state)));
	json_object_set_new(o, "dev_bytes", d->params_err ? json_null() :
			    device_json_integer(d->params.dev_bytes));
	json_object_set_new(o, "queues", json_integer(i->queues));
	json_object_set_new(o, "depth", json_integer(i->depth));
	json_object_set_new(o, "max_io_bytes",
			    device_json_integer(i->max_io_bytes));
	json_object_set_new(o, "server", device_json_server_json(d));
	json_object_set_new(o, "owner", device_json_owner_json(i));
	json_object_set_new(o, "recovery",
			    json_string(dev_recovery_name(i->features)));
	json_object_set_new(o, "features", dev_features_json(i->features));
	json_object_set_new(
		o, "ours",
		json_boolean(ublkev_signature_is_ours(i->signature)));
	json_object_set_new(o, "orphan", json_boolean(dev_is_orphan(d)));
	json_object_set_new(o, "held", device_json_tristate(d->held));
	json_object_set_new(o, "scheduler", d->scheduler[0] ?
			    out_json_text(d->scheduler) : json_null());
	if (!d->params_err)
		json_object_set_new(o, "params",
				    device_json_params_json(&d->params));
	return o;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types of disks that a line can name: their keys, and how each is made of
 * them.
 */
#include "layers/spec.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ublkev/file.h>

#include "layers/fault.h"
#include "layers/spread.h"
#include "layers/watch.h"

#define MOST_DISKS	64u

#define SIZE(name, help) { name, UBLKEV_DISK_SIZE, help, 0 }
#define TIME(name, help) { name, UBLKEV_DISK_TIME, help, 0 }
#define NUMBER(name, help) { name, UBLKEV_DISK_NUMBER, help, 0 }
#define FLAG(name) { name, UBLKEV_DISK_FLAG, "yes or no", 0 }
#define BASE	{ "base", UBLKEV_DISK_DISK, "a disk", 0 }
#define BASES	{ "base", UBLKEV_DISK_DISK, "a disk, once for each", MOST_DISKS }
#define END	{ NULL, UBLKEV_DISK_STRING, NULL, 0 }

static bool types_flag(const struct ublkev_disk_values *values, const char *key)
{
	return ublkev_disk_number(values, key, 0);
}

static bool types_has(const struct ublkev_disk_values *values, const char *key)
{
	return ublkev_disk_text(values, key);
}

/* a number for a member of 32 bits, which what takes it judges */
static uint32_t types_word(const struct ublkev_disk_values *values,
			   const char *key, uint32_t otherwise)
{
	uint64_t n = ublkev_disk_number(values, key, otherwise);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int types_check_block(struct ublkev_disk_values *values)
{
	uint64_t block = ublkev_disk_number(values, "block", 512);

	if (block < 512 || block > 4096 || block & (block - 1))
		return ublkev_disk_fail(values, "block", -EINVAL,
					"block: give 512, 1024, 2048 or 4096");
	return 0;
}

/* ---- mem, null ------------------------------------------------------------------ */

static int types_disk_conf(struct ublkev_disk_values *values,
			   struct ublkev_disk_conf *conf)
{
	int err = types_check_block(values);

	if (err)
		return err;
	ublkev_disk_conf_init(conf, sizeof(*conf));
	conf->dev_bytes = ublkev_disk_number(values, "size", conf->dev_bytes);
	conf->logical_block_bytes = types_word(values, "block", 512);
	if (types_flag(values, "read-only"))
		conf->flags |= UBLKEV_DISK_READ_ONLY;
	if (!conf->dev_bytes || conf->dev_bytes > INT64_MAX ||
	    conf->dev_bytes % conf->logical_block_bytes)
		return ublkev_disk_fail(values, "size", -EINVAL,
					"size: it is 0, too large, or no multiple of the block: give another");
	return 0;
}

static int types_make_mem(struct ublkev_backend **backendp,
			  struct ublkev_disk_values *values)
{
	struct ublkev_disk_conf conf;
	int err = types_disk_conf(values, &conf);

	if (err)
		return err;
	if (types_flag(values, "huge-pages"))
		conf.flags |= UBLKEV_DISK_HUGE_PAGES;
	err = ublkev_mem_new(backendp, &conf);
	if (err == -ENOMEM)
		return ublkev_disk_fail(values, "size", err,
					"size: there is no memory for it: give a smaller one, or raise ulimit -v");
	return err;
}

static int types_make_null(struct ublkev_backend **backendp,
			   struct ublkev_disk_values *values)
{
	struct ublkev_disk_conf conf;
	int err = types_disk_conf(values, &conf);

	if (!err && types_flag(values, "no-data"))
		conf.flags |= UBLKEV_DISK_NO_DATA;
	return err ? err : ublkev_null_new(backendp, &conf);
}

/* ---- file ------------------------------------------------------------------------- */

static const struct {
	int err;
	const char *text;
} types_file_errors[] = {
	{ -ENOENT, "path: there is no such file: give another, or create and size" },
	{ -EISDIR, "path: it is a directory: give a file" },
	{ -ENOTBLK, "path: it is neither a regular file nor a block device: give another" },
	{ -EACCES, "path: it may not be opened: give read-only, or chmod it" },
	{ -EROFS, "path: it is on a read-only file system: give read-only" },
	{ -EPERM, "path: it may not be opened: give read-only, or another" },
	{ -EBUSY, "path: another server has it, or it is mounted: end that" },
	{ -ENODATA, "path: it has no whole block behind the offset: give a smaller offset, or a larger file" },
	{ -EOVERFLOW, "path: it ends before offset and size do: give a smaller size, or a larger file" },
	{ -EFBIG, "size: it is beyond ulimit -f: raise that, or give a smaller one" },
	{ -ENOSPC, "path: its file system has no room for it: give thin, or a smaller size" },
	{ -EINVAL, "path: it can't be read in such blocks, or offset and size are none of them: give another block, or buffered" },
	{ -EMFILE, "path: there are too many open files: raise ulimit -n" },
	{ -ENFILE, "path: the machine has too many open files: close some" },
};

static int types_file_fail(struct ublkev_disk_values *values, int err)
{
	unsigned int i;

	for (i = 0; i < sizeof(types_file_errors) /
			sizeof(types_file_errors[0]); i++)
		if (types_file_errors[i].err == err)
			return ublkev_disk_fail(values, strncmp(
				types_file_errors[i].text, "size", 4) ?
				"path" : "size", err,
				types_file_errors[i].text);
	return err;
}

static int types_make_file(struct ublkev_backend **backendp,
			   struct ublkev_disk_values *values)
{
	struct ublkev_file_conf conf;
	int err;

	if (!types_has(values, "path"))
		return ublkev_disk_fail(values, NULL, -EINVAL,
					"file: which one? give file:PATH");
	if (types_has(values, "block"))
		err = types_check_block(values);
	else
		err = 0;
	if (err)
		return err;
	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = ublkev_disk_number(values, "size", 0);
	conf.offset_bytes = ublkev_disk_number(values, "offset", 0);
	conf.limit_bytes = ublkev_disk_number(values, "limit", 0);
	conf.logical_block_bytes = types_word(values, "block", 0);
	if (types_flag(values, "create") && !conf.dev_bytes)
		return ublkev_disk_fail(values, "create", -EINVAL,
					"create: how large? give size as well");
	if (types_flag(values, "create") && types_flag(values, "read-only"))
		return ublkev_disk_fail(values, "create", -EINVAL,
					"create: it does not go with read-only: leave one out");
	if (types_flag(values, "read-only"))
		conf.flags |= UBLKEV_FILE_READ_ONLY;
	if (types_flag(values, "buffered"))
		conf.flags |= UBLKEV_FILE_BUFFERED;
	if (types_flag(values, "create"))
		conf.flags |= UBLKEV_FILE_CREATE;
	if (types_flag(values, "thin"))
		conf.flags |= UBLKEV_FILE_THIN;
	return types_file_fail(values, ublkev_file_new(backendp,
				ublkev_disk_text(values, "path"), &conf));
}

/* ---- layers ------------------------------------------------------------------------ */

static int types_need_base(struct ublkev_disk_values *values,
			   struct ublkev_backend **below, unsigned int *nr)
{
	for (*nr = 0; *nr < MOST_DISKS; (*nr)++) {
		below[*nr] = ublkev_disk_base(values, "base", *nr);
		if (!below[*nr])
			break;
	}
	return *nr ? 0 : ublkev_disk_fail(values, NULL, -EINVAL,
					  "over what? give base=DISK");
}

static int types_make_spread(struct ublkev_backend **backendp,
			     struct ublkev_disk_values *values,
			     const struct ublkev__spread *conf)
{
	struct ublkev_backend *below[MOST_DISKS];
	unsigned int nr;
	int err = types_need_base(values, below, &nr);

	if (err)
		return err;
	err = ublkev__spread_new(backendp, conf, below, nr);
	while (err && nr--)
		ublkev_disk_discard(below[nr]);
	return err;
}

static int types_make_part(struct ublkev_backend **backendp,
			   struct ublkev_disk_values *values)
{
	const struct ublkev__spread conf = {
		.ops = &ublkev__part_ops,
		.offset_bytes = ublkev_disk_number(values, "offset", 0),
		.size_bytes = ublkev_disk_number(values, "size", 0),
	};

	return types_make_spread(backendp, values, &conf);
}

static int types_make_concat(struct ublkev_backend **backendp,
			     struct ublkev_disk_values *values)
{
	const struct ublkev__spread conf = { .ops = &ublkev__concat_ops };

	return types_make_spread(backendp, values, &conf);
}

static int types_make_stripe(struct ublkev_backend **backendp,
			     struct ublkev_disk_values *values)
{
	const struct ublkev__spread conf = {
		.ops = &ublkev__stripe_ops,
		.chunk_bytes = ublkev_disk_number(values, "chunk", 64 << 10),
	};

	if (conf.chunk_bytes < 512 || conf.chunk_bytes > 1 << 28 ||
	    conf.chunk_bytes & (conf.chunk_bytes - 1))
		return ublkev_disk_fail(values, "chunk", -EINVAL,
					"chunk: give a power of two from 512 to 256M");
	return types_make_spread(backendp, values, &conf);
}

static int types_over_one(struct ublkev_backend **backendp,
			  struct ublkev_disk_values *values,
			  int (*make)(struct ublkev_backend **backendp,
				      struct ublkev_backend *beneath))
{
	struct ublkev_backend *below[MOST_DISKS];
	unsigned int nr;
	int err = types_need_base(values, below, &nr);

	if (err)
		return err;
	err = make(backendp, below[0]);
	if (err)
		ublkev_disk_discard(below[0]);
	return err;
}

static int types_make_stats(struct ublkev_backend **backendp,
			    struct ublkev_disk_values *values)
{
	return types_over_one(backendp, values, ublkev__stats_layer_new);
}

static int types_make_log(struct ublkev_backend **backendp,
			  struct ublkev_disk_values *values)
{
	return types_over_one(backendp, values, ublkev__log_layer_new);
}

/* ---- fault ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int err;
} types_errors[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "ETIMEDOUT", ETIMEDOUT },
	{ "ENOMEM", ENOMEM }, { "EAGAIN", EAGAIN }, { "EILSEQ", EILSEQ },
	{ "ENODATA", ENODATA }, { "ENOLINK", ENOLINK },
	{ "EREMOTEIO", EREMOTEIO }, { "EOPNOTSUPP", EOPNOTSUPP },
};

static int types_error(struct ublkev_disk_values *values, int *errp)
{
	const char *name = ublkev_disk_text(values, "error");
	unsigned int i;

	*errp = 0;
	if (!name)
		return 0;
	for (i = 0; i < sizeof(types_errors) / sizeof(types_errors[0]); i++)
		if (!strcmp(name, types_errors[i].name)) {
			*errp = -types_errors[i].err;
			return 0;
		}
	return ublkev_disk_fail(values, "error", -EINVAL,
				"error: give EIO, ENOSPC, ETIMEDOUT, ENOMEM, EAGAIN, EILSEQ, ENODATA, ENOLINK, EREMOTEIO or EOPNOTSUPP");
}

static const char *const types_ops[] = {
	[UBLKEV_OP_READ] = "read", [UBLKEV_OP_WRITE] = "write",
	[UBLKEV_OP_FLUSH] = "flush", [UBLKEV_OP_DISCARD] = "discard",
	[UBLKEV_OP_WRITE_ZEROES] = "zeroes",
};

/* names with a + between, as write+zeroes */
static int types_ops_of(struct ublkev_disk_values *values, uint32_t *ops)
{
	const char *at = ublkev_disk_text(values, "ops"), *plus;
	unsigned int i;
	size_t n;

	*ops = at ? 0 : UINT32_MAX;
	for (; at; at = plus ? plus + 1 : NULL) {
		plus = strchr(at, '+');
		n = plus ? (size_t)(plus - at) : strlen(at);
		for (i = 0; i < UBLKEV_LAYER_OPS; i++)
			if (strlen(types_ops[i]) == n &&
			    !memcmp(types_ops[i], at, n))
				break;
		if (i == UBLKEV_LAYER_OPS)
			return ublkev_disk_fail(values, "ops", -EINVAL,
						"ops: give some of read, write, flush, discard and zeroes, with a + between");
		*ops |= 1u << i;
	}
	return 0;
}

static int types_percent(struct ublkev_disk_values *values, const char *key,
			 uint32_t otherwise, uint32_t *percent)
{
	*percent = types_word(values, key, otherwise);
	if (*percent <= 100)
		return 0;
	return ublkev_disk_fail(values, key, -EINVAL,
				"it is more than 100: give a percentage");
}

static int types_fault_rule(struct ublkev_disk_values *values,
			    struct ublkev_fault_rule *rule)
{
	int err;

	ublkev_fault_rule_init(rule, sizeof(*rule));
	err = types_error(values, &rule->err);
	if (!err)
		err = types_ops_of(values, &rule->ops);
	if (!err)
		err = types_percent(values, "chance", 100,
				    &rule->chance_percent);
	if (!err)
		err = types_percent(values, "tail-chance", 0,
				    &rule->tail_percent);
	if (err)
		return err;
	rule->from_bytes = ublkev_disk_number(values, "from", 0);
	rule->to_bytes = ublkev_disk_number(values, "to", UINT64_MAX);
	rule->torn = types_flag(values, "torn");
	rule->stall = types_flag(values, "stall");
	rule->delay_us = ublkev_disk_number(values, "delay", 0);
	rule->jitter_us = ublkev_disk_number(values, "jitter", 0);
	rule->tail_us = ublkev_disk_number(values, "tail", 0);
	rule->iops = types_word(values, "iops", 0);
	if (rule->from_bytes >= rule->to_bytes)
		return ublkev_disk_fail(values, "to", -EINVAL,
					"to: it is no more than from: give a larger one");
	if (rule->torn && !rule->err)
		return ublkev_disk_fail(values, "torn", -EINVAL,
					"torn: of which writes? give error as well");
	return 0;
}

static int types_make_fault(struct ublkev_backend **backendp,
			    struct ublkev_disk_values *values)
{
	struct ublkev_backend *below[MOST_DISKS];
	struct ublkev__fault_conf conf;
	unsigned int nr;
	int err;

	err = types_fault_rule(values, &conf.rule);
	if (!err)
		err = types_percent(values, "keep", 0, &conf.cut_keep_percent);
	if (err)
		return err;
	conf.seed = ublkev_disk_number(values, "seed", 1);
	conf.cache_bytes = ublkev_disk_number(values, "cache", 0);
	conf.cut_after = ublkev_disk_number(values, "cut-after", 0);
	err = types_need_base(values, below, &nr);
	if (err)
		return err;
	err = ublkev__fault_new(backendp, &conf, below[0]);
	if (err)
		ublkev_disk_discard(below[0]);
	if (err == -EINVAL)
		return ublkev_disk_fail(values, NULL, err,
					"fault: a time of more than an hour, or iops of more than a million: give less");
	return err;
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct ublkev_disk_key types_mem_keys[] = {
	SIZE("size", "a size, as 1G"), SIZE("block", "512 to 4096"),
	FLAG("read-only"), FLAG("huge-pages"), END
};

static const struct ublkev_disk_key types_null_keys[] = {
	SIZE("size", "a size, as 1G"), SIZE("block", "512 to 4096"),
	FLAG("read-only"), FLAG("no-data"), END
};

static const struct ublkev_disk_key types_file_keys[] = {
	{ "path", UBLKEV_DISK_PATH, "a regular file or a block device", 0 },
	SIZE("size", "a size, as 1G"), SIZE("offset", "a size, as 1M"),
	SIZE("limit", "a size, as 1G"), SIZE("block", "512 to 4096"),
	FLAG("read-only"), FLAG("buffered"), FLAG("create"), FLAG("thin"), END
};

static const struct ublkev_disk_key types_part_keys[] = {
	BASE, SIZE("offset", "a size, as 1M"), SIZE("size", "a size, as 1G"),
	END
};

static const struct ublkev_disk_key types_concat_keys[] = { BASES, END };

static const struct ublkev_disk_key types_stripe_keys[] = {
	BASES, SIZE("chunk", "a power of two, as 64K"), END
};

static const struct ublkev_disk_key types_base_keys[] = { BASE, END };

static const struct ublkev_disk_key types_fault_keys[] = {
	BASE, NUMBER("seed", "a number"),
	{ "ops", UBLKEV_DISK_STRING, "ops, as read+write", 0 },
	SIZE("from", "a size, as 1M"), SIZE("to", "a size, as 2M"),
	NUMBER("chance", "0 to 100"),
	{ "error", UBLKEV_DISK_STRING, "an errno, as EIO", 0 }, FLAG("torn"),
	TIME("delay", "a time, as 5ms"), TIME("jitter", "a time, as 5ms"),
	NUMBER("tail-chance", "0 to 100"), TIME("tail", "a time, as 1s"),
	NUMBER("iops", "requests a second"), FLAG("stall"),
	SIZE("cache", "a size, as 64M"), NUMBER("cut-after", "a number of writes"),
	NUMBER("keep", "0 to 100"), END
};

const struct ublkev_disk_type ublkev__disk_types[] = {
	{ "mem", "a disk in memory", types_mem_keys, types_make_mem, NULL },
	{ "null", "a disk that keeps nothing", types_null_keys,
	  types_make_null, NULL },
	{ "file", "a disk in a file, or on a block device", types_file_keys,
	  types_make_file, NULL },
	{ "part", "a part of a disk", types_part_keys, types_make_part, NULL },
	{ "concat", "disks behind one another", types_concat_keys,
	  types_make_concat, NULL },
	{ "stripe", "disks in turn", types_stripe_keys, types_make_stripe,
	  NULL },
	{ "stats", "counts requests", types_base_keys, types_make_stats, NULL },
	{ "log", "a line of the log for each request", types_base_keys,
	  types_make_log, NULL },
	{ "fault", "a disk that fails on command", types_fault_keys,
	  types_make_fault, NULL },
	{ NULL, NULL, NULL, NULL, NULL }
};

const struct ublkev_disk_type *ublkev_disk_type(unsigned int i)
{
	const unsigned int nr = sizeof(ublkev__disk_types) /
				sizeof(ublkev__disk_types[0]) - 1;

	return i < nr ? &ublkev__disk_types[i] : NULL;
}

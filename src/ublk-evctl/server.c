/* SPDX-License-Identifier: BSD-2-Clause */
/* stats and resize: what only the device's server knows and can do */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "common/rundir.h"
#include "ublk-evctl/ask.h"
#include "ublk-evctl/device.h"
#include "ublk-evctl/sample.h"
#include "ublk-evctl/server.h"
#include "ublk-evctl/sock.h"
#include "ublk-evctl/text.h"

struct once {
	struct ev_loop *loop;
	json_t *answer;
	int err;
};

int server_path(const struct evctl *t, char *buf, size_t size)
{
	if (!t->opts->socket)
		return sock_path(buf, size, t->opts->root, t->opts->id);
	return (size_t)snprintf(buf, size, "%s", t->opts->socket) < size ? 0 :
	       -ENAMETOOLONG;
}

static void server_on_answer(void *data, json_t *answer, int err)
{
	struct once *o = data;

	o->answer = json_incref(answer);
	o->err = err;
	ev_break(o->loop, EVBREAK_ONE);
}

int server_ask(struct evctl *t, const char *line, json_t **answer)
{
	struct once o = { t->loop, NULL, -ECANCELED };
	char path[PATH_MAX];
	struct sock *s;
	int err;

	err = server_path(t, path, sizeof(path));
	if (err)
		return err;
	err = sock_new(&s, t->loop, path, server_on_answer, &o);
	if (err)
		return err;
	err = sock_ask(s, line, evctl_left(t));
	if (!err) {
		ev_run(t->loop, 0);
		err = o.err;
	}
	sock_free(s);
	*answer = o.answer;
	return err;
}

int server_nowhere(struct evctl *t, int err)
{
	return out_fail(t, ST_USAGE, "where does the server of device %d "
			"listen? %s: give --socket", t->opts->id,
			rundir_error(err));
}

int server_fail(struct evctl *t, int err, const char *remedy)
{
	char path[PATH_MAX];
	int nowhere = server_path(t, path, sizeof(path));

	if (nowhere)
		return server_nowhere(t, nowhere);
	return out_fail(t, out_status(err), "the server's control socket %s: "
			"%s: %s", path, err == -EPROTO ?
			"it answers something else" : out_strerror(err),
			remedy);
}

/* whether it is the device's server that answers; its error is the command's */
static int server_check_answer(struct evctl *t, const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "error"));
	json_int_t err = json_integer_value(json_object_get(answer, "errno"));

	if (!text)
		return ST_OK;
	return out_fail(t, err > 0 && err < 4096 ? out_status(-(int)err) :
			ST_FAILED, "the server of device %d refuses: %s",
			t->opts->id, text);
}

/* --socket may lead to another device's server */
static int server_is_of(struct evctl *t, const json_t *stats)
{
	const char *is = json_string_value(json_object_get(stats, "device"));
	char path[PATH_MAX], name[32];

	snprintf(name, sizeof(name), "/dev/ublkb%d", t->opts->id);
	if (is && !strcmp(is, name))
		return ST_OK;
	if (server_path(t, path, sizeof(path)))
		path[0] = '\0';
	return out_fail(t, ST_FAILED, "the server at %s serves %s, not %s: "
			"give its own --socket", path, is ? is :
			"no device yet", name);
}

/* the server's counters, of this device; *stats is the caller's if ST_OK */
static int server_load_stats(struct evctl *t, const char *remedy,
			     json_t **stats)
{
	int status, err;

	*stats = NULL;
	err = server_ask(t, "stats", stats);
	if (err)
		return server_fail(t, err, remedy);
	status = server_check_answer(t, *stats);
	if (!status)
		status = server_is_of(t, *stats);
	if (status)
		json_decref(*stats);
	return status;
}

int server_check(struct evctl *t, const char *remedy)
{
	struct ask a;
	json_t *stats;
	int status;

	/* without a device there is no server, and that is not its fault */
	if (ask_one(t, &a, UBLKEV_CMD_GET_DEV_INFO, t->opts->id, 0))
		return ask_fail(t, &a);
	/* where it listens by default, the name says it */
	if (!t->opts->socket)
		return ST_OK;
	status = server_load_stats(t, remedy, &stats);
	if (!status)
		json_decref(stats);
	return status;
}

/* ---- stats -------------------------------------------------------------- */

static json_int_t server_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void server_say_ops(const json_t *stats)
{
	const json_t *ops = json_object_get(stats, "ops");
	struct table tab;
	const json_t *o;
	unsigned int op;
	char size[16];

	table_init(&tab, 4);
	table_cell(&tab, "OP");
	table_cell(&tab, "REQUESTS");
	table_cell(&tab, "BYTES");
	table_cell(&tab, "ERRORS");
	for (op = 0; op < UBLKEV_NR_OPS; op++) {
		o = json_object_get(ops, ublkev_op_name(op));
		table_cell(&tab, "%s", ublkev_op_name(op));
		table_cell(&tab, "%" JSON_INTEGER_FORMAT,
			   server_number(o, "reqs"));
		table_cell(&tab, "%s", text_bytes(size, (uint64_t)
						  server_number(o, "bytes")));
		table_cell(&tab, "%" JSON_INTEGER_FORMAT,
			   server_number(o, "errors"));
	}
	if (!tab.failed)
		table_print(&tab, stdout);
	table_fini(&tab);
}

static void server_say_latency(struct evctl *t, const json_t *stats,
			       const char *key, const char *name)
{
	const json_t *l = json_object_get(json_object_get(stats, "latency_us"),
					  key);

	if (server_number(l, "count"))
		out_say(t,
			"%s: p50 %" JSON_INTEGER_FORMAT
			" p90 %" JSON_INTEGER_FORMAT
			" p99 %" JSON_INTEGER_FORMAT
			" max %" JSON_INTEGER_FORMAT " us\n",
			name, server_number(l, "p50"), server_number(l, "p90"),
			server_number(l, "p99"), server_number(l, "max"));
}

static void server_say_stats(struct evctl *t, const json_t *stats)
{
	server_say_ops(stats);
	server_say_latency(t, stats, "read", "read latency, in the server");
	server_say_latency(t, stats, "other", "other latency, in the server");
	out_say(t,
		"in flight: %" JSON_INTEGER_FORMAT " (%" JSON_INTEGER_FORMAT
		" at most); up %.1f s\n",
		server_number(stats, "inflight"),
		server_number(stats, "inflight_max"),
		(double)server_number(stats, "uptime_ms") / 1000);
}

static json_t *server_average(struct evctl *t, const char *name, uint64_t ms,
			      uint64_t reqs)
{
	double us = sample_average_us(ms, reqs);

	if (us < 0)
		return json_null();
	out_say(t, "%s latency, of the disk's users: %.0f us on average\n",
		name, us);
	return json_real(us);
}

/* since the disk appeared, which may be longer ago than this server's start */
static void server_say_disk(struct evctl *t)
{
	struct sample s;
	json_t *o;

	if (sample_kernel(&s, t->opts->root, t->opts->id))
		return;
	o = json_object();
	json_object_set_new(o, "read_average_us",
			    server_average(t, "read", s.rd_ms, s.rd_done));
	json_object_set_new(o, "write_average_us",
			    server_average(t, "write", s.wr_ms, s.wr_done));
	out_set(t, "disk", o);
}

int cmd_stats(struct evctl *t)
{
	json_t *stats;
	int status;

	status = server_load_stats(t,
				   "is it a ublk-evdemo, and is this its user? "
				   "give --socket if it has another",
				   &stats);
	if (status)
		return status;
	if (!t->top)
		server_say_stats(t, stats);
	server_say_disk(t);
	out_set(t, "id", json_integer(t->opts->id));
	out_set(t, "stats", stats);
	return ST_OK;
}

/* ---- resize ------------------------------------------------------------- */

static int server_resize_kernel(struct evctl *t)
{
	struct ask a;
	int err;

	err = ask_one(t, &a, UBLKEV_CMD_UPDATE_SIZE, t->opts->id,
		      t->opts->size_bytes);
	if (err == -EOPNOTSUPP)
		return out_fail(t, ST_ABSENT, "UPDATE_SIZE is not in this "
				"kernel: Linux 6.16 has it");
	return err ? ask_fail(t, &a) : ST_OK;
}

/*
 * The driver's flag of a device says that the kernel has UPDATE_SIZE; then it
 * is the disk that refuses.
 */
static int server_resize_refused(struct evctl *t, const json_t *answer,
				 const struct ublkev_cmd_info *i)
{
	if (json_integer_value(json_object_get(answer, "errno")) != EOPNOTSUPP)
		return server_check_answer(t, answer);
	if (!(i->features & DEV_F_UPDATE_SIZE))
		return out_fail(t, ST_ABSENT, "device %d cannot be resized: "
				"the kernel that made it has no UPDATE_SIZE: "
				"use Linux 6.16 or later", i->id);
	return out_fail(t, ST_ABSENT, "device %d cannot be resized: what is "
			"behind it has one size (such as --backend null): "
			"start it anew with another --size", i->id);
}

static int server_resize_server(struct evctl *t,
				const struct ublkev_cmd_info *i)
{
	static const char remedy[] =
		"only its server can resize the disk behind it; --force "
		"changes just what the kernel believes";
	char line[64];
	json_t *answer = NULL;
	int err, status;

	status = server_check(t, remedy);
	if (status)
		return status;
	snprintf(line, sizeof(line), "resize %" PRIu64 "%s",
		 t->opts->size_bytes, t->opts->shrink ? " shrink" : "");
	err = server_ask(t, line, &answer);
	if (err)
		return server_fail(t, err, remedy);
	status = server_resize_refused(t, answer, i);
	json_decref(answer);
	return status;
}

static int server_is_live(struct evctl *t, const struct ublkev_cmd_info *i)
{
	if (i->state == UBLKEV_STATE_LIVE)
		return ST_OK;
	/* before Linux 7.0 UPDATE_SIZE of one without a disk is a crash */
	return out_fail(t, ST_FAILED, "device %d is not live but %s: only a "
			"device that is served can be resized", t->opts->id,
			ublkev_state_name(i->state));
}

int cmd_resize(struct evctl *t)
{
	const struct opts *o = t->opts;
	struct ask info, params;
	uint64_t old;
	int status;

	if (ask_one(t, &info, UBLKEV_CMD_GET_DEV_INFO, o->id, 0))
		return ask_fail(t, &info);
	if (ask_one(t, &params, UBLKEV_CMD_GET_PARAMS, o->id, 0))
		return ask_fail(t, &params);
	old = params.answer.u.params.dev_bytes;
	status = server_is_live(t, &info.answer.u.info);
	if (status)
		return status;
	if (o->size_bytes < old && !o->shrink)
		return out_fail(t, ST_FAILED, "device %d has %" PRIu64
				" bytes: a smaller size cuts off what is "
				"there: give --shrink if that is meant",
				o->id, old);
	status = o->force ? server_resize_kernel(t) :
			    server_resize_server(t, &info.answer.u.info);
	if (status)
		return status;
	out_set(t, "id", json_integer(o->id));
	out_set(t, "old_bytes", json_integer((json_int_t)old));
	out_set(t, "dev_bytes", json_integer((json_int_t)o->size_bytes));
	out_say(t, "device %d: %" PRIu64 " bytes, was %" PRIu64 "\n", o->id,
		o->size_bytes, old);
	return ST_OK;
}

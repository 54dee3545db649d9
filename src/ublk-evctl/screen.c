/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Draws top's table where a terminal is, over what was there before; writes
 * it as text or as JSON where there is none.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evctl/screen.h"
#include "ublk-evctl/text.h"

/* ECMA-48, and xterm's private modes for the alternate screen and cursor */
#define ENTER	"\033[?1049h\033[?25l"
#define LEAVE	"\033[?25h\033[?1049l"
#define HOME	"\033[H"
#define TO_EOL	"\033[K"
#define TO_END	"\033[J"

void screen_open(struct screen *s, int json)
{
	s->json = json;
	s->tty = !json && isatty(STDOUT_FILENO);
	if (s->tty)
		fputs(ENTER, stdout);
}

void screen_close(struct screen *s)
{
	if (s->tty)
		fputs(LEAVE, stdout);
	fflush(stdout);
}

static void screen_latency_cells(struct table *tab, const struct latency *l)
{
	if (l->count) {
		table_cell(tab, "%llu", (unsigned long long)l->p50_us);
		table_cell(tab, "%llu", (unsigned long long)l->p99_us);
	} else {
		table_cell(tab, "-");
		table_cell(tab, "-");
	}
}

static void screen_disk_cell(struct table *tab, double us)
{
	if (us < 0)
		table_cell(tab, "-");
	else
		table_cell(tab, "%.0f", us);
}

static void screen_row(struct table *tab, const struct peer *p)
{
	static const char *const from[] = {
		[PEER_NOTHING] = "no disk",
		[PEER_SERVER] = "server",
		[PEER_KERNEL] = "kernel",
	};
	struct rates r;

	sample_rates(&r, &p->now, p->comparable ? &p->then : &p->now);
	table_cell(tab, "%d", p->id);
	table_cell(tab, "%.0f", r.rd_iops);
	table_cell(tab, "%.1f", r.rd_mib_s);
	screen_latency_cells(tab, &r.rd);
	screen_disk_cell(tab, r.rd_disk_us);
	table_cell(tab, "%.0f", r.wr_iops);
	table_cell(tab, "%.1f", r.wr_mib_s);
	screen_latency_cells(tab, &r.wr);
	screen_disk_cell(tab, r.wr_disk_us);
	if (r.occupancy < 0)
		table_cell(tab, "%u", p->now.inflight);
	else
		table_cell(tab, "%u/%u %.0f%%", p->now.inflight,
			   p->now.capacity, r.occupancy * 100);
	table_cell(tab, "%s", from[p->source]);
}

static char *screen_table_text(const struct peer *p)
{
	static const char *const heads[] = {
		"ID", "READ/s", "MiB/s", "p50us", "p99us", "diskus", "WRITE/s",
		"MiB/s", "p50us", "p99us", "diskus", "QUEUES", "FROM"
	};
	const unsigned int cols = sizeof(heads) / sizeof(heads[0]);
	char *text = NULL;
	struct table tab;
	size_t size;
	unsigned int i;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	table_init(&tab, cols);
	for (i = 0; i < cols; i++)
		table_cell(&tab, "%s", heads[i]);
	for (; p; p = p->next)
		screen_row(&tab, p);
	if (!tab.failed)
		table_print(&tab, f);
	table_fini(&tab);
	fclose(f);
	return text;
}

/* line by line, as wide and as high as there is room; over what was there */
static void screen_draw_tty(const char *head, char *text)
{
	struct winsize ws = { 0 };
	char *line, *save = NULL;
	int width, rows;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_col)
		ws = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	width = ws.ws_col;
	rows = ws.ws_row - 2;
	printf(HOME "%.*s" TO_EOL "\n", width, head);
	for (line = strtok_r(text, "\n", &save); line && rows > 0;
	     line = strtok_r(NULL, "\n", &save), rows--)
		printf("%.*s" TO_EOL "\n", width, line);
	fputs(TO_END, stdout);
}

static json_t *screen_latency_json(const struct latency *l)
{
	if (!l->count)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I}",
			 "count", (json_int_t)l->count,
			 "p50", (json_int_t)l->p50_us,
			 "p90", (json_int_t)l->p90_us,
			 "p99", (json_int_t)l->p99_us,
			 "max", (json_int_t)l->max_us);
}

static json_t *screen_disk_json(double us)
{
	return us < 0 ? json_null() : json_real(us);
}

static json_t *screen_peer_json(const struct peer *p)
{
	static const char *const from[] = {
		[PEER_NOTHING] = NULL,
		[PEER_SERVER] = "server",
		[PEER_KERNEL] = "kernel",
	};
	struct rates r;

	sample_rates(&r, &p->now, p->comparable ? &p->then : &p->now);
	return json_pack(
		"{s:i, s:s?, s:{s:f, s:f, s:o, s:o}, s:{s:f, s:f, s:o, s:o}, "
		"s:i, s:o}",
		"id", p->id, "from", from[p->source],
		"read", "iops", r.rd_iops, "mib_s", r.rd_mib_s,
		"latency_us", screen_latency_json(&r.rd),
		"disk_average_us", screen_disk_json(r.rd_disk_us),
		"write", "iops", r.wr_iops, "mib_s", r.wr_mib_s,
		"latency_us", screen_latency_json(&r.wr),
		"disk_average_us", screen_disk_json(r.wr_disk_us),
		"inflight", (int)p->now.inflight,
		"capacity", p->now.capacity ?
		json_integer(p->now.capacity) : json_null());
}

static void screen_draw_json(const struct evctl *t, const struct peer *p)
{
	json_t *list = json_array();

	for (; p; p = p->next)
		json_array_append_new(list, screen_peer_json(p));
	json_object_set_new(t->top, "devices", list);
	json_dumpf(t->top, stdout, JSON_COMPACT | JSON_ENSURE_ASCII |
		   JSON_REAL_PRECISION(6));
	putchar('\n');
}

void screen_draw(struct screen *s, const struct evctl *t,
		 const struct peer *peers)
{
	time_t now = time(NULL);
	char head[128], clock[32] = "";
	struct tm tm;
	char *text;

	if (s->json) {
		screen_draw_json(t, peers);
		fflush(stdout);
		return;
	}
	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(head, sizeof(head), "ublk-evctl top  %s  every %u s%s", clock,
		 t->opts->interval_s, peers ? "" : "  no devices");
	text = screen_table_text(peers);
	if (text && s->tty)
		screen_draw_tty(head, text);
	else if (text)
		printf("%s\n%s\n", head, peers ? text : "");
	free(text);
	fflush(stdout);
}

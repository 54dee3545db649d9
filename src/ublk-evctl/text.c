/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Columns as wide as what is in them, and numbers as short as they can be
 * read.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/text.h"
#include "common/escape.h"

void table_init(struct table *t, unsigned int cols)
{
	memset(t, 0, sizeof(*t));
	t->cols = cols;
}

void table_fini(struct table *t)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		free(t->cells[i]);
	free(t->cells);
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char **v = realloc(t->cells, (t->nr + 1) * sizeof(*v));
	char text[256], line[ESCAPE_SIZE(sizeof(text))];
	va_list ap;

	if (!v) {
		t->failed = 1;
		return;
	}
	t->cells = v;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v[t->nr] = strdup(escape_text(line, sizeof(line), text));
	if (v[t->nr])
		t->nr++;
	else
		t->failed = 1;
}

static int text_width(const struct table *t, unsigned int col)
{
	size_t len, most = 0;
	unsigned int i;

	for (i = col; i < t->nr; i += t->cols) {
		len = strlen(t->cells[i]);
		most = len > most ? len : most;
	}
	return (int)most;
}

void table_print(const struct table *t, FILE *f)
{
	unsigned int i, col;

	for (i = 0; i < t->nr; i++) {
		col = i % t->cols;
		if (col + 1 < t->cols)
			fprintf(f, "%-*s  ", text_width(t, col), t->cells[i]);
		else
			fprintf(f, "%s\n", t->cells[i]);
	}
}

const char *text_bytes(char buf[16], uint64_t bytes)
{
	static const char *const units[] = {
		"", "K", "M", "G", "T", "P", "E"
	};
	uint64_t unit = 1;
	unsigned int u = 0;

	while (u < 6 && bytes / unit >= 1024) {
		unit <<= 10;
		u++;
	}
	if (bytes % unit)
		snprintf(buf, 16, "%.1f%s", (double)bytes / (double)unit,
			 units[u]);
	else
		snprintf(buf, 16, "%u%s", (unsigned int)(bytes / unit),
			 units[u]);
	return buf;
}

static int text_has_cpu(const struct ublkev_cpus *cpus, unsigned int n)
{
	return n < UBLKEV_MAX_CPUS && cpus->bits[n / 64] >> n % 64 & 1;
}

int text_cpus(char *buf, size_t size, const struct ublkev_cpus *cpus)
{
	unsigned int n, end;
	char range[32];
	size_t at = 0;

	if (size)
		buf[0] = '\0';
	for (n = 0; n < UBLKEV_MAX_CPUS; n = end + 1) {
		end = n;
		if (!text_has_cpu(cpus, n))
			continue;
		while (text_has_cpu(cpus, end + 1))
			end++;
		if (n == end)
			snprintf(range, sizeof(range), "%u", n);
		else
			snprintf(range, sizeof(range), "%u-%u", n, end);
		at += (size_t)snprintf(at < size ? buf + at : NULL,
				       at < size ? size - at : 0, "%s%s",
				       at ? "," : "", range);
	}
	return (int)at;
}

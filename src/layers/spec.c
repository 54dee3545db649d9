/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a line from its left to its right, once. A disk within a disk is read where
 * it stands, so that what is wrong with it is told by its place in the whole line.
 */
#include "layers/spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/guard.h"
#include "layer/lower.h"

/* a part of the line */
struct text {
	const char *from, *to;
};

struct spec {
	const char *line;
	const struct ublkev_disk_type *own;
	struct ublkev_disk_error *why;
	unsigned int depth;
};

__attribute__((format(printf, 3, 4)))
static int spec_fail(struct ublkev_disk_error *why, size_t at,
		     const char *format, ...)
{
	va_list ap;

	why->at = at;
	va_start(ap, format);
	vsnprintf(why->text, sizeof(why->text), format, ap);
	va_end(ap);
	return -EINVAL;
}

static size_t spec_at(const struct spec *s, const char *p)
{
	return (size_t)(p - s->line);
}

/* for messages: what it has of printable characters, and not too much of it */
static const char *spec_shown(char buf[40], struct text t)
{
	size_t n = 0;

	for (; t.from < t.to && n < 32; t.from++)
		buf[n++] = *t.from < ' ' || *t.from > '~' ? '?' : *t.from;
	strcpy(buf + n, t.from < t.to ? "..." : "");
	return buf;
}

/* ---- types and keys -------------------------------------------------------------- */

static bool spec_is(struct text t, const char *name)
{
	size_t n = (size_t)(t.to - t.from);

	return strlen(name) == n && !memcmp(t.from, name, n);
}

static const struct ublkev_disk_type *spec_find_type(const struct spec *s,
						     struct text name)
{
	const struct ublkev_disk_type *t;

	for (t = s->own; t; t = t->next)
		if (spec_is(name, t->name))
			return t;
	for (t = ublkev__disk_types; t->name; t++)
		if (spec_is(name, t->name))
			return t;
	return NULL;
}

static const struct ublkev_disk_key *
spec_find_key(const struct ublkev_disk_type *type, struct text name)
{
	const struct ublkev_disk_key *k;

	for (k = type->keys; k && k->name; k++)
		if (spec_is(name, k->name))
			return k;
	return NULL;
}

static unsigned int spec_count(const struct ublkev_disk_values *values,
			       const struct ublkev_disk_key *key)
{
	unsigned int i, n = 0;

	for (i = 0; i < values->nr; i++)
		n += values->v[i].key == key;
	return n;
}

/* ---- values ------------------------------------------------------------------------ */

/* a value in brackets, without them: until the one that closes it; NULL: none does */
static const char *spec_skip_brackets(const char *p)
{
	unsigned int open = 0;

	for (; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '[')
			open++;
		else if (*p == ']' && !--open)
			return p;
	}
	return NULL;
}

static const char *spec_skip_plain(const char *p, const char *end)
{
	for (; p < end && *p != ','; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p;
}

/* *p is at its beginning, and behind its end afterwards */
static int spec_take_text(const struct spec *s, const char **p, const char *end,
			  struct text *t)
{
	const char *close;

	if (*p == end || **p != '[') {
		t->from = *p;
		*p = t->to = spec_skip_plain(*p, end);
		return 0;
	}
	close = spec_skip_brackets(*p);
	if (!close || close >= end)
		return spec_fail(s->why, spec_at(s, *p), "this bracket is not closed: add a ]");
	t->from = *p + 1;
	t->to = close;
	*p = close + 1;
	if (*p < end && **p != ',')
		return spec_fail(s->why, spec_at(s, *p), "there is something behind the bracket: put a comma between");
	return 0;
}

/* what is meant: without the backslashes */
static char *spec_copy(struct text t)
{
	char *copy = malloc((size_t)(t.to - t.from) + 1), *to = copy;

	for (; copy && t.from < t.to; t.from++) {
		if (*t.from == '\\' && t.from + 1 < t.to)
			t.from++;
		*to++ = *t.from;
	}
	if (copy)
		*to = '\0';
	return copy;
}

static const char *spec_digits(const char *p, unsigned int base, uint64_t *n)
{
	unsigned int digit;

	for (*n = 0;; p++) {
		digit = *p >= '0' && *p <= '9' ? (unsigned int)(*p - '0') :
			(*p | 32) >= 'a' && (*p | 32) <= 'f' ?
			(unsigned int)(*p | 32) - 'a' + 10 : 99;
		if (digit >= base)
			return p;
		if (*n > (UINT64_MAX - digit) / base)
			return NULL;
		*n = *n * base + digit;
	}
}

/* its unit, as a factor; 0: it is none */
static uint64_t spec_unit(const char *unit, enum ublkev_disk_kind kind)
{
	static const char sizes[] = "KMGT";
	const char *at;

	if (kind == UBLKEV_DISK_TIME)
		return !*unit || !strcmp(unit, "ms") ? 1000 :
		       !strcmp(unit, "us") ? 1 :
		       !strcmp(unit, "s") ? 1000000 : 0;
	if (!*unit)
		return 1;
	if (kind != UBLKEV_DISK_SIZE || unit[1])
		return 0;
	at = strchr(sizes, *unit >= 'a' ? *unit - 32 : *unit);
	return at ? UINT64_C(1) << 10 * (at - sizes + 1) : 0;
}

/* NULL, or what is wrong with it, as the end of a sentence */
static const char *spec_number(const char *text, enum ublkev_disk_kind kind,
			       uint64_t *number)
{
	unsigned int base = 10;
	const char *end;
	uint64_t unit;

	if (kind == UBLKEV_DISK_NUMBER && text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
	}
	end = spec_digits(text, base, number);
	if (end == text)
		return "is no number";
	if (!end)
		return "is too large";
	unit = spec_unit(end, kind);
	if (!unit)
		return kind == UBLKEV_DISK_SIZE ?
			"has something else behind the number: K, M, G or T" :
		       kind == UBLKEV_DISK_TIME ?
			"has something else behind the number: us, ms or s" :
			"has something behind the number";
	if (*number > UINT64_MAX / unit)
		return "is too large";
	*number *= unit;
	return NULL;
}

static const char *spec_flag(const char *text, uint64_t *number)
{
	*number = !strcmp(text, "yes");
	return *number || !strcmp(text, "no") ? NULL :
	       "is neither yes nor no";
}

static int spec_disk(struct spec *s, struct text t,
		     struct ublkev_backend **diskp);

static int spec_fill_value(struct spec *s, struct ublkev__spec_value *v,
			   struct text t)
{
	enum ublkev_disk_kind kind = v->key->kind;
	const char *wrong = NULL;
	char buf[40];

	if (kind == UBLKEV_DISK_DISK)
		return spec_disk(s, t, &v->disk);
	v->text = spec_copy(t);
	if (!v->text)
		return -ENOMEM;
	if (kind == UBLKEV_DISK_FLAG)
		wrong = spec_flag(v->text, &v->number);
	else if (kind >= UBLKEV_DISK_SIZE)
		wrong = spec_number(v->text, kind, &v->number);
	else if (!*v->text)
		wrong = "is empty";
	if (!wrong)
		return 0;
	return spec_fail(s->why, spec_at(s, t.from), "%s: '%s' %s: give %s",
			 v->key->name, spec_shown(buf, t), wrong, v->key->help);
}

static int spec_add_value(struct spec *s, struct ublkev_disk_values *values,
			  const struct ublkev_disk_key *key, struct text t)
{
	unsigned int n = values->nr;
	struct ublkev__spec_value *v;

	if (spec_count(values, key) >= (key->most ? key->most : 1))
		return spec_fail(s->why, spec_at(s, t.from), "%s: it was given before: leave one out",
				 key->name);
	if (!(n & (n - 1))) {
		v = realloc(values->v, (n ? 2 * n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		values->v = v;
	}
	v = &values->v[values->nr++];
	*v = (struct ublkev__spec_value){
		.key = key, .at = spec_at(s, t.from),
	};
	return spec_fill_value(s, v, t);
}

static void spec_free_values(struct ublkev_disk_values *values)
{
	unsigned int i;

	for (i = 0; i < values->nr; i++) {
		free(values->v[i].text);
		ublkev_disk_discard(values->v[i].disk);
	}
	free(values->v);
}

/* ---- a disk -------------------------------------------------------------------------- */

/* up to what ends a name */
static struct text spec_name(const char *from, const char *end)
{
	struct text t = { from, from };

	while (t.to < end && ((*t.to >= 'a' && *t.to <= 'z') ||
			      (*t.to >= '0' && *t.to <= '9') || *t.to == '-'))
		t.to++;
	return t;
}

/* what stands there without a name, NULL: nothing may */
static const struct ublkev_disk_key *
spec_first_key(const struct ublkev_disk_type *type)
{
	const struct ublkev_disk_key *k = type->keys;

	return k && k->name && k->kind != UBLKEV_DISK_FLAG &&
	       k->kind != UBLKEV_DISK_DISK ? k : NULL;
}

static int spec_named(struct spec *s, struct ublkev_disk_values *values,
		      struct text name, const char **p, const char *end)
{
	static const char yes[] = "yes";
	const struct ublkev_disk_key *key = spec_find_key(values->type, name);
	struct text t = { yes, yes + 3 };
	char buf[40];
	int err = 0;

	if (!key)
		return spec_fail(s->why, spec_at(s, name.from), "%s has no key '%s': see the manual for those that it has",
				 values->type->name, spec_shown(buf, name));
	if (name.to < end && *name.to == '=') {
		*p = name.to + 1;
		err = spec_take_text(s, p, end, &t);
		return err ? err : spec_add_value(s, values, key, t);
	}
	if (key->kind != UBLKEV_DISK_FLAG)
		return spec_fail(s->why, spec_at(s, name.to), "%s: it has no value: give %s",
				 key->name, key->help);
	*p = name.to;
	err = spec_add_value(s, values, key, t);
	/* the place of what is not written is that of its name */
	if (values->nr)
		values->v[values->nr - 1].at = spec_at(s, name.from);
	return err;
}

/*
 * Whether it is a key, where a value alone may stand, too: with its =, or a flag
 * that is no such value.
 */
static bool spec_is_key(const struct ublkev_disk_values *values,
			struct text name, const char *end,
			const struct ublkev_disk_key *first)
{
	const struct ublkev_disk_key *key = spec_find_key(values->type, name);

	if (!key)
		return false;
	if (name.to < end && *name.to == '=')
		return true;
	return key->kind == UBLKEV_DISK_FLAG &&
	       first->kind >= UBLKEV_DISK_SIZE;
}

/* KEY=VALUE, or a flag alone; the first may be a value alone */
static int spec_item(struct spec *s, struct ublkev_disk_values *values,
		     const char **p, const char *end, bool first)
{
	const struct ublkev_disk_key *key = spec_first_key(values->type);
	struct text name = spec_name(*p, end), t;
	bool is_named = name.to > name.from &&
			(name.to == end || *name.to == '=' || *name.to == ',');
	int err;

	if (first && key && !(is_named && spec_is_key(values, name, end, key))) {
		err = spec_take_text(s, p, end, &t);
		return err ? err : spec_add_value(s, values, key, t);
	}
	if (is_named)
		return spec_named(s, values, name, p, end);
	return spec_fail(s->why, spec_at(s, *p), "a key is missing here: give KEY=VALUE");
}

static int spec_items(struct spec *s, struct ublkev_disk_values *values,
		      const char *p, const char *end)
{
	bool first = true;
	int err;

	for (;;) {
		err = spec_item(s, values, &p, end, first);
		if (err)
			return err;
		if (p == end)
			return 0;
		if (*p != ',')
			return spec_fail(s->why, spec_at(s, p), "there is something behind the value: put a comma between");
		p++;
		first = false;
	}
}

static int spec_make(struct spec *s, struct ublkev_disk_values *values,
		     struct ublkev_backend **diskp)
{
	int err;

	s->why->text[0] = '\0';
	err = values->type->make(diskp, values);
	if (err > 0 || (!err && !*diskp))
		err = -EINVAL;
	if (err && !s->why->text[0]) {
		(void)spec_fail(s->why, values->at, "%s: %s",
				values->type->name, strerror(-err));
	}
	return err;
}

static int spec_disk_of(struct spec *s, struct ublkev_disk_values *values,
			struct text name, struct text t,
			struct ublkev_backend **diskp)
{
	char buf[40];
	int err = 0;

	values->type = spec_find_type(s, name);
	if (name.to == name.from)
		return spec_fail(s->why, spec_at(s, t.from), "the type of a disk is missing here: give one, as mem:1G");
	if (!values->type)
		return spec_fail(s->why, spec_at(s, name.from), "there is no type of disk '%s': see the manual for those that there are",
				 spec_shown(buf, name));
	if (name.to < t.to && *name.to != ':')
		return spec_fail(s->why, spec_at(s, name.to), "there is something behind the type: put a colon between");
	if (name.to < t.to)
		err = spec_items(s, values, name.to + 1, t.to);
	return err ? err : spec_make(s, values, diskp);
}

static int spec_disk(struct spec *s, struct text t,
		     struct ublkev_backend **diskp)
{
	struct text name = spec_name(t.from, t.to);
	struct ublkev_disk_values values = {
		.at = spec_at(s, t.from), .why = s->why,
	};
	int err;

	if (s->depth == UBLKEV__SPEC_DEPTH)
		return spec_fail(s->why, spec_at(s, t.from), "%u disks stand in one another here: make it fewer",
				 UBLKEV__SPEC_DEPTH);
	s->depth++;
	err = spec_disk_of(s, &values, name, t, diskp);
	spec_free_values(&values);
	s->depth--;
	return err;
}

int ublkev_disk_new(struct ublkev_backend **backendp, const char *line,
		    const struct ublkev_disk_type *own,
		    struct ublkev_disk_error *why)
{
	struct ublkev_disk_error mine;
	struct spec s = { .line = line, .own = own, .why = why ? why : &mine };
	struct text t = { line, line + strlen(line) };
	struct ublkev_backend *disk = NULL;
	int err;

	memset(s.why, 0, sizeof(*s.why));
	err = spec_disk(&s, t, &disk);
	if (!err)
		*backendp = disk;
	else if (!s.why->text[0])
		(void)spec_fail(s.why, 0, "%s", strerror(-err));
	return err;
}

/* ---- what make() asks ------------------------------------------------------------------ */

static const struct ublkev__spec_value *
spec_last(const struct ublkev_disk_values *values, const char *key)
{
	unsigned int i;

	for (i = values->nr; i-- > 0;)
		if (!strcmp(values->v[i].key->name, key))
			return &values->v[i];
	return NULL;
}

const char *ublkev_disk_text(const struct ublkev_disk_values *values,
			     const char *key)
{
	const struct ublkev__spec_value *v = spec_last(values, key);

	return v ? v->text : NULL;
}

uint64_t ublkev_disk_number(const struct ublkev_disk_values *values,
			    const char *key, uint64_t otherwise)
{
	const struct ublkev__spec_value *v = spec_last(values, key);

	return v ? v->number : otherwise;
}

struct ublkev_backend *ublkev_disk_base(struct ublkev_disk_values *values,
					const char *key, unsigned int n)
{
	struct ublkev_backend *disk;
	unsigned int i;

	for (i = 0; i < values->nr; i++) {
		if (strcmp(values->v[i].key->name, key) || n--)
			continue;
		disk = values->v[i].disk;
		values->v[i].disk = NULL;
		return disk;
	}
	return NULL;
}

int ublkev_disk_fail(struct ublkev_disk_values *values, const char *key,
		     int err, const char *text)
{
	const struct ublkev__spec_value *v = key ? spec_last(values, key) :
						   NULL;

	(void)spec_fail(values->why, v ? v->at : values->at, "%s", text);
	return err;
}

static struct ublkev_backend *spec_walk(struct ublkev_backend *b,
					const char *name, unsigned int *left)
{
	struct ublkev_backend *found = NULL;
	const struct ublkev_lower *w;

	if (!strcmp(b->ops.name, name) && !(*left)--)
		return b;
	for (w = b->lowers; w && !found; w = w->next)
		found = spec_walk(w->beneath, name, left);
	return found;
}

struct ublkev_backend *ublkev_disk_find(struct ublkev_backend *top,
					const char *name, unsigned int nth)
{
	return spec_walk(top, name, &nth);
}

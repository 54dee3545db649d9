/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diskspec.h - a backend, or a stack of layers, from one line of text
 *
 *	TYPE[:ARG][,KEY=VALUE]...
 *
 *	mem:1G
 *	file:/img/base.raw,read-only
 *	stripe:chunk=64K,base=file:/d/a,base=file:/d/b
 *	part:offset=1M,base=[file:/img/a.raw,read-only]
 *
 * A value ends at the comma. One that has commas, as a disk with options of its
 * own, stands in brackets, which nest; a backslash takes the character behind it as
 * it is. A flag needs no value. Sizes are bytes, or have K, M, G or T (1024) behind
 * them; times are milliseconds, or have us, ms or s.
 */
#ifndef UBLKEV_DISKSPEC_H
#define UBLKEV_DISKSPEC_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* what is wrong with a line, and where */
struct ublkev_disk_error {
	size_t at;		/* the character of the line, from 0 */
	char text[200];		/* a sentence without \n: the cause, the remedy */
};

enum ublkev_disk_kind {
	UBLKEV_DISK_STRING,
	UBLKEV_DISK_PATH,
	UBLKEV_DISK_SIZE,	/* bytes */
	UBLKEV_DISK_TIME,	/* microseconds, when it is asked for */
	UBLKEV_DISK_NUMBER,	/* decimal, octal or hexadecimal */
	UBLKEV_DISK_FLAG,	/* "yes", "no"; alone "yes" */
	UBLKEV_DISK_DISK,	/* a disk, which the type is a layer over */
};

/* a key of a type */
struct ublkev_disk_key {
	const char *name;	/* NULL ends the list */
	enum ublkev_disk_kind kind;
	const char *help;	/* of one line */
	unsigned int most;	/* so often it may stand there; 0: once */
};

struct ublkev_disk_values;	/* what a line says of one disk */

/*
 * A type. The first of `keys` is what stands without a name behind the colon,
 * unless it is a flag or a disk. make() makes the backend of what `values` say; an
 * error of its is told with ublkev_disk_fail(), or is just an errno.
 */
struct ublkev_disk_type {
	const char *name;	/* lower case letters, digits and - */
	const char *help;	/* of one line */
	const struct ublkev_disk_key *keys;
	int (*make)(struct ublkev_backend **backendp,
		    struct ublkev_disk_values *values);
	const struct ublkev_disk_type *next;	/* the application's: another */
};

/*
 * Makes what `spec` says. A type of the application's, `own` and those that it leads
 * to by `next`, comes before one of the library's of that name; NULL: none. They are
 * needed for this call only. A layer owns what is beneath it, so that freeing
 * *backendp frees all.
 *
 * Errors: -EINVAL (the line), those of the types' functions, as ublkev_file_new(), and
 * -ENOMEM. `why`, unless NULL, tells what is wrong. Files are as they were then. May wait, as
 * those do. Any thread.
 */
int ublkev_disk_new(struct ublkev_backend **backendp, const char *spec,
		    const struct ublkev_disk_type *own,
		    struct ublkev_disk_error *why);

/*
 * Frees the stack, and undoes what ublkev_disk_new() made of files: those that were
 * not there are removed, those that were empty are so again. For a disk that nobody
 * was served. NULL is allowed. Any thread.
 */
void ublkev_disk_discard(struct ublkev_backend *top);

/* The i-th type of the library's, by name; NULL: there are not so many. */
const struct ublkev_disk_type *ublkev_disk_type(unsigned int i);

/*
 * The nth backend of that name (ublkev_backend_name()) in a stack, from the top, the
 * first lower one's before the second's; NULL: there is none. Any thread.
 */
struct ublkev_backend *ublkev_disk_find(struct ublkev_backend *top,
					const char *name, unsigned int nth);

/*
 * ---- in make()
 *
 * What stands there for the key, the last one of those that may stand more than once;
 * NULL, or `otherwise`, if there is none. Sizes, times, numbers and flags (1 or 0)
 * are numbers.
 */
const char *ublkev_disk_text(const struct ublkev_disk_values *values,
			     const char *key);
uint64_t ublkev_disk_number(const struct ublkev_disk_values *values,
			    const char *key, uint64_t otherwise);

/*
 * The i-th disk of that key, which is the caller's then: put it beneath a layer with
 * ublkev_lower_new(), or free it. NULL: there are not so many, or it was taken.
 */
struct ublkev_backend *ublkev_disk_base(struct ublkev_disk_values *values,
					const char *key, unsigned int i);

/* Says that it is the key's value that is wrong (NULL: the type's). Returns err. */
int ublkev_disk_fail(struct ublkev_disk_values *values, const char *key, int err,
		     const char *text);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_DISKSPEC_H */

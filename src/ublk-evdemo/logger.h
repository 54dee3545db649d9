/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger.h - where messages go: stderr, or syslog for a daemon
 *
 * No call here waits, but for stderr that is a terminal or a file, which the
 * scribe is for. A line for which a full pipe, a busy syslog or a busy scribe
 * has no room is dropped, and the next one that goes through says how many
 * were: a reader that sleeps must not stop the disk.
 */
#ifndef EVDEMO_LOGGER_H
#define EVDEMO_LOGGER_H

/* priorities above `level` are dropped; to stderr until told otherwise */
void log_init(int level);

/* from here on to the datagram socket at `path`: "/dev/log" */
void log_to_syslog(const char *path);

/* whether what is for stderr goes by the scribe, see scribe.h */
void log_to_scribe(int on);

void log_msg(int priority, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* a ublkev_log_fn */
void log_line(void *unused, int priority, const char *line);

/*
 * Writes text, all of it, and to a pipe without waiting: 0, -EAGAIN (no room)
 * or another negative errno.
 */
int log_write(int fd, const char *text);

#endif /* EVDEMO_LOGGER_H */

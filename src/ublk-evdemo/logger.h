/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logger.h - where messages go: stderr, or syslog for a daemon
 *
 * Two things here may wait: stderr that is a terminal or a file, and finding
 * syslog's socket by its name, which is a look-up in a file system. Once there
 * is a disk, both are the scribe's. A line for which a full pipe, a busy syslog
 * or a busy scribe has no room is dropped, and the next one that goes through
 * says how many were: a reader that sleeps must not stop the disk. After the last
 * one that is the scribe's to say, however this process has ended.
 */
#ifndef EVDEMO_LOGGER_H
#define EVDEMO_LOGGER_H

#include <sys/types.h>

/* priorities above `level` are dropped; to stderr until told otherwise */
void log_init(int level);

/* from here on to the datagram socket at `path`, in the name of process pid */
void log_to_syslog(const char *path, pid_t pid);
/* likewise to that of this system: /dev/log, with UBLK_EV_ROOT before it */
void log_to_dev_log(pid_t pid);

/* whether it is syslog that lines go to */
int log_is_syslog(void);

/*
 * Whether lines go by the scribe, see scribe.h. When that is gone, what was
 * meant for syslog goes there without it.
 */
void log_to_scribe(int on);

void log_msg(int priority, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* a line as stderr has it, with its \n; answers buf */
const char *log_text(char *buf, size_t size, const char *line);

/* a ublkev_log_fn */
void log_line(void *unused, int priority, const char *line);

/*
 * From here on dropped lines are counted in *lost, which may be shared with
 * another process: those that were before, and are not told yet, with them.
 */
void log_count_at(unsigned long *lost);

/* so many more have been dropped, elsewhere */
void log_lost(unsigned long lines);

/*
 * At the end, after which no line says how many were dropped before it: says so
 * now, if any were. By whom nobody waits for: waits until there is room where the
 * log is, so many milliseconds at most, or -1, however long that takes.
 */
void log_tell_lost(int wait_ms);

/*
 * Writes text, all of it, and to a pipe without waiting: 0, -EAGAIN (no room)
 * or another negative errno.
 */
int log_write(int fd, const char *text);

#endif /* EVDEMO_LOGGER_H */

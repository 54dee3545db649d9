/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scribe.h - the process that writes for a server whose loop may not wait
 *
 * A file on a slow disk, or a terminal that somebody has stopped, takes a
 * line when it pleases, and syslog's socket is found by a name in some file
 * system. Whoever serves a disk hands the line to this process
 * instead, which waits in its place. The socket between the two has room for
 * about a hundred lines; what does not fit is the caller's to count, in memory
 * that both have: when the caller has ended, by whatever, this process says how
 * many that were.
 */
#ifndef EVDEMO_SCRIBE_H
#define EVDEMO_SCRIBE_H

/* what a message is; its text follows */
enum scribe_sort {
	SCRIBE_LOG = 'L',	/* its priority, a digit, and a line: for
				   stderr, or of a live daemon for syslog */
	SCRIBE_LOST = 'N',	/* so many lines found no room before this */
	SCRIBE_OUT = 'O',	/* the disk is there: for stdout, which is
				   closed then, or for who waits for a daemon,
				   whose log is syslog from here on */
	SCRIBE_STATE = 'S'	/* "ID TEXT": see statefile_write() */
};

/*
 * Forks the process, "ublkev-scribe", before there is a loop, a mapping or a
 * thread. It lives until scribe_stop(), or until this process
 * is dead, and holds nothing open but its socket, stdout and stderr; where
 * ready_fd is not -1 (see daemon.h), that and no other file of the caller's.
 * The log counts what it drops where both see it from here on.
 * 0, or a negative errno of mmap(2), socketpair(2) or fork(2).
 */
int scribe_start(int ready_fd);

/*
 * Hands over a text of `len` bytes, never waiting: 0, -EAGAIN (no room),
 * -ENOTCONN (there is no such process), or another negative errno of send(2).
 */
int scribe_tell(enum scribe_sort sort, const char *text, size_t len);

/*
 * Lets it write what it has, for a second at most, and end. One that is stuck
 * in a write is left to itself.
 */
void scribe_stop(void);

#endif /* EVDEMO_SCRIBE_H */

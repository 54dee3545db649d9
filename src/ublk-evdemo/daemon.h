/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.h - into the background, with the parent waiting for good news
 */
#ifndef EVDEMO_DAEMON_H
#define EVDEMO_DAEMON_H

/* the standard descriptors are open, on /dev/null if need be */
void daemon_std_fds(void);

/*
 * Closes every descriptor but the standard ones: what the caller left open
 * (the lock of a script, a pipe whose end somebody waits for) would be held as
 * long as the disk lives.
 */
void daemon_close_inherited(void);

/* whether the signal is ignored, as nohup(1) has it for SIGHUP */
int daemon_keeps_ignoring(int sig);

/*
 * Forks. In the child returns -1, in a session of its own, in / and with
 * *ready_fd set; stderr is still the parent's, for errors of the start.
 * In the parent returns the exit status, after the child called
 * daemon_say_ready() and all who have *ready_fd closed it (prints the line on
 * stdout; 0), or ended (1). A SIGINT,
 * SIGTERM or SIGHUP of the parent goes on to the child.
 * Must come before there is a loop, a ring, a mapping or a thread.
 */
int daemon_fork(int *ready_fd);

/* the child's word that it serves */
void daemon_say_ready(int ready_fd, const char *line);
/* stdio goes to /dev/null */
void daemon_detach(void);

#endif /* EVDEMO_DAEMON_H */

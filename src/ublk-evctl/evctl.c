/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main() of ublk-evctl. What a command does is in the library that the tests
 * link.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <ublkev.h>

#include "ublk-evctl/session.h"

/* no file or socket of ours shall become a standard descriptor */
static void evctl_std_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	struct opts o;
	char err[256];

	evctl_std_fds();
	/* a reader that left is seen in stdout's error */
	signal(SIGPIPE, SIG_IGN);
	if (opts_parse(&o, argc, argv, err, sizeof(err))) {
		fprintf(stderr, "ublk-evctl: %s\n", err);
		return ST_USAGE;
	}
	if (o.cmd == CMD_HELP)
		fputs(opts_help, stdout);
	else if (o.cmd == CMD_VERSION)
		printf("ublk-evctl %s\n", ublkev_version());
	else
		return evctl_run(&o, EVDEMO_PATH);
	return fflush(stdout) ? ST_FAILED : ST_OK;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of a server in the same loop: it says a line and hears what
 * comes.
 */
#include "json_kit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "testlib.h"

int json_kit_dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_uint_lt(strlen(path), sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

void json_kit_turn(struct ev_loop *loop, int n)
{
	while (n--)
		ev_run(loop, EVRUN_NOWAIT);
}

void json_kit_say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

const char *json_kit_hear(struct ev_loop *loop, int fd)
{
	static char buf[4096];
	ssize_t n;

	json_kit_turn(loop, 20);
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return "EOF";
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

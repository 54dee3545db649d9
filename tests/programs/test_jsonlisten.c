/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket's file: made, replaced, removed, and whose it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/jsonpath.h"
#include "ublk-evdemo/jsonsock.h"
#include "json_kit.h"
#include "proctree.h"
#include "testlib.h"

static struct ev_loop *loop;
static struct jsonsock *cs;
static const char *dir;
static char path[512];
static char err[512];
static int answers;

/* the C library's, for the programs' code: how often it sleeps is counted */
static unsigned int sleeps;

int nanosleep(const struct timespec *asked, struct timespec *left)
{
	(void)asked;
	(void)left;
	sleeps++;
	return 0;
}

/* likewise: a name that may not be given */
static int no_rename;

int rename(const char *from, const char *to)
{
	if (!no_rename)
		return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to,
				    0);
	errno = EACCES;
	return -1;
}

static void echo(void *data, struct jsonclient *client, const char *line)
{
	ck_assert_ptr_eq(data, &answers);
	answers++;
	jsonclient_answer(client, strdup(line), -1);
}

static const struct jsonsock_ops ops = { .line = echo };

static void set_up(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	dir = proctree_new();
	snprintf(path, sizeof(path), "%s/ctl", dir);
	answers = 0;
	ck_assert_int_eq(jsonsock_new(&cs, loop, path, 0, &ops, &answers, err,
				      sizeof(err)), 0);
}

static void tear_down(void)
{
	jsonsock_free(cs);
	ck_assert_int_eq(access(path, F_OK), -1);
	ev_loop_destroy(loop);
	proctree_remove(dir);
}

static int dial(void)
{
	return json_kit_dial(path);
}

static const char *hear(int fd)
{
	return json_kit_hear(loop, fd);
}

START_TEST(second_refused)
{
	struct jsonsock *other;
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(jsonsock_new(&other, loop, path, 0, &ops, NULL,
				      err, sizeof(err)), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err, path));
	ck_assert_ptr_nonnull(strstr(err, "somebody listens"));
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(stale_replaced)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char old[] = "stale";
	struct jsonsock *other;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, old);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	ck_assert_int_eq(jsonsock_new(&other, loop, a.sun_path, 0, &ops,
				      NULL, err, sizeof(err)), 0);
	jsonsock_free(other);
	ck_assert_int_eq(access(a.sun_path, F_OK), -1);
}
END_TEST

/* of another sort, or so busy that it takes nobody: somebody has it all the same */
START_TEST(busy_stays)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct jsonsock *other;
	int fd = socket(AF_UNIX, _i ? SOCK_STREAM : SOCK_DGRAM, 0), c = -1;

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/busy", dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (_i) {
		ck_assert_int_eq(listen(fd, 0), 0);
		c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_eq(connect(c, (struct sockaddr *)&a, sizeof(a)),
				 0);
	}
	ck_assert_int_eq(jsonsock_new(&other, loop, a.sun_path, 0, &ops, NULL,
				      err, sizeof(err)), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err, "somebody listens"));
	ck_assert_int_eq(access(a.sun_path, F_OK), 0);
	close(c);
	close(fd);
}
END_TEST

/* a successor's that cannot take the place leaves nothing beside it */
START_TEST(not_replaced)
{
	struct jsonsock *other;
	char beside[600];

	no_rename = 1;
	ck_assert_int_eq(jsonsock_new(&other, loop, path, JSONLISTEN_REPLACE,
				      &ops, NULL, err, sizeof(err)), -EACCES);
	no_rename = 0;
	snprintf(beside, sizeof(beside), "%s.%d", path, (int)getpid());
	ck_assert_int_eq(access(beside, F_OK), -1);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(bad_paths)
{
	struct jsonsock *other;
	char file[600], longer[300];
	struct stat st;

	snprintf(file, sizeof(file), "%s/file", dir);
	proctree_file(dir, "file", "mine");
	ck_assert_int_eq(jsonsock_new(&other, loop, file, 0, &ops, NULL,
				      err, sizeof(err)), -EEXIST);
	/* nor for a successor */
	ck_assert_int_eq(jsonsock_new(&other, loop, file, 1, &ops, NULL,
				      err, sizeof(err)), -EEXIST);
	ck_assert_int_eq(lstat(file, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_eq(jsonsock_new(&other, loop, "/nonexistent/x", 0,
				      &ops, NULL, err, sizeof(err)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err, "directory"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(jsonsock_new(&other, loop, longer, 0, &ops, NULL,
				      err, sizeof(err)), -ENAMETOOLONG);
}
END_TEST

/* somebody put another file there: it is not ours to remove */
START_TEST(replaced_file_stays)
{
	struct jsonsock *other;
	char file[600];

	snprintf(file, sizeof(file), "%s/other", dir);
	ck_assert_int_eq(jsonsock_new(&other, loop, file, 0, &ops, NULL,
				      err, sizeof(err)), 0);
	unlink(file);
	/* holds an inode number, which the next file must not get */
	proctree_file(dir, "spare", "");
	proctree_file(dir, "other", "theirs");
	jsonsock_free(other);
	ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

/* a successor's takes the place of one that is listened on */
START_TEST(replaced)
{
	struct jsonsock *other;
	int was = dial(), is;

	ck_assert_int_eq(jsonsock_new(&other, loop, path, 1, &ops, &answers,
				      err, sizeof(err)), 0);
	is = dial();
	json_kit_say(was, "old\n");
	json_kit_say(is, "new\n");
	ck_assert_str_eq(hear(was), "old\n");
	ck_assert_str_eq(hear(is), "new\n");
	/* it is not the old one's to remove */
	jsonsock_free(cs);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_str_eq(hear(was), "EOF");
	close(was);
	close(is);
	cs = other;
}
END_TEST

START_TEST(replace_nothing)
{
	struct jsonsock *other;
	char file[600], longest[128];

	snprintf(file, sizeof(file), "%s/new", dir);
	ck_assert_int_eq(jsonsock_new(&other, loop, file, 1, &ops, &answers,
				      err, sizeof(err)), 0);
	jsonsock_free(other);
	ck_assert_int_eq(access(file, F_OK), -1);
	ck_assert_int_eq(jsonsock_new(&other, loop, "/nonexistent/x", 1, &ops,
				      &answers, err, sizeof(err)), -ENOENT);
	/* no room for the name beside it */
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[106] = '\0';
	ck_assert_int_eq(jsonsock_new(&other, loop, longest, 1, &ops, &answers,
				      err, sizeof(err)), -ENAMETOOLONG);
}
END_TEST

/* whoever may read the directory may lock it: no reason to wait, or to fail */
START_TEST(locked_directory)
{
	struct jsonsock *other;
	char file[600];
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	snprintf(file, sizeof(file), "%s/other", dir);
	ck_assert_int_eq(flock(fd, LOCK_SH), 0);
	sleeps = 0;
	ck_assert_int_eq(jsonsock_new(&other, loop, file, 0, &ops, NULL,
				      err, sizeof(err)), 0);
	ck_assert_uint_eq(sleeps, 0);
	jsonsock_free(other);
	ck_assert_uint_eq(sleeps, 0);
	/* a start, which serves nobody yet, waits for another start */
	ck_assert_int_eq(jsonsock_new(&other, loop, file, JSONLISTEN_WAIT,
				      &ops, NULL, err, sizeof(err)), 0);
	ck_assert_uint_gt(sleeps, 0);
	jsonsock_free(other);
	close(fd);
}
END_TEST

START_TEST(default_path)
{
	char buf[512], want[600], root[400];

	snprintf(root, sizeof(root), "%s", dir);
	proctree_dir(root, "run");
	ck_assert_int_eq(jsonpath_default(buf, sizeof(buf), root, 0, "/x", 3),
			 0);
	snprintf(want, sizeof(want), "%s/run/ublk-ev/ublkb3.sock", root);
	ck_assert_str_eq(buf, want);
	/* the directory is there already */
	ck_assert_int_eq(jsonpath_default(buf, sizeof(buf), root, 0, NULL, 4),
			 0);
	ck_assert_int_eq(jsonpath_default(buf, sizeof(buf), "/x", 1000, root,
					  3), 0);
	snprintf(want, sizeof(want), "%s/ublk-ev/ublkb3.sock", root);
	ck_assert_str_eq(buf, want);
	ck_assert_int_eq(jsonpath_default(buf, sizeof(buf), "", 1000, NULL, 3),
			 -ENOENT);
	ck_assert_int_eq(jsonpath_default(buf, sizeof(buf), "", 1000, "rel",
					  3), -ENOENT);
	ck_assert_int_eq(jsonpath_default(buf, sizeof(buf), "", 1000,
					  "/nonexistent", 3), -ENOENT);
	ck_assert_int_eq(jsonpath_default(buf, 20, root, 0, NULL, 3),
			 -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jsonlisten");
	TCase *t = tcase_create("jsonlisten");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, second_refused);
	tcase_add_test(t, stale_replaced);
	tcase_add_loop_test(t, busy_stays, 0, 2);
	tcase_add_test(t, not_replaced);
	tcase_add_test(t, bad_paths);
	tcase_add_test(t, replaced_file_stays);
	tcase_add_test(t, replaced);
	tcase_add_test(t, replace_nothing);
	tcase_add_test(t, locked_directory);
	tcase_add_test(t, default_path);
	return test_main(s);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of datagrams between a device and its broker. No call waits, as both
 * sides have a loop: MSG_DONTWAIT everywhere, and EAGAIN means later.
 */
#include "uring/chan.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int ublkev__chan_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	return 0;
}

/*
 * A peer that was closed with messages unread answers ECONNRESET once, EPIPE
 * from then on (unix_release_sock()).
 */
static int chan_send_error(int err)
{
	return err == ECONNRESET ? -EPIPE : -err;
}

int ublkev__chan_send(int fd, const void *msg, size_t bytes)
{
	ssize_t n;

	do
		n = send(fd, msg, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? chan_send_error(errno) : 0;
}

/* a message with room for one descriptor beside it */
struct with_msg {
	struct iovec iov;
	struct msghdr hdr;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
};

static void chan_init_with_msg(struct with_msg *m, void *msg, size_t bytes)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = msg;
	m->iov.iov_len = bytes;
	m->hdr.msg_iov = &m->iov;
	m->hdr.msg_iovlen = 1;
	m->hdr.msg_control = m->control.bytes;
	m->hdr.msg_controllen = sizeof(m->control.bytes);
}

int ublkev__chan_send_with(int fd, const void *msg, size_t bytes, int with)
{
	struct cmsghdr *c;
	struct with_msg m;
	ssize_t n;

	if (with < 0)
		return ublkev__chan_send(fd, msg, bytes);
	chan_init_with_msg(&m, (void *)(uintptr_t)msg, bytes);
	c = CMSG_FIRSTHDR(&m.hdr);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &with, sizeof(int));
	do
		n = sendmsg(fd, &m.hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? chan_send_error(errno) : 0;
}

static int chan_recv_result(ssize_t n, int err, size_t bytes)
{
	if (n == (ssize_t)bytes)
		return 1;
	if (n < 0 && (err == EAGAIN || err == EINTR))
		return 0;
	return -EPIPE;
}

/*
 * An end that was closed with our messages unread makes the next recv(2) fail
 * with ECONNRESET, once, although what it had sent is still there
 * (unix_release_sock()).
 */
static ssize_t chan_recv_once(int fd, void *msg, size_t bytes, int flags)
{
	ssize_t n = recv(fd, msg, bytes, MSG_DONTWAIT | flags);

	if (n < 0 && errno == ECONNRESET)
		n = recv(fd, msg, bytes, MSG_DONTWAIT | flags);
	return n;
}

int ublkev__chan_recv(int fd, void *msg, size_t bytes)
{
	ssize_t n = chan_recv_once(fd, msg, bytes, MSG_TRUNC);

	return chan_recv_result(n, errno, bytes);
}

/*
 * When this process is out of descriptors the kernel leaves out the one that it
 * has no number for.
 */
int ublkev__chan_recv_with(int fd, void *msg, size_t bytes, int *with)
{
	struct cmsghdr *c;
	struct with_msg m;
	ssize_t n;
	int ret;

	*with = -1;
	chan_init_with_msg(&m, msg, bytes);
	n = recvmsg(fd, &m.hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	if (n < 0 && errno == ECONNRESET)	/* as chan_recv_once() */
		n = recvmsg(fd, &m.hdr,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	ret = chan_recv_result(n, errno, bytes);
	c = n > 0 ? CMSG_FIRSTHDR(&m.hdr) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(with, CMSG_DATA(c), sizeof(int));
	if (ret < 0 && *with >= 0) {
		close(*with);
		*with = -1;
	}
	return ret;
}

int ublkev__chan_map(struct ublkev__chan_memory *m,
		     struct ublkev__carrier_memory *memory, int fd)
{
	int prot = PROT_READ | (memory->read_only ? 0 : PROT_WRITE);
	void *p;

	if (fd < 0)
		return -EMFILE;
	p = mmap(NULL, (size_t)memory->bytes, prot, MAP_SHARED, fd,
		 (off_t)memory->offset_bytes);
	if (p == MAP_FAILED)
		return -errno;
	m->base = p;
	m->bytes = (size_t)memory->bytes;
	memory->base = p;
	return 0;
}

void ublkev__chan_unmap(struct ublkev__chan_memory *m)
{
	if (m->base)
		munmap(m->base, m->bytes);
	m->base = NULL;
}

bool ublkev__chan_has_work(int fd)
{
	char byte;

	return chan_recv_once(fd, &byte, 1, MSG_PEEK) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

/*
 * A message of two descriptors and one byte: recvmsg(2) answers 0 to a message
 * without data, as to the end.
 */
struct fds_msg {
	char byte;
	struct iovec iov;
	struct msghdr hdr;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
};

static void chan_init_fds_msg(struct fds_msg *m)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = &m->byte;
	m->iov.iov_len = 1;
	m->hdr.msg_iov = &m->iov;
	m->hdr.msg_iovlen = 1;
	m->hdr.msg_control = m->control.bytes;
	m->hdr.msg_controllen = sizeof(m->control.bytes);
}

int ublkev__chan_send_fds(int fd, const int fds[2])
{
	struct cmsghdr *c;
	struct fds_msg m;
	ssize_t n;

	chan_init_fds_msg(&m);
	c = CMSG_FIRSTHDR(&m.hdr);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	do
		n = sendmsg(fd, &m.hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? chan_send_error(errno) : 0;
}

static void chan_close_fds(const struct cmsghdr *c)
{
	const unsigned char *p = CMSG_DATA(c), *end = (const void *)c;
	int fd;

	for (end += c->cmsg_len; p + sizeof(fd) <= end; p += sizeof(fd)) {
		memcpy(&fd, p, sizeof(fd));
		close(fd);
	}
}

int ublkev__chan_recv_fds(int fd, int fds[2])
{
	struct cmsghdr *c;
	struct fds_msg m;
	ssize_t n;
	int ret;

	chan_init_fds_msg(&m);
	n = recvmsg(fd, &m.hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	ret = chan_recv_result(n, errno, 1);
	if (ret != 1)
		return ret;
	c = CMSG_FIRSTHDR(&m.hdr);
	/*
	 * When this process is out of descriptors the kernel leaves out those
	 * that it has no number for: none came, or one.
	 */
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return 0;
	if (c->cmsg_len != CMSG_LEN(2 * sizeof(int))) {
		chan_close_fds(c);
		return 0;
	}
	memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	return 1;
}

/* One epoll set, edge-triggered.
 *
 * In: descriptors. Out: see loop.h. Never: callbacks, blocking reads or writes, threads.
 */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "power.h"

#define EVENTS_AT_ONCE 64
#define WRITE_MAX 32768 /* virtio_console copies at most this much of one write */

static int epoll_fd = -1;

void loop_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        fail_boot("cannot create", "the event loop");
}

int io_open(struct io *io, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = io};
    *io = (struct io){.fd = -1};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -1;
    io->fd = fd;
    return 0;
}

void io_close(struct io *io)
{
    if (io->fd >= 0)
        close(io->fd);
    *io = (struct io){.fd = -1};
}

enum io_result io_read(struct io *io, void *to, size_t size, size_t *moved)
{
    *moved = 0;
    if (io->fd < 0 || !io->readable || size == 0)
        return IO_WAIT;
    ssize_t got = read(io->fd, to, size);
    if (got > 0) {
        *moved = (size_t)got;
        return IO_MOVED;
    }
    if (got < 0 && errno == EINTR)
        return IO_WAIT;
    io->readable = false;
    if (got < 0 && errno == EAGAIN)
        return IO_WAIT;
    if (got == 0)
        errno = 0;
    return IO_ENDED;
}

enum io_result io_read_into(struct io *io, struct ring *ring)
{
    size_t part, moved;
    uint8_t *to = ring_free_part(ring, &part);
    enum io_result result = io_read(io, to, part, &moved);
    ring_grow(ring, moved);
    return result;
}

enum io_result io_write_from(struct io *io, struct ring *ring)
{
    size_t part;
    const uint8_t *from = ring_filled_part(ring, &part);
    if (io->fd < 0 || !io->writable || part == 0)
        return IO_WAIT;
    ssize_t put = write(io->fd, from, part < WRITE_MAX ? part : WRITE_MAX);
    if (put > 0) {
        ring_take(ring, (size_t)put);
        return IO_MOVED;
    }
    if (put < 0 && errno == EINTR)
        return IO_WAIT;
    io->writable = false;
    return put == 0 || errno == EAGAIN ? IO_WAIT : IO_ENDED;
}

bool loop_wait(int timeout_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct io *io = events[i].data.ptr;
        unsigned what = events[i].events;
        if (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            io->readable = true;
        if (what & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            io->writable = true;
        io->hung_up = (what & EPOLLHUP) != 0;
    }
    return count != 0;
}

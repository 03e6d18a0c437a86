/* One epoll set, edge-triggered: what the kernel said about each descriptor is remembered until it is used up.
 *
 * In: descriptors. Out: three flags in each `struct io`. Never: callbacks, blocking reads or writes, threads.
 *
 * Edge-triggered because a virtio port whose host is away reports EPOLLHUP for ever: level-triggered it would spin.
 * The driver wakes its readers when the host opens or closes its end and when the queue has room again
 * (drivers/char/virtio_console.c, handle_control_message and out_intr), so every change is an edge.
 */
#ifndef PUI_LOOP_H
#define PUI_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ring.h"

struct io {
    int fd; /* -1: closed */
    bool readable, writable;
    bool hung_up; /* virtio port: the host is away. Pipe, socket: the other side is gone */
};

enum io_result {
    IO_MOVED,   /* at least one byte */
    IO_WAIT,    /* nothing possible now; the flag has been cleared */
    IO_ENDED,   /* end of file, or an error: errno is 0 for the former */
};

void loop_open(void); /* once, before all else; the machine goes off if it fails */

/* Makes `fd` non-blocking, watches it and fills `*io`. 0, or -1 with errno. */
int io_open(struct io *io, int fd);

/* Closes the descriptor (and so stops watching). Idempotent. */
void io_close(struct io *io);

/* Moves at most one contiguous part. A ring without room (or without bytes) gives IO_WAIT and leaves the flag. */
enum io_result io_read_into(struct io *io, struct ring *ring);
enum io_result io_write_from(struct io *io, struct ring *ring);

/* The same for plain memory; `*moved` is the number of bytes. */
enum io_result io_read(struct io *io, void *to, size_t size, size_t *moved);

/* Waits for at most `timeout_ms` (-1: without limit) and sets flags. False when the time passed without an event. */
bool loop_wait(int timeout_ms);

#endif

/* The model relay.
 *
 * In: a listening socket, the port. Out: see relay.h. Never: HTTP, growth.
 */
#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

#define OUT_SIZE 131072
#define IN_SIZE (4 * (FRAME_HEADER + FRAME_PAYLOAD_MAX))
#define ROUNDS 8

static struct io port = {.fd = -1}, listener = {.fd = -1};
static uint8_t out_data[OUT_SIZE], in[IN_SIZE];
static struct ring out = {.data = out_data, .capacity = OUT_SIZE};
static size_t in_length;
static struct stream streams[RELAY_STREAMS];
static uint32_t next_id = 1; /* 0 after the last one: no more connections */
static int turn;             /* the stream that is served first */
static bool host_is_here, is_deaf;
static const char *fault;

int relay_listen(uint16_t tcp_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(tcp_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, RELAY_STREAMS) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int relay_open_listener(int fd)
{
    return io_open(&listener, fd);
}

int relay_open_port(int fd)
{
    return io_open(&port, fd);
}

bool relay_is_open(void)
{
    return port.fd >= 0;
}

bool relay_is_blocked(void)
{
    return out.length > 0 && host_is_here;
}

void relay_retry(void)
{
    port.writable = true;
}

const char *relay_take_fault(void)
{
    const char *what = fault;
    fault = NULL;
    return what;
}

static void reset_all(void)
{
    for (int i = 0; i < RELAY_STREAMS; i++)
        if (streams[i].id)
            stream_abort(&streams[i]);
    ring_clear(&out);
    in_length = 0;
}

static void note_fault(const char *what)
{
    fault = what;
    is_deaf = true;
    reset_all();
}

static bool note_host(bool is_here)
{
    if (is_here == host_is_here)
        return false;
    host_is_here = is_here;
    is_deaf = false;
    reset_all();
    return true;
}

static void apply(const struct frame *frame, const uint8_t *payload)
{
    if (next_id != 0 && frame->stream >= next_id) {
        note_fault("a frame for a stream that was never opened");
        return;
    }
    for (int i = 0; i < RELAY_STREAMS; i++) {
        if (streams[i].id != frame->stream)
            continue;
        if (!stream_receive(&streams[i], frame, payload))
            note_fault("a frame that its stream does not allow");
        return;
    }
}

/* Applies the whole frames in `in`; what is left moves to the front. */
static void take_frames(void)
{
    size_t at = 0;
    while (!is_deaf && in_length - at >= FRAME_HEADER) {
        struct frame frame;
        if (!frame_parse(in + at, &frame)) {
            note_fault("a frame with a wrong header");
            return;
        }
        if (in_length - at < FRAME_HEADER + frame.length)
            break;
        apply(&frame, in + at + FRAME_HEADER);
        at += FRAME_HEADER + frame.length;
    }
    if (is_deaf)
        return;
    memmove(in, in + at, in_length - at);
    in_length -= at;
}

static bool read_port(void)
{
    size_t moved;
    enum io_result result = io_read(&port, in + in_length, sizeof in - in_length, &moved);
    in_length += moved;
    if (is_deaf)
        in_length = 0;
    if (result == IO_ENDED)
        port.hung_up = true; /* the host is away; the edge of its return clears this */
    if (result != IO_MOVED)
        return false;
    take_frames();
    return true;
}

static struct stream *free_stream(void)
{
    for (int i = 0; i < RELAY_STREAMS; i++)
        if (streams[i].id == 0)
            return &streams[i];
    return NULL;
}

static bool accept_one(void)
{
    struct stream *stream = free_stream();
    if (!stream || is_deaf || next_id == 0 || !listener.readable || ring_room(&out) < FRAME_HEADER)
        return false;
    int socket = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {
        if (errno == EAGAIN)
            listener.readable = false;
        return errno == ECONNABORTED || errno == EINTR; /* that one is gone: look for the next */
    }
    if (stream_open(stream, next_id, socket)) {
        put_frame(&out, next_id, FRAME_OPEN, NULL, 0);
        next_id++;
    }
    return true;
}

static bool pump_streams(void)
{
    bool moved = false;
    for (int i = 0; i < RELAY_STREAMS; i++) {
        struct stream *stream = &streams[(turn + i) % RELAY_STREAMS];
        if (stream->id)
            moved |= stream_pump(stream, &out);
    }
    turn = (turn + 1) % RELAY_STREAMS;
    return moved;
}

bool relay_pump(void)
{
    bool any = false;
    if (port.fd < 0)
        return false;
    for (int i = 0; i < ROUNDS; i++) {
        bool moved = read_port();
        moved |= note_host(!port.hung_up && (port.writable || host_is_here));
        if (!host_is_here)
            return moved || any;
        moved |= accept_one();
        moved |= pump_streams();
        while (io_write_from(&port, &out) == IO_MOVED)
            moved = true;
        if (!moved)
            break;
        any = true;
    }
    return any;
}

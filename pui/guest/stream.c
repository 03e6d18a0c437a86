/* One connection of the model relay.
 *
 * In: bytes of a process of the guest, frames of the host. Out: see stream.h. Never: more than its one buffer.
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CREDIT_STEP 65536u /* a CREDIT frame for at least so many bytes */
#define SMALL_ROOM 4096u   /* no DATA frame into less room: it would only cut the stream into crumbs */

void put_frame(struct ring *out, uint32_t stream, enum frame_type type, const void *payload, size_t length)
{
    uint8_t header[FRAME_HEADER];
    struct frame frame = {stream, type, length};
    frame_write(&frame, header);
    ring_put(out, header, sizeof header);
    ring_put(out, payload, length);
}

bool stream_open(struct stream *stream, uint32_t id, int socket)
{
    *stream = (struct stream){.id = id, .may_send = STREAM_CREDIT, .may_receive = STREAM_CREDIT, .socket.fd = -1};
    stream->to_socket.data = malloc(STREAM_CREDIT);
    stream->to_socket.capacity = STREAM_CREDIT;
    if (stream->to_socket.data && io_open(&stream->socket, socket) == 0)
        return true;
    stream->socket.fd = socket;
    stream_abort(stream);
    return false;
}

static void release(struct stream *stream)
{
    io_close(&stream->socket);
    free(stream->to_socket.data);
    *stream = (struct stream){.socket.fd = -1};
}

void stream_abort(struct stream *stream)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (stream->socket.fd >= 0)
        setsockopt(stream->socket.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    release(stream);
}

static bool receive_data(struct stream *stream, const uint8_t *payload, size_t length)
{
    if (stream->fin_received || length > stream->may_receive)
        return false;
    stream->may_receive -= (uint32_t)length;
    if (!stream->is_reset) /* then the host cannot know it yet */
        ring_put(&stream->to_socket, payload, length);
    return true;
}

static bool receive_credit(struct stream *stream, uint32_t more)
{
    if (more > STREAM_CREDIT_MAX - stream->may_send)
        return false;
    stream->may_send += more;
    return true;
}

bool stream_receive(struct stream *stream, const struct frame *frame, const uint8_t *payload)
{
    switch (frame->type) {
    case FRAME_DATA:
        return receive_data(stream, payload, frame->length);
    case FRAME_FIN:
        if (stream->fin_received)
            return false;
        stream->fin_received = true;
        return true;
    case FRAME_RESET:
        stream_abort(stream);
        return true;
    case FRAME_CREDIT:
        return receive_credit(stream, read_u32(payload));
    case FRAME_OPEN:
        break; /* only the guest opens */
    }
    return false;
}

/* A side that is done gets the socket's write half shut, after its last byte. */
static bool to_socket(struct stream *stream)
{
    bool moved = false;
    size_t before = stream->to_socket.length;
    enum io_result result;
    while ((result = io_write_from(&stream->socket, &stream->to_socket)) == IO_MOVED)
        moved = true;
    stream->to_credit += (uint32_t)(before - stream->to_socket.length);
    if (result == IO_ENDED)
        stream->is_reset = moved = true;
    if (stream->fin_received && stream->to_socket.length == 0 && !stream->is_shut) {
        shutdown(stream->socket.fd, SHUT_WR);
        stream->is_shut = moved = true;
    }
    return moved;
}

static bool from_socket(struct stream *stream, struct ring *out)
{
    uint8_t payload[FRAME_PAYLOAD_MAX];
    size_t room = ring_room(out), got;
    if (stream->input_over || stream->may_send == 0 || room < SMALL_ROOM)
        return false;
    size_t size = room - FRAME_HEADER < sizeof payload ? room - FRAME_HEADER : sizeof payload;
    if (size > stream->may_send)
        size = stream->may_send;
    enum io_result result = io_read(&stream->socket, payload, size, &got);
    if (result == IO_MOVED) {
        put_frame(out, stream->id, FRAME_DATA, payload, got);
        stream->may_send -= (uint32_t)got;
    } else if (result == IO_ENDED) {
        stream->input_over = true;
        stream->is_reset = errno != 0; /* the process died or reset the connection */
    }
    return result != IO_WAIT;
}

static bool send_credit(struct stream *stream, struct ring *out)
{
    uint8_t amount[4];
    if (stream->to_credit < CREDIT_STEP || stream->fin_received || ring_room(out) < FRAME_HEADER + sizeof amount)
        return false;
    write_u32(stream->to_credit, amount);
    put_frame(out, stream->id, FRAME_CREDIT, amount, sizeof amount);
    stream->may_receive += stream->to_credit;
    stream->to_credit = 0;
    return true;
}

static bool send_end(struct stream *stream, struct ring *out)
{
    if (ring_room(out) < FRAME_HEADER)
        return false;
    if (stream->is_reset) {
        put_frame(out, stream->id, FRAME_RESET, NULL, 0);
        stream_abort(stream);
        return true;
    }
    if (!stream->input_over || stream->fin_sent)
        return false;
    put_frame(out, stream->id, FRAME_FIN, NULL, 0);
    stream->fin_sent = true;
    return true;
}

bool stream_pump(struct stream *stream, struct ring *out)
{
    bool moved = to_socket(stream);
    if (!stream->is_reset) {
        moved |= send_credit(stream, out);
        moved |= from_socket(stream, out);
    }
    moved |= send_end(stream, out);
    if (stream->id != 0 && stream->fin_sent && stream->is_shut)
        release(stream);
    return moved;
}

/* One connection of the model relay: a TCP socket of the guest and a numbered stream of frames.
 *
 * In: bytes of a process of the guest (hostile), frames of the host. Out: frames, bytes.
 * Never: more memory than its one buffer of STREAM_CREDIT bytes, the port itself.
 */
#ifndef PUI_STREAM_H
#define PUI_STREAM_H

#include "loop.h"
#include "mux.h"

struct stream {
    uint32_t id; /* 0: free */
    struct io socket;
    struct ring to_socket;  /* what the host has sent; its capacity is the whole credit */
    uint32_t may_send;      /* bytes of DATA that the host still accepts */
    uint32_t may_receive;   /* bytes of DATA that we still accept */
    uint32_t to_credit;     /* bytes passed on that the host has not been told of */
    bool input_over;        /* the socket's end of file was read */
    bool fin_sent, fin_received, is_shut;
    bool is_reset;          /* RESET is to be sent */
};

/* Takes the accepted socket over. False (socket closed) when memory or the event loop gives no place. */
bool stream_open(struct stream *stream, uint32_t id, int socket);

/* Applies a frame that belongs to it. False: the host broke the protocol. */
bool stream_receive(struct stream *stream, const struct frame *frame, const uint8_t *payload);

/* Moves what is possible; frames go to `out` while they fit. Frees the stream at its end. True when anything moved. */
bool stream_pump(struct stream *stream, struct ring *out);

/* Closes with a TCP reset, so that the process sees an error and no quiet end. Idempotent. */
void stream_abort(struct stream *stream);

/* Puts a frame whose place in `out` has been checked. */
void put_frame(struct ring *out, uint32_t stream, enum frame_type type, const void *payload, size_t length);

#endif

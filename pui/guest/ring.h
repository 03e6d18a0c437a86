/* A bounded byte queue.
 *
 * In: bytes. Out: the same bytes in order. Never: growth, I/O.
 */
#ifndef PUI_RING_H
#define PUI_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *data;
    size_t capacity, head, length; /* bytes; head is where the oldest byte is */
};

size_t ring_room(const struct ring *ring);

/* The longest contiguous free (or filled) part; its length goes to `*length`, 0 when there is none. */
uint8_t *ring_free_part(const struct ring *ring, size_t *length);
const uint8_t *ring_filled_part(const struct ring *ring, size_t *length);

/* After `count` bytes were written to the free part, or taken from the filled part. */
void ring_grow(struct ring *ring, size_t count);
void ring_take(struct ring *ring, size_t count);

/* Copies all of `bytes` in; the caller has made sure that there is room. */
void ring_put(struct ring *ring, const void *bytes, size_t count);

void ring_clear(struct ring *ring);

#endif

/* A bounded byte queue.
 *
 * In: bytes. Out: see ring.h. Never: growth, I/O.
 */
#include "ring.h"

#include <string.h>

size_t ring_room(const struct ring *ring)
{
    return ring->capacity - ring->length;
}

uint8_t *ring_free_part(const struct ring *ring, size_t *length)
{
    size_t tail = ring->head + ring->length;
    if (tail >= ring->capacity) {
        tail -= ring->capacity;
        *length = ring->head - tail;
    } else {
        *length = ring->capacity - tail;
    }
    return ring->data + tail;
}

const uint8_t *ring_filled_part(const struct ring *ring, size_t *length)
{
    size_t to_end = ring->capacity - ring->head;
    *length = ring->length < to_end ? ring->length : to_end;
    return ring->data + ring->head;
}

void ring_grow(struct ring *ring, size_t count)
{
    ring->length += count;
}

void ring_take(struct ring *ring, size_t count)
{
    ring->length -= count;
    ring->head = ring->length == 0 ? 0 : (ring->head + count) % ring->capacity;
}

void ring_put(struct ring *ring, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    while (count > 0) {
        size_t part;
        uint8_t *to = ring_free_part(ring, &part);
        if (part > count)
            part = count;
        memcpy(to, from, part);
        ring_grow(ring, part);
        from += part;
        count -= part;
    }
}

void ring_clear(struct ring *ring)
{
    ring->head = ring->length = 0;
}

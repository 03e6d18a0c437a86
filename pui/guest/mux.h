/* Frames of pui.model (protocol.md section 4).
 *
 * In: 8 header bytes. Out: a checked header; and the way back. Never: I/O, streams' states.
 */
#ifndef PUI_MUX_H
#define PUI_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 8u
#define FRAME_PAYLOAD_MAX 16384u
#define STREAM_CREDIT 262144u      /* bytes each side may send at the start */
#define STREAM_CREDIT_MAX 0x7fffffffu /* more than this outstanding is a fault */

enum frame_type { FRAME_OPEN = 1, FRAME_DATA, FRAME_FIN, FRAME_RESET, FRAME_CREDIT };

struct frame {
    uint32_t stream;
    enum frame_type type;
    size_t length; /* payload bytes */
};

/* False: unknown type, second byte not 0, stream 0, or a length that does not fit the type. */
bool frame_parse(const uint8_t header[FRAME_HEADER], struct frame *out);

void frame_write(const struct frame *frame, uint8_t header[FRAME_HEADER]);

uint32_t read_u32(const uint8_t bytes[4]);
void write_u32(uint32_t value, uint8_t bytes[4]);

#endif

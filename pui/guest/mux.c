/* Frames of pui.model.
 *
 * In: 8 header bytes. Out: see mux.h. Never: I/O, streams' states.
 */
#include "mux.h"

uint32_t read_u32(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void write_u32(uint32_t value, uint8_t bytes[4])
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

bool frame_parse(const uint8_t header[FRAME_HEADER], struct frame *out)
{
    out->stream = read_u32(header);
    out->length = (size_t)header[6] << 8 | header[7];
    if (out->stream == 0 || header[5] != 0 || header[4] < FRAME_OPEN || header[4] > FRAME_CREDIT)
        return false;
    out->type = (enum frame_type)header[4];
    if (out->type == FRAME_DATA)
        return out->length >= 1 && out->length <= FRAME_PAYLOAD_MAX;
    return out->length == (out->type == FRAME_CREDIT ? 4u : 0u);
}

void frame_write(const struct frame *frame, uint8_t header[FRAME_HEADER])
{
    write_u32(frame->stream, header);
    header[4] = (uint8_t)frame->type;
    header[5] = 0;
    header[6] = (uint8_t)(frame->length >> 8);
    header[7] = (uint8_t)frame->length;
}

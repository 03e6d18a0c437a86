/* pui.rpc: the virtio port and pi's pipes, byte for byte.
 *
 * In: bytes. Out: see bridge.h. Never: their meaning, more than two fixed buffers.
 */
#include "bridge.h"

#include "clock.h"

#define BUFFER_SIZE 131072
#define ROUNDS 16 /* then the other ports get their turn */

static struct io port = {.fd = -1};
static uint8_t in_data[BUFFER_SIZE], out_data[BUFFER_SIZE];
static struct ring in = {.data = in_data, .capacity = BUFFER_SIZE};
static struct ring out = {.data = out_data, .capacity = BUFFER_SIZE};

int bridge_open(int fd)
{
    return io_open(&port, fd);
}

bool bridge_is_open(void)
{
    return port.fd >= 0;
}

bool bridge_is_blocked(void)
{
    return out.length > 0 && !port.hung_up;
}

void bridge_retry(void)
{
    port.writable = true;
}

/* End of file on the port is «host away»: the next edge sets `readable` again. */
static bool host_to_agent(struct io *to_agent, bool agent_is_over)
{
    bool moved = io_read_into(&port, &in) == IO_MOVED;
    if (agent_is_over) {
        ring_clear(&in);
        return moved;
    }
    enum io_result result = io_write_from(to_agent, &in);
    if (result == IO_ENDED) {
        io_close(to_agent);
        ring_clear(&in);
    }
    return moved || result == IO_MOVED;
}

static bool agent_to_host(struct io *from_agent)
{
    enum io_result result = io_read_into(from_agent, &out);
    if (result == IO_MOVED)
        mark_add("first_byte");
    if (result == IO_ENDED)
        io_close(from_agent);
    bool moved = io_write_from(&port, &out) == IO_MOVED;
    return moved || result == IO_MOVED;
}

bool bridge_pump(struct io *to_agent, struct io *from_agent, bool agent_is_over)
{
    bool any = false;
    for (int i = 0; i < ROUNDS; i++) {
        bool moved = host_to_agent(to_agent, agent_is_over);
        moved |= agent_to_host(from_agent);
        if (!moved)
            break;
        any = true;
    }
    return any;
}

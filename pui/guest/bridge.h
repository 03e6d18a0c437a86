/* pui.rpc: the virtio port and pi's pipes, byte for byte.
 *
 * In: bytes of the host, bytes of pi. Out: the same bytes. Never: their meaning, more than two fixed buffers.
 */
#ifndef PUI_BRIDGE_H
#define PUI_BRIDGE_H

#include <stdbool.h>

#include "loop.h"

/* Takes the port over for the life of the machine. 0, or -1 with errno. */
int bridge_open(int fd);
bool bridge_is_open(void);

/* `to_agent` and `from_agent` may be closed (fd -1): before pi starts the host's bytes wait; with `agent_is_over`
 * they are dropped. Closes an end whose other side is gone. True when anything moved. */
bool bridge_pump(struct io *to_agent, struct io *from_agent, bool agent_is_over);

/* True while bytes to the host wait although it is there. Then the caller calls bridge_retry() after a while: a missed
 * wake-up of the driver would otherwise stop pi for ever. */
bool bridge_is_blocked(void);
void bridge_retry(void);

#endif

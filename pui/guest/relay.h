/* The model relay: connections to 127.0.0.1:8089 become streams of frames on pui.model.
 *
 * In: a listening socket, the port. Out: frames and bytes, fairly in turn.
 * Never: HTTP, more than RELAY_STREAMS connections at a time, growth.
 */
#ifndef PUI_RELAY_H
#define PUI_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#define RELAY_STREAMS 64
#define RELAY_TCP_PORT 8089

/* A listening socket on 127.0.0.1, or -1 with errno. */
int relay_listen(uint16_t tcp_port);

/* Take the listening socket, and the port, over. 0, or -1 with errno. Connections wait until there is a port. */
int relay_open_listener(int fd);
int relay_open_port(int fd);
bool relay_is_open(void);

/* True when anything moved. */
bool relay_pump(void);

/* As bridge_is_blocked() and bridge_retry(). */
bool relay_is_blocked(void);
void relay_retry(void);

/* What the host did wrong since the last call, or NULL: then all streams were reset, and the port is deaf until the
 * host has gone and come back. */
const char *relay_take_fault(void);

#endif

/* The virtio-serial ports by name.
 *
 * In: /sys/class/virtio-ports. Out: /dev/virtio-ports/NAME, open descriptors. Never: a port's bytes.
 */
#ifndef PUI_PORTS_H
#define PUI_PORTS_H

/* Opens the port called `name` for reading and writing (a port opens once), root-only, with a link in
 * /dev/virtio-ports. -1 with errno; ENOENT: not there yet. */
int port_open(const char *name);

#endif

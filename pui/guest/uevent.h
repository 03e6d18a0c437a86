/* The kernel's device events, so that nothing needs to sleep and look again.
 *
 * In: netlink messages of the kernel. Out: "something changed". Never: their content (callers look in /sys themselves).
 */
#ifndef PUI_UEVENT_H
#define PUI_UEVENT_H

/* A non-blocking socket that becomes readable at each device event, or -1 with errno. */
int uevent_open(void);

/* Reads and forgets all waiting events. */
void uevent_drain(int fd);

/* Waits for an event until `deadline_ms` (uptime). 1 at an event, 0 when the time is over, -1 with errno. */
int uevent_wait(int fd, unsigned long long deadline_ms);

#endif

/* The kernel's device events.
 *
 * In: netlink. Out: see uevent.h. Never: their content.
 */
#include "uevent.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

int uevent_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (fd < 0)
        return -1;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void uevent_drain(int fd)
{
    char ignored[4096];
    while (recv(fd, ignored, sizeof ignored, 0) > 0)
        ;
}

int uevent_wait(int fd, unsigned long long deadline_ms)
{
    unsigned long long now = uptime_ms();
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int ready = poll(&one, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);
    if (ready > 0)
        uevent_drain(fd);
    return ready;
}

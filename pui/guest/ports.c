/* The virtio-serial ports by name.
 *
 * In: /sys/class/virtio-ports. Out: see ports.h. Never: a port's bytes.
 */
#include "ports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYS_PORTS "/sys/class/virtio-ports"

static bool has_name(const char *device, const char *name)
{
    char path[300], text[128];
    snprintf(path, sizeof path, SYS_PORTS "/%.200s/name", device);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false; /* the name comes a moment after the port */
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

static int open_device(const char *device, const char *name)
{
    char path[300], target[300], link[300];
    snprintf(path, sizeof path, "/dev/%.200s", device);
    snprintf(target, sizeof target, "../%.200s", device);
    snprintf(link, sizeof link, "/dev/virtio-ports/%.200s", name);
    mkdir("/dev/virtio-ports", 0755);
    (void)!symlink(target, link); /* for people; ours is the descriptor */
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        fchmod(fd, 0600);
    return fd;
}

int port_open(const char *name)
{
    char device[256] = "";
    DIR *folder = opendir(SYS_PORTS);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)) && !device[0])
        if (entry->d_name[0] != '.' && has_name(entry->d_name, name))
            snprintf(device, sizeof device, "%s", entry->d_name);
    if (folder)
        closedir(folder);
    errno = ENOENT;
    return device[0] ? open_device(device, name) : -1;
}

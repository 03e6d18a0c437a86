/* The guest's surroundings.
 *
 * In: nothing. Out: see machine.h. Never: anything per task.
 */
#include "machine.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"
#include "power.h"

struct place_to_mount {
    const char *type, *path;
    unsigned long flags;
    const char *options;
};

static void complain(const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "pui-init: %s: %s", what, strerror(errno));
    console_line(text);
}

static int mount_one(const struct place_to_mount *place)
{
    mkdir(place->path, 0755);
    return mount(place->type, place->path, place->type, place->flags, place->options) < 0 && errno != EBUSY ? -1 : 0;
}

void machine_mounts(void)
{
    static const struct place_to_mount needed[] = {
        {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, NULL},
        {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
        {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
        {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=16m"},
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (mount_one(&needed[i]) < 0)
            fail_boot("cannot mount", needed[i].path);
}

static void bring_up_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        complain("cannot bring lo up");
    if (fd >= 0)
        close(fd);
}

static void link_standard_files(void)
{
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},
        {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
            complain(links[i][1]);
}

void machine_setup(void)
{
    static const struct place_to_mount wanted[] = {
        {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620,gid=5"},
        {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (mount_one(&wanted[i]) < 0)
            complain(wanted[i].path);
    bring_up_loopback();
    link_standard_files();
    chmod("/tmp", 01777);
    reboot(RB_DISABLE_CAD);
    /* One process of the agent's uid must not read another's memory; a kernel without yama is lived with. */
    if (place_set("/proc/sys/kernel/yama/ptrace_scope", "1") < 0 && errno != ENOENT)
        complain("ptrace_scope");
}

/* The initrd's part: from the kernel's first process to the root file system.
 *
 * In: the kernel command line, /modules.list. Out: see boot.h. Never: a return.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "cmdline.h"
#include "modules.h"
#include "power.h"
#include "prefetch.h"
#include "uevent.h"

#define ROOT_WAIT_MS 10000u
#define NEW_ROOT "/newroot"
#define PID1 "/sbin/pui-init"

static void mount_or_fail(const char *type, const char *path)
{
    mkdir(path, 0755);
    if (mount(type, path, type, MS_NOSUID | MS_NOEXEC, NULL) < 0 && errno != EBUSY)
        fail_boot("cannot mount", path);
}

static void read_cmdline(struct cmdline *out)
{
    char text[4096];
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length < 0)
        fail_boot("cannot read", "/proc/cmdline");
    close(fd);
    text[length] = '\0';
    cmdline_parse(text, out);
}

/* The device may not be there yet, or have no medium yet: then each device event is a reason to try again. */
static void mount_root(const struct cmdline *options, int events)
{
    uint64_t deadline_ms = uptime_ms() + ROOT_WAIT_MS;
    mkdir(NEW_ROOT, 0755);
    while (mount(options->root, NEW_ROOT, options->root_type, MS_NOATIME, NULL) < 0) {
        int error = errno;
        if (error != ENOENT && error != ENXIO && error != ENOTBLK)
            fail_boot("cannot mount the root file system", options->root);
        if (uevent_wait(events, deadline_ms) <= 0) {
            errno = error;
            fail_boot("the root device did not appear within 10 s", options->root);
        }
    }
}

static void switch_root(void)
{
    static const char *const moved[] = {"/dev", "/proc", "/sys"};
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        char target[32];
        snprintf(target, sizeof target, NEW_ROOT "%s", moved[i]);
        if (mount(moved[i], target, NULL, MS_MOVE, NULL) < 0)
            fail_boot("cannot move a mount to", target);
    }
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        fail_boot("cannot switch to", "the root file system");
}

/* Marks travel as arguments "stage=ms". */
static noreturn void exec_pid1(void)
{
    static char texts[MARKS_MAX][MARK_NAME_SIZE + 24];
    char *argv[MARKS_MAX + 2] = {(char *)PID1};
    char *envp[] = {NULL};
    int count;
    const struct mark *list = marks(&count);
    for (int i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%s=%llu", list[i].stage, (unsigned long long)list[i].uptime_ms);
        argv[i + 1] = texts[i];
    }
    execve(PID1, argv, envp);
    fail_boot("cannot execute", PID1);
}

noreturn void boot_main(void)
{
    struct cmdline options;
    mark_add("init");
    mount_or_fail("devtmpfs", "/dev");
    mount_or_fail("proc", "/proc");
    mount_or_fail("sysfs", "/sys");
    read_cmdline(&options);
    if (options.probe) {
        console_line("pui-probe: ok");
        power_off();
    }
    int events = uevent_open();
    if (events < 0)
        fail_boot("cannot open", "the kernel's event socket");
    const char *failed = modules_load_list("/modules.list", "/modules");
    if (failed)
        fail_boot("cannot load the kernel module", failed);
    mark_add("modules");
    mount_root(&options, events);
    mark_add("root");
    switch_root();
    prefetch_start(options.root);
    exec_pid1();
}

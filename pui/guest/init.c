/* PID 1 of the root file system.
 *
 * In: marks of the initrd. Out: see init.h. Never: a return, a shell, a sleep.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "bridge.h"
#include "clock.h"
#include "ctl.h"
#include "loop.h"
#include "machine.h"
#include "ports.h"
#include "power.h"
#include "relay.h"
#include "shares.h"
#include "uevent.h"
#include "verbs.h"

#define PORTS_WAIT_MS 10000u
#define BLOCKED_CHECK_MS 500
#define FLUSH_WAIT_MS 1000u
#define REAP_WAIT_MS 500

static struct io children = {.fd = -1}, events = {.fd = -1};

/* No child's end is missed: the signal is blocked before the first fork. */
static void watch_children(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0 || io_open(&children, fd) < 0)
        fail_boot("cannot watch", "child processes");
}

static void watch_devices(void)
{
    int fd = uevent_open();
    if (fd < 0 || io_open(&events, fd) < 0)
        fail_boot("cannot watch", "device events");
}

/* Ports appear one by one while the driver talks with QEMU. `pui.model` may be missing for ever. */
static void open_ports(void)
{
    int fd;
    if (!ctl_is_open() && (fd = port_open("pui.ctl")) >= 0) {
        if (ctl_open(fd, verb_table) < 0)
            fail_boot("cannot use", "pui.ctl");
        mark_add("ports");
    }
    if (!bridge_is_open() && (fd = port_open("pui.rpc")) >= 0 && bridge_open(fd) < 0)
        fail_boot("cannot use", "pui.rpc");
    if (!relay_is_open() && (fd = port_open("pui.model")) >= 0 && relay_open_port(fd) < 0)
        fail_boot("cannot use", "pui.model");
}

static void start_relay(void)
{
    int fd = relay_listen(RELAY_TCP_PORT);
    if (fd < 0 || relay_open_listener(fd) < 0)
        fail_boot("cannot listen on", "127.0.0.1:8089");
}

static bool reap(void)
{
    struct signalfd_siginfo ignored;
    size_t moved;
    int status;
    bool any = false;
    while (io_read(&children, &ignored, sizeof ignored, &moved) == IO_MOVED)
        any = true; /* several ends may be one signal: waitpid says which */
    for (pid_t pid; any && (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        agent_reaped(pid, status);
    return any;
}

static bool look_for_ports(void)
{
    if (!events.readable)
        return false;
    events.readable = false;
    uevent_drain(events.fd);
    open_ports();
    if (ctl_is_open() && bridge_is_open() && relay_is_open())
        io_close(&events); /* nothing more to wait for: later device events need not wake us */
    return true;
}

static bool report_relay_fault(void)
{
    struct line_out line;
    const char *fault = ctl_can_send() ? relay_take_fault() : NULL;
    if (!fault)
        return false;
    line_begin(&line, "error");
    line_add_number(&line, "id", 0);
    line_add_text(&line, "code", "model_protocol");
    line_add_text(&line, "message", fault);
    return ctl_send(&line);
}

static bool pump_all(void)
{
    bool moved = look_for_ports();
    moved |= reap();
    moved |= agent_pump();
    moved |= bridge_pump(agent_input(), agent_output(), agent_state() == AGENT_EXITED);
    moved |= relay_pump();
    moved |= report_relay_fault();
    moved |= ctl_pump();
    return moved;
}

static int next_timeout_ms(void)
{
    int timeout_ms = agent_timeout_ms();
    bool is_blocked = bridge_is_blocked() || relay_is_blocked() || !ctl_is_flushed();
    if (is_blocked && (timeout_ms < 0 || timeout_ms > BLOCKED_CHECK_MS))
        timeout_ms = BLOCKED_CHECK_MS;
    if (!ctl_is_open() || !bridge_is_open())
        timeout_ms = (int)PORTS_WAIT_MS;
    return timeout_ms;
}

static void retry_all(void)
{
    bridge_retry();
    relay_retry();
    ctl_retry();
}

/* Kills what is left and waits a little: a process that hangs in a dead share never ends. */
static void end_all_processes(void)
{
    sigset_t mask;
    struct timespec wait = {.tv_nsec = REAP_WAIT_MS * 1000000L};
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    kill(-1, SIGKILL);
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 || (pid == 0 && sigtimedwait(&mask, NULL, &wait) < 0))
            return;
    }
}

static noreturn void end_machine(void)
{
    for (uint64_t deadline_ms = uptime_ms() + FLUSH_WAIT_MS; !ctl_is_flushed() && uptime_ms() < deadline_ms;) {
        loop_wait(10);
        pump_all();
    }
    end_all_processes();
    shares_unmount();
    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    sync();
    power_off();
}

noreturn void init_main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        mark_add_text(argv[i]);
    mark_add("pid1");
    loop_open();
    watch_children();
    machine_mounts();
    watch_devices();
    open_ports();
    loop_wait(0);
    ctl_pump(); /* hello: the host's orders travel while the rest is set up */
    machine_setup();
    start_relay();
    uint64_t ports_deadline_ms = uptime_ms() + PORTS_WAIT_MS;
    for (;;) {
        bool moved = pump_all();
        if (power_off_is_asked() && agent_state() != AGENT_RUNNING)
            end_machine();
        if ((!ctl_is_open() || !bridge_is_open()) && uptime_ms() > ports_deadline_ms) {
            errno = ENODEV;
            fail_boot("no port called", "pui.ctl and pui.rpc within 10 s");
        }
        if (!loop_wait(moved ? 0 : next_timeout_ms()) && !moved)
            retry_all();
    }
}

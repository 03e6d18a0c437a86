/* pi: one child, its three pipes, its end.
 *
 * In: what to run and as whom. Out: see agent.h. Never: the content of stdin and stdout.
 */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "ctl.h"
#include "spawn.h"

#define STOP_GRACE_MS 2000u
#define STDERR_MAX 65536u
#define STDERR_CHUNK 2560 /* thrice this, encoded, fits one line */

static enum agent_state state = AGENT_NONE;
static pid_t agent_pid;
static int exit_status;
static struct io input = {.fd = -1}, output = {.fd = -1}, errors = {.fd = -1};
static uint64_t stderr_sent, stderr_dropped;
static uint64_t stop_at_ms;     /* when the next signal is due; 0: no stop asked */
static int next_signal;
static unsigned told_generation; /* the host that knows that pi has ended */

enum agent_state agent_state(void)
{
    return state;
}

struct io *agent_input(void)
{
    return &input;
}

struct io *agent_output(void)
{
    return &output;
}

bool agent_start(const struct agent_plan *plan, struct failure *failure)
{
    struct spawned child;
    if (state != AGENT_NONE)
        return fail(failure, "bad_state", "pi has been started before");
    if (!spawn_agent(plan, &child, failure))
        return false;
    if (io_open(&input, child.input) < 0 || io_open(&output, child.output) < 0 || io_open(&errors, child.errors) < 0) {
        fail_errno(failure, "watch pi's pipes");
        kill(child.pid, SIGKILL);
        return false;
    }
    agent_pid = child.pid;
    state = AGENT_RUNNING;
    mark_add("spawn");
    return true;
}

void agent_stop(void)
{
    if (state != AGENT_RUNNING || stop_at_ms)
        return;
    io_close(&input);
    stop_at_ms = uptime_ms() + STOP_GRACE_MS;
    next_signal = SIGTERM;
}

void agent_reaped(pid_t pid, int status)
{
    if (state != AGENT_RUNNING || pid != agent_pid)
        return;
    state = AGENT_EXITED;
    exit_status = status;
    stop_at_ms = 0;
    io_close(&input);
}

static bool keep_deadline(void)
{
    if (!stop_at_ms || uptime_ms() < stop_at_ms)
        return false;
    kill(agent_pid, next_signal);
    stop_at_ms = uptime_ms() + STOP_GRACE_MS;
    next_signal = SIGKILL;
    return true;
}

int agent_timeout_ms(void)
{
    uint64_t now = uptime_ms();
    if (!stop_at_ms)
        return -1;
    return stop_at_ms > now ? (int)(stop_at_ms - now) : 0;
}

/* Reports while there is a reader and something left of the 64 KiB; else drops and counts, for pi must not block. */
static bool move_stderr(void)
{
    char chunk[STDERR_CHUNK];
    size_t got;
    struct line_out line;
    bool report = stderr_sent < STDERR_MAX && ctl_generation() > 0;
    if (report && !ctl_can_send() && !ctl_is_flushed())
        return false;
    size_t size = report && STDERR_MAX - stderr_sent < sizeof chunk ? STDERR_MAX - stderr_sent : sizeof chunk;
    enum io_result result = io_read(&errors, chunk, size, &got);
    if (result == IO_ENDED)
        io_close(&errors);
    if (result != IO_MOVED)
        return false;
    line_begin(&line, "stderr");
    line_add(&line, "data", chunk, got);
    if (report && ctl_send(&line))
        stderr_sent += got;
    else
        stderr_dropped += got;
    return true;
}

/* After the last of stderr that is there, once to each host. */
static bool report_exit(void)
{
    struct line_out line;
    if (state != AGENT_EXITED || told_generation == ctl_generation() || errors.readable)
        return false;
    line_begin(&line, "exited");
    if (WIFSIGNALED(exit_status))
        line_add_number(&line, "signal", (uint64_t)WTERMSIG(exit_status));
    else
        line_add_number(&line, "code", (uint64_t)WEXITSTATUS(exit_status));
    line_add_number(&line, "stderr_dropped", stderr_dropped);
    if (!ctl_send(&line))
        return false;
    told_generation = ctl_generation();
    return true;
}

bool agent_pump(void)
{
    bool moved = keep_deadline();
    moved |= move_stderr();
    moved |= report_exit();
    return moved;
}

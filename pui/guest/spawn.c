/* Starting the agent's process with exactly what it may have.
 *
 * In: a plan. Out: see spawn.h. Never: state.
 */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_SIZE 262144 /* fewer wake-ups on both sides than the default 65,536 */

/* What the child tells before it gives up. */
struct child_fault {
    int error;
    char stage[24];
};

enum { CHILD_IN, OUR_IN, OUR_OUT, CHILD_OUT, OUR_ERR, CHILD_ERR, OUR_FAULT, CHILD_FAULT, ENDS };

static void close_ends(int *ends)
{
    for (int i = 0; i < ENDS; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

static bool open_pipes(int *ends)
{
    for (int i = 0; i < ENDS; i++)
        ends[i] = -1;
    for (int i = 0; i < ENDS; i += 2)
        if (pipe2(ends + i, O_CLOEXEC) < 0)
            return false;
    fcntl(ends[OUR_IN], F_SETPIPE_SZ, PIPE_SIZE);
    fcntl(ends[OUR_OUT], F_SETPIPE_SZ, PIPE_SIZE);
    return true;
}

static noreturn void give_up(int fd, const char *stage)
{
    struct child_fault fault = {.error = errno};
    strncpy(fault.stage, stage, sizeof fault.stage - 1);
    if (write(fd, &fault, sizeof fault) < 0)
        _exit(126);
    _exit(127);
}

static void reset_signals(void)
{
    sigset_t none;
    for (int signal_number = 1; signal_number < 32; signal_number++)
        signal(signal_number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(void)
{
    /* Node raises its soft limit by itself; a low soft limit is what select()-using programs expect. */
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288}, cores = {0, 0};
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_CORE, &cores);
}

static noreturn void run_child(const struct agent_plan *plan, const int *ends)
{
    reset_signals();
    set_limits();
    setsid();
    if (dup2(ends[CHILD_IN], 0) < 0 || dup2(ends[CHILD_OUT], 1) < 0 || dup2(ends[CHILD_ERR], 2) < 0)
        give_up(ends[CHILD_FAULT], "dup2");
    int fault_fd = 3;
    if (ends[CHILD_FAULT] != fault_fd && dup3(ends[CHILD_FAULT], fault_fd, O_CLOEXEC) < 0)
        give_up(ends[CHILD_FAULT], "dup3");
    if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0)
        give_up(fault_fd, "close_range");
    if (setgroups(0, NULL) < 0 || setgid(plan->gid) < 0 || setuid(plan->uid) < 0)
        give_up(fault_fd, "setuid");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        give_up(fault_fd, "no_new_privs");
    if (chdir(plan->cwd) < 0)
        give_up(fault_fd, "chdir");
    execve(plan->argv[0], (char *const *)plan->argv, plan->env);
    give_up(fault_fd, "execve");
}

/* End of file means that execve closed the child's end. */
static bool await_exec(int fd, pid_t pid, struct failure *failure)
{
    struct child_fault fault;
    ssize_t got;
    do
        got = read(fd, &fault, sizeof fault);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return true;
    waitpid(pid, NULL, 0);
    if (got != (ssize_t)sizeof fault)
        return fail(failure, "EIO", "pi's process ended before it began");
    errno = fault.error;
    return fail_errno(failure, fault.stage);
}

bool spawn_agent(const struct agent_plan *plan, struct spawned *out, struct failure *failure)
{
    int ends[ENDS];
    if (!open_pipes(ends)) {
        fail_errno(failure, "pipe");
        close_ends(ends);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        run_child(plan, ends);
    if (pid < 0) {
        fail_errno(failure, "fork");
        close_ends(ends);
        return false;
    }
    *out = (struct spawned){pid, ends[OUR_IN], ends[OUR_OUT], ends[OUR_ERR]};
    close(ends[CHILD_FAULT]);
    ends[CHILD_FAULT] = -1;
    bool started = await_exec(ends[OUR_FAULT], pid, failure);
    if (started)
        ends[OUR_IN] = ends[OUR_OUT] = ends[OUR_ERR] = -1; /* these are the caller's now */
    close_ends(ends);
    return started;
}

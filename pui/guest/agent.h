/* pi: one child, its three pipes, its end. It is never started twice.
 *
 * In: what to run and as whom. Out: a running process; reports `stderr` and `exited` on the control port.
 * Never: the content of stdin and stdout (bridge.c moves it).
 */
#ifndef PUI_AGENT_H
#define PUI_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"
#include "loop.h"

#define AGENT_ARGS_MAX 128

struct agent_plan {
    const char *argv[AGENT_ARGS_MAX + 1]; /* NULL-terminated; argv[0] is an absolute path */
    char *const *env;                     /* NULL-terminated "NAME=value" */
    const char *cwd;
    uid_t uid;
    gid_t gid;
};

enum agent_state { AGENT_NONE, AGENT_RUNNING, AGENT_EXITED };

/* Starts it; returns when execve has succeeded or failed. False fills `failure` (stage and errno of the child). */
bool agent_start(const struct agent_plan *plan, struct failure *failure);

enum agent_state agent_state(void);

/* The ends of pi's stdin and stdout that are ours (fd -1 when there are none). */
struct io *agent_input(void);
struct io *agent_output(void);

/* Begins the end: stdin closed now, SIGTERM after 2 s, SIGKILL after 2 s more. Idempotent. */
void agent_stop(void);

/* For each reaped child: notes pi's end if it was pi. */
void agent_reaped(pid_t pid, int status);

/* stderr, reports, deadlines. True when anything moved. */
bool agent_pump(void);

/* Milliseconds until agent_pump() has a deadline to keep, or -1. */
int agent_timeout_ms(void);

#endif

/* Starting the agent's process with exactly what it may have.
 *
 * In: a plan. Out: a pid and our three pipe ends. Never: state; the caller owns what it gets.
 */
#ifndef PUI_SPAWN_H
#define PUI_SPAWN_H

#include "agent.h"

struct spawned {
    pid_t pid;
    int input, output, errors; /* our ends: write, read, read */
};

/* The child: own session, other uid and gid, no groups, no_new_privs, no descriptor but its pipes (made by root,
 * so that another process of the same uid cannot reopen them through /proc), default signals.
 * Returns when execve has happened. False fills `failure` and leaves nothing behind. */
bool spawn_agent(const struct agent_plan *plan, struct spawned *out, struct failure *failure);

#endif

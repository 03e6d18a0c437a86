/* The control port: lines in, answers and reports out (protocol.md section 2).
 *
 * In: bytes of the host, marks, reports of others. Out: one answer a line, in order.
 * Never: what a verb does (verbs.c), growth, blocking.
 */
#ifndef PUI_CTL_H
#define PUI_CTL_H

#include <stdbool.h>

#include "failure.h"
#include "line.h"

/* A verb of the host. The handler adds pairs to `answer` (already "ok id=N") and returns true, or fills `failure`. */
struct verb {
    const char *name;
    bool (*handle)(const struct line *request, struct line_out *answer, struct failure *failure);
};

/* Takes the port over. `table` ends with a NULL name. 0, or -1 with errno. */
int ctl_open(int fd, const struct verb *table);
bool ctl_is_open(void);

/* Reads, answers, writes as far as possible without waiting. True when anything moved. */
bool ctl_pump(void);

/* Counts the greetings, so that a reporter can see that a new host must be told again. 0: no host yet. */
unsigned ctl_generation(void);

/* True when a host is there and a whole line fits. */
bool ctl_can_send(void);

/* Ends and queues a report. False (nothing queued) unless ctl_can_send(). */
bool ctl_send(struct line_out *line);

/* True when nothing is waiting to be written, or there is no one to read it. */
bool ctl_is_flushed(void);

/* As bridge_retry(). */
void ctl_retry(void);

#endif

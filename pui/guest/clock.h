/* Time since the machine was started, and the marks of the boot stages.
 *
 * In: CLOCK_BOOTTIME. Out: milliseconds; an append-only list of named marks.
 * Never: wall-clock time, allocation.
 */
#ifndef PUI_CLOCK_H
#define PUI_CLOCK_H

#include <stdint.h>

#define MARKS_MAX 16
#define MARK_NAME_SIZE 16

struct mark {
    char stage[MARK_NAME_SIZE];
    uint64_t uptime_ms;
};

/* Milliseconds since the kernel began to count (suspended time included). */
uint64_t uptime_ms(void);

/* Notes that `stage` has been reached now. Beyond MARKS_MAX, and a stage a second time: ignored. */
void mark_add(const char *stage);

/* Notes a stage with a given time, `text` being "stage=ms" (how the initrd hands its marks to PID 1). */
void mark_add_text(const char *text);

/* The list and its length. */
const struct mark *marks(int *count);

#endif

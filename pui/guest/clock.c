/* Time since the machine was started, and the marks of the boot stages.
 *
 * In: CLOCK_BOOTTIME. Out: see clock.h. Never: wall-clock time, allocation.
 */
#include "clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct mark list[MARKS_MAX];
static int list_count;

uint64_t uptime_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void add(const char *stage, size_t length, uint64_t at_ms)
{
    if (list_count == MARKS_MAX || length == 0 || length >= MARK_NAME_SIZE)
        return;
    for (int i = 0; i < list_count; i++)
        if (strlen(list[i].stage) == length && memcmp(list[i].stage, stage, length) == 0)
            return;
    memcpy(list[list_count].stage, stage, length);
    list[list_count].stage[length] = '\0';
    list[list_count].uptime_ms = at_ms;
    list_count++;
}

void mark_add(const char *stage)
{
    add(stage, strlen(stage), uptime_ms());
}

void mark_add_text(const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals)
        add(text, (size_t)(equals - text), strtoull(equals + 1, NULL, 10));
}

const struct mark *marks(int *count)
{
    *count = list_count;
    return list;
}

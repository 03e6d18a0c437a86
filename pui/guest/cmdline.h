/* The words of the kernel command line that concern us (protocol.md section 1).
 *
 * In: the text of /proc/cmdline. Out: a struct with defaults filled in. Never: I/O, allocation.
 */
#ifndef PUI_CMDLINE_H
#define PUI_CMDLINE_H

#include <stdbool.h>

#define CMDLINE_VALUE_SIZE 64

struct cmdline {
    bool probe;                         /* pui.mode=probe */
    char root[CMDLINE_VALUE_SIZE];      /* pui.root=, a device node */
    char root_type[CMDLINE_VALUE_SIZE]; /* pui.rootfstype= */
};

/* `text` is NUL-terminated. A value that is too long is cut; a later word wins over an earlier one. */
void cmdline_parse(const char *text, struct cmdline *out);

#endif

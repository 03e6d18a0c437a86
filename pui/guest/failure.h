/* Why a request of the host could not be met: the `code` and `message` of an `error` line.
 *
 * In: errno or a fixed code. Out: two short texts. Never: allocation.
 */
#ifndef PUI_FAILURE_H
#define PUI_FAILURE_H

#include <stdbool.h>

struct failure {
    char code[24];     /* an errno name such as ENOENT, or bad_line, bad_value, bad_state, unknown_verb */
    char message[256];
};

/* Both fill `failure` and return false, so that a handler can say `return fail(...)`. */
bool fail(struct failure *failure, const char *code, const char *message);
bool fail_errno(struct failure *failure, const char *what);

#endif

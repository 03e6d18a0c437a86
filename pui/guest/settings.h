/* What the host sets before pi starts: name, clock, entropy, pi's environment.
 *
 * In: decoded values of control lines. Out: a configured machine. Never: the lines themselves.
 */
#ifndef PUI_SETTINGS_H
#define PUI_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

#define ENTROPY_MAX 512 /* bytes */

bool set_hostname(const char *name, struct failure *failure);
bool set_clock(uint64_t unix_ns, struct failure *failure);

/* `hex` is an even number of hexadecimal digits; the bytes are credited in full (the host is trusted). */
bool add_entropy(const char *hex, struct failure *failure);

/* Adds or replaces one variable of pi's environment. Bounded in number and size. */
bool add_variable(const char *name, const char *value, struct failure *failure);

/* NULL-terminated "NAME=value", the defaults PATH, HOME, USER, LANG, TMPDIR included. */
char *const *environment(void);

#endif

/* Who we are, as the `hello` line says it.
 *
 * In: nothing. Out: constants. Never: anything else.
 */
#ifndef PUI_VERSION_H
#define PUI_VERSION_H

#define PUI_GUEST_VERSION "0.1.0"
#define PUI_GUEST_PROTOCOL 1

#endif

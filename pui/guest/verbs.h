/* What each verb of the host does (protocol.md section 2).
 *
 * In: parsed lines. Out: effects by the modules that own them; the table for ctl.c. Never: bytes of the port.
 */
#ifndef PUI_VERBS_H
#define PUI_VERBS_H

#include "ctl.h"

extern const struct verb verb_table[];

/* True after `poweroff` was answered. */
bool power_off_is_asked(void);

#endif

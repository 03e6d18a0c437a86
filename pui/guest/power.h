/* The console, and the end of the machine.
 *
 * In: text for a person. Out: bytes on /dev/console; a machine that is off.
 * Never: a return from power_off().
 */
#ifndef PUI_POWER_H
#define PUI_POWER_H

#include <stdnoreturn.h>

/* One line on the console (ttyS0 by the kernel command line); waits until the UART has sent it. */
void console_line(const char *text);

/* Off at once: ACPI S5 where there is ACPI, else a reset (QEMU's -no-reboot ends on that too). No sync. */
noreturn void power_off(void);

/* "pui-init: WHAT: DETAIL (error text of errno)" on the console, then off. For failures before the control port exists. */
noreturn void fail_boot(const char *what, const char *detail);

#endif

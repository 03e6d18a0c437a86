/* The initrd's part: from the kernel's first process to the root file system.
 *
 * In: the kernel command line, /modules.list. Out: /sbin/pui-init executed as PID 1 on the real root, or a machine
 * that is off after one clear line on the console. Never: a return.
 */
#ifndef PUI_BOOT_H
#define PUI_BOOT_H

#include <stdnoreturn.h>

noreturn void boot_main(void);

#endif

/* PID 1 of the root file system: it sets the machine up, then serves the three ports until the end.
 *
 * In: argv "stage=ms" marks of the initrd. Out: a running pi, an orderly end. Never: a return, a shell, a sleep.
 */
#ifndef PUI_INIT_H
#define PUI_INIT_H

#include <stdnoreturn.h>

noreturn void init_main(int argc, char **argv);

#endif

/* What pi's start will read, read from the disk while the rest of the boot goes on.
 *
 * In: a list of files in the root file system. Out: pages in the kernel's cache, no more.
 * Never: a delay of the boot, a failure of it, a write, a process that stays.
 */
#ifndef PUI_PREFETCH_H
#define PUI_PREFETCH_H

#include <stdint.h>

#define PREFETCH_LIST "/etc/pui/prefetch"

/* Reads what `list` names and returns the bytes asked for; stops at a bound of bytes. A line is "BYTES /PATH": the first
 * BYTES of a regular file, 0 for all of it. A line that is not so, or whose file is not there, is passed over. */
uint64_t prefetch_files(const char *list);

/* Raises the disk's read-ahead (`disk` as in "/dev/vda") and leaves prefetch_files to a child that ends by itself. */
void prefetch_start(const char *disk);

#endif

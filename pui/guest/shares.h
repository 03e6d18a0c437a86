/* Folders of the host inside the guest: mounting when the host asks, unmounting at the end.
 *
 * In: tag, path, type. Out: a mounted folder. Never: suid or device files of a share, a second try.
 */
#ifndef PUI_SHARES_H
#define PUI_SHARES_H

#include <stdbool.h>

#include "failure.h"

#define SHARES_MAX 64

/* `type` is "virtiofs" or "9p". Loads that file system's modules when the root file system lists some. */
bool share_mount(const char *tag, const char *path, const char *type, bool is_read_only, struct failure *failure);

/* Unmounts all, the last one first; a busy one is detached. */
void shares_unmount(void);

#endif

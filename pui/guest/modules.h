/* Kernel modules, loaded from uncompressed .ko files.
 *
 * In: list files of this pack. Out: loaded modules. Never: dependency resolution (the pack build wrote the order).
 */
#ifndef PUI_MODULES_H
#define PUI_MODULES_H

/* Loads one file. 0, or -1 with errno; a module that is already there is 0. */
int module_load(const char *path);

/* Loads every module of `list_path` (one path a line, relative to `folder`) in order.
 * NULL, or the name of the first one that failed (static storage) with errno set; a missing list is a failure. */
const char *modules_load_list(const char *list_path, const char *folder);

/* Loads what `list_path` names on its line "FSTYPE: a.ko b.ko" (relative to `folder`).
 * NULL also when there is no list or no such line: the file system may be built in. */
const char *modules_load_for(const char *fstype, const char *list_path, const char *folder);

#endif

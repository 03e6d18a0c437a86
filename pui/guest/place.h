/* Files and folders at absolute paths of the guest, made without following any symbolic link.
 *
 * In: absolute paths named by the host; folders whose content may be hostile. Out: descriptors, files.
 * Never: a symbolic link in any component (a mounted folder may hold one that points anywhere).
 */
#ifndef PUI_PLACE_H
#define PUI_PLACE_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>

struct owner {
    uid_t uid;
    gid_t gid;
};

/* An O_PATH descriptor of the folder; missing components are made, 0755, with this owner. -1 with errno. */
int place_open_folder(const char *path, struct owner owner);

struct file_request {
    const char *path;
    const void *data;
    size_t length;
    mode_t mode;
    bool append;
    struct owner owner;
};

/* Writes (or appends) a regular file and sets mode and owner; missing folders as above. 0, or -1 with errno. */
int place_write_file(const struct file_request *request);

/* Writes `text` to an existing file of /proc or /sys. 0, or -1 with errno. */
int place_set(const char *path, const char *text);

#endif

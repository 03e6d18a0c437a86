/* Kernel modules, loaded from uncompressed .ko files.
 *
 * In: list files. Out: see modules.h. Never: dependency resolution.
 */
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIST_SIZE 8192

static char list_text[LIST_SIZE];
static char failed_name[128];

static int read_list(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t length = 0;
    ssize_t got;
    while (length < LIST_SIZE - 1 && (got = read(fd, list_text + length, LIST_SIZE - 1 - length)) > 0)
        length += (size_t)got;
    list_text[length] = '\0';
    close(fd);
    if (length == LIST_SIZE - 1) {
        errno = EFBIG;
        return -1;
    }
    return 0;
}

int module_load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    long result = syscall(SYS_finit_module, fd, "", 0);
    int error = errno;
    close(fd);
    errno = error;
    return result == 0 || error == EEXIST ? 0 : -1;
}

/* Loads the names in `text` up to its end, separated by `separators`. */
static const char *load_names(char *text, const char *separators, const char *folder)
{
    char *rest = NULL;
    for (char *name = strtok_r(text, separators, &rest); name; name = strtok_r(NULL, separators, &rest)) {
        char path[256];
        if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
            errno = ENAMETOOLONG;
        else if (module_load(path) == 0)
            continue;
        snprintf(failed_name, sizeof failed_name, "%s", name);
        return failed_name;
    }
    return NULL;
}

const char *modules_load_list(const char *list_path, const char *folder)
{
    if (read_list(list_path) < 0)
        return list_path;
    return load_names(list_text, "\r\n", folder);
}

const char *modules_load_for(const char *fstype, const char *list_path, const char *folder)
{
    if (read_list(list_path) < 0)
        return errno == ENOENT ? NULL : list_path;
    char *rest = NULL;
    for (char *line = strtok_r(list_text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strlen(fstype);
        if (strncmp(line, fstype, length) == 0 && line[length] == ':')
            return load_names(line + length + 1, " \t\r", folder);
    }
    return NULL;
}

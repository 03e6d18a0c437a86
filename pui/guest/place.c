/* Files and folders at absolute paths of the guest.
 *
 * In: absolute paths. Out: see place.h. Never: a symbolic link in any component.
 */
#define _GNU_SOURCE
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPONENT_SIZE 256

/* Copies the next component to `name`; the rest, or NULL when there is none or it is "..", too long or empty at all. */
static const char *next_component(const char *path, char name[COMPONENT_SIZE])
{
    path += strspn(path, "/");
    size_t length = strcspn(path, "/");
    if (length == 0 || length >= COMPONENT_SIZE)
        return NULL;
    memcpy(name, path, length);
    name[length] = '\0';
    return path + length;
}

/* Opens `name` in `folder`, making it when it is missing. Closes `folder`. */
static int step_into(int folder, const char *name, struct owner owner)
{
    int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int next = strcmp(name, "..") == 0 ? (errno = EINVAL, -1) : openat(folder, name, flags);
    if (next < 0 && errno == ENOENT && mkdirat(folder, name, 0755) == 0) {
        next = openat(folder, name, flags);
        if (next >= 0)
            (void)!fchownat(folder, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW); /* 9p may refuse: still usable */
    }
    int error = errno;
    close(folder);
    errno = error;
    return next;
}

int place_open_folder(const char *path, struct owner owner)
{
    char name[COMPONENT_SIZE];
    if (path[0] != '/') {
        errno = EINVAL;
        return -1;
    }
    int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0 && path[strspn(path, "/")] != '\0') {
        path = next_component(path, name);
        if (!path) {
            close(folder);
            errno = ENAMETOOLONG;
            return -1;
        }
        folder = step_into(folder, name, owner);
    }
    return folder;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int fill_file(int fd, const struct file_request *request)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    if (!request->append && ftruncate(fd, 0) < 0)
        return -1;
    if (fchown(fd, request->owner.uid, request->owner.gid) < 0 || fchmod(fd, request->mode) < 0)
        return -1;
    return write_all(fd, request->data, request->length);
}

int place_write_file(const struct file_request *request)
{
    char folder_path[4096];
    const char *slash = strrchr(request->path, '/');
    size_t folder_length = slash ? (size_t)(slash - request->path) + 1 : 0;
    if (!slash || slash[1] == '\0' || folder_length >= sizeof folder_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(folder_path, request->path, folder_length);
    folder_path[folder_length] = '\0';
    int folder = place_open_folder(folder_path, request->owner);
    if (folder < 0)
        return -1;
    /* Non-blocking: a FIFO in a shared folder must not stop PID 1. */
    int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (request->append ? O_APPEND : 0);
    int fd = openat(folder, slash + 1, flags, 0600);
    int result = fd < 0 ? -1 : fill_file(fd, request);
    int error = errno;
    if (fd >= 0 && close(fd) < 0 && result == 0) {
        error = errno;
        result = -1;
    }
    close(folder);
    errno = error;
    return result;
}

int place_set(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = write_all(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

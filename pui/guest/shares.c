/* Folders of the host inside the guest.
 *
 * In: tag, path, type. Out: see shares.h. Never: suid or device files of a share.
 */
#include "shares.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "modules.h"
#include "place.h"

#define MODULE_FOLDER "/lib/modules/pui"
#define NINEP_OPTIONS "trans=virtio,version=9p2000.L,msize=262144,cache=none,access=any"

static char paths[SHARES_MAX][256];
static int count;

static bool load_modules(const char *type, struct failure *failure)
{
    char what[160];
    const char *failed = modules_load_for(type, MODULE_FOLDER "/modules.list", MODULE_FOLDER);
    if (!failed)
        return true;
    int error = errno;
    snprintf(what, sizeof what, "module %s", failed);
    errno = error;
    return fail_errno(failure, what);
}

/* The device of the virtio disk whose serial is `serial`, such as /dev/vdb. */
static bool find_disk(const char *serial, char device[32])
{
    for (char letter = 'b'; letter <= 'z'; letter++) { /* vda is the root disk */
        char path[64], text[64] = "";
        snprintf(path, sizeof path, "/sys/block/vd%c/serial", letter);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        ssize_t got = read(fd, text, sizeof text - 1);
        close(fd);
        if (got >= 0 && strcmp(text, serial) == 0) {
            snprintf(device, 32, "/dev/vd%c", letter);
            return true;
        }
    }
    errno = ENODEV;
    return false;
}

/* Mounts on ".", the folder that was walked to without a symbolic link. */
static int mount_at(int folder, const char *source, const char *type, unsigned long flags)
{
    const char *options = strcmp(type, "9p") == 0 ? NINEP_OPTIONS : NULL;
    if (fchdir(folder) < 0)
        return -1;
    int result = mount(source, ".", type, flags, options);
    int error = errno;
    if (chdir("/") < 0)
        result = -1;
    errno = error;
    return result;
}

bool share_mount(const char *tag, const char *path, const char *type, bool is_read_only, struct failure *failure)
{
    char device[32];
    bool is_disk = strcmp(type, "ext4") == 0;
    if (!is_disk && strcmp(type, "virtiofs") != 0 && strcmp(type, "9p") != 0)
        return fail(failure, "bad_value", "type is neither virtiofs nor 9p nor ext4");
    if (count == SHARES_MAX || strlen(path) >= sizeof paths[0])
        return fail(failure, "bad_value", "too many mounts, or too long a path");
    if (!load_modules(type, failure))
        return false;
    if (is_disk && !find_disk(tag, device))
        return fail_errno(failure, tag);
    int folder = place_open_folder(path, (struct owner){0, 0});
    if (folder < 0)
        return fail_errno(failure, path);
    int result = mount_at(folder, is_disk ? device : tag, type, MS_NOSUID | MS_NODEV | (is_read_only ? MS_RDONLY : 0));
    int error = errno;
    close(folder);
    errno = error;
    if (result < 0)
        return fail_errno(failure, "mount");
    strcpy(paths[count++], path);
    return true;
}

void shares_unmount(void)
{
    while (count > 0)
        if (umount2(paths[--count], UMOUNT_NOFOLLOW) < 0)
            umount2(paths[count], UMOUNT_NOFOLLOW | MNT_DETACH);
}

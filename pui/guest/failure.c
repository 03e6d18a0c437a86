/* Why a request of the host could not be met.
 *
 * In: errno or a fixed code. Out: see failure.h. Never: allocation.
 */
#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The C library has no way from a number to its name that all libraries share. */
static const char *errno_name(int error)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},   {ENOENT, "ENOENT"},   {EIO, "EIO"},         {ENXIO, "ENXIO"},
        {E2BIG, "E2BIG"},   {ENOEXEC, "ENOEXEC"}, {EAGAIN, "EAGAIN"},   {ENOMEM, "ENOMEM"},
        {EACCES, "EACCES"}, {EBUSY, "EBUSY"},     {EEXIST, "EEXIST"},   {ENODEV, "ENODEV"},
        {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"}, {EINVAL, "EINVAL"},   {EMFILE, "EMFILE"},
        {EFBIG, "EFBIG"},   {ENOSPC, "ENOSPC"},   {EROFS, "EROFS"},     {ELOOP, "ELOOP"},
        {ENAMETOOLONG, "ENAMETOOLONG"}, {ENOSYS, "ENOSYS"}, {EPROTO, "EPROTO"}, {ETIMEDOUT, "ETIMEDOUT"},
        {ECONNREFUSED, "ECONNREFUSED"}, {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error)
            return names[i].name;
    return NULL;
}

bool fail(struct failure *failure, const char *code, const char *message)
{
    snprintf(failure->code, sizeof failure->code, "%s", code);
    snprintf(failure->message, sizeof failure->message, "%s", message);
    return false;
}

bool fail_errno(struct failure *failure, const char *what)
{
    int error = errno;
    const char *name = errno_name(error);
    if (name)
        snprintf(failure->code, sizeof failure->code, "%s", name);
    else
        snprintf(failure->code, sizeof failure->code, "E%d", error);
    snprintf(failure->message, sizeof failure->message, "%.160s: %s", what, strerror(error));
    return false;
}

/* What the host sets before pi starts.
 *
 * In: decoded values. Out: see settings.h. Never: the lines themselves.
 */
#include "settings.h"

#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define VARIABLES_MAX 256
#define VARIABLES_SIZE 131072 /* bytes in all; execve allows more, but a runaway host should hear of it */

static char pool[VARIABLES_SIZE];
static size_t pool_used;
static char *variables[VARIABLES_MAX + 1] = {
    "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/agent", "USER=agent", "LANG=C.UTF-8", "TMPDIR=/tmp",
};
static size_t variables_count = 5;

bool set_hostname(const char *name, struct failure *failure)
{
    size_t length = strlen(name);
    if (length == 0 || length > 63)
        return fail(failure, "bad_value", "hostname must have 1 to 63 bytes");
    return sethostname(name, length) == 0 || fail_errno(failure, "sethostname");
}

bool set_clock(uint64_t unix_ns, struct failure *failure)
{
    struct timespec now = {.tv_sec = (time_t)(unix_ns / 1000000000u), .tv_nsec = (long)(unix_ns % 1000000000u)};
    return clock_settime(CLOCK_REALTIME, &now) == 0 || fail_errno(failure, "clock_settime");
}

static int parse_hex(const char *hex, uint8_t *bytes)
{
    size_t length = strlen(hex);
    if (length % 2 != 0 || length > 2 * ENTROPY_MAX || strspn(hex, "0123456789abcdefABCDEF") != length)
        return -1;
    for (size_t i = 0; i < length / 2; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (uint8_t)byte;
    }
    return (int)(length / 2);
}

bool add_entropy(const char *hex, struct failure *failure)
{
    uint8_t bytes[ENTROPY_MAX];
    union { /* the kernel's struct ends in a flexible array */
        struct rand_pool_info info;
        uint8_t storage[sizeof(struct rand_pool_info) + ENTROPY_MAX];
    } request;
    int size = parse_hex(hex, bytes);
    if (size < 0)
        return fail(failure, "bad_value", "entropy is not 0 to 512 bytes in hexadecimal");
    request.info.entropy_count = size * 8;
    request.info.buf_size = size;
    memcpy(request.storage + sizeof request.info, bytes, (size_t)size);
    int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(failure, "/dev/urandom");
    bool added = ioctl(fd, RNDADDENTROPY, &request) == 0 || fail_errno(failure, "RNDADDENTROPY");
    close(fd);
    return added;
}

bool add_variable(const char *name, const char *value, struct failure *failure)
{
    size_t name_length = strlen(name), size = name_length + strlen(value) + 2;
    if (name_length == 0 || strchr(name, '='))
        return fail(failure, "bad_value", "name is empty or holds an equals sign");
    size_t at = 0;
    while (at < variables_count && (strncmp(variables[at], name, name_length) != 0 || variables[at][name_length] != '='))
        at++;
    if (at == VARIABLES_MAX || size > VARIABLES_SIZE - pool_used)
        return fail(failure, "E2BIG", "the environment is full");
    variables[at] = pool + pool_used;
    snprintf(variables[at], size, "%s=%s", name, value);
    pool_used += size;
    if (at == variables_count)
        variables_count++;
    return true;
}

char *const *environment(void)
{
    return variables;
}

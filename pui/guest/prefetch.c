/* What pi's start will read, read ahead by a child of the init.
 *
 * In: PREFETCH_LIST. Out: see prefetch.h. Never: an error that matters: what is not read now is read when it is needed.
 */
#define _GNU_SOURCE
#include "prefetch.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

#define CHUNK_BYTES (1u << 20)
#define TOTAL_LIMIT_BYTES (256u << 20)
#define LINE_SIZE 512
#define CHILD_LIMIT_S 5u
#define READ_AHEAD_KIB "1024" /* the kernel's 128 makes eight times the requests, each of which stops the virtual processor */

/* "BYTES /PATH\n" in place. */
static bool parse_line(char *line, uint64_t *bytes, const char **path)
{
    char *rest;
    line[strcspn(line, "\n")] = '\0';
    *bytes = strtoull(line, &rest, 10);
    if (rest == line || rest[0] != ' ' || rest[1] != '/')
        return false;
    *path = rest + 1;
    return true;
}

/* The bytes asked for, at most `limit`. O_NONBLOCK: a pipe in the file's place must not hold us. */
static uint64_t read_ahead(const char *path, uint64_t limit)
{
    struct stat info;
    uint64_t done = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return 0;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        uint64_t end = (uint64_t)info.st_size < limit ? (uint64_t)info.st_size : limit;
        while (done < end) {
            uint64_t size = end - done < CHUNK_BYTES ? end - done : CHUNK_BYTES;
            if (readahead(fd, (off_t)done, (size_t)size) < 0)
                break;
            done += size;
        }
    }
    close(fd);
    return done;
}

uint64_t prefetch_files(const char *list)
{
    char line[LINE_SIZE];
    uint64_t total = 0;
    FILE *lines = fopen(list, "re");
    if (!lines)
        return 0;
    while (total < TOTAL_LIMIT_BYTES && fgets(line, sizeof line, lines)) {
        const char *path;
        uint64_t bytes, room = TOTAL_LIMIT_BYTES - total;
        if (parse_line(line, &bytes, &path))
            total += read_ahead(path, bytes && bytes < room ? bytes : room);
    }
    fclose(lines);
    return total;
}

void prefetch_start(const char *disk)
{
    char setting[96];
    const char *name = strrchr(disk, '/');
    snprintf(setting, sizeof setting, "/sys/block/%s/queue/read_ahead_kb", name ? name + 1 : disk);
    place_set(setting, READ_AHEAD_KIB); /* a partition has no such file: then the kernel's own value stays */
    if (fork() != 0)
        return; /* also when there is no child: the boot goes on without it */
    alarm(CHILD_LIMIT_S);
    prefetch_files(PREFETCH_LIST);
    _exit(0);
}

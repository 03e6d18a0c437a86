/* The control port.
 *
 * In: bytes of the host. Out: see ctl.h. Never: what a verb does, growth, blocking.
 */
#include "ctl.h"

#include <string.h>
#include <sys/utsname.h>

#include "clock.h"
#include "loop.h"
#include "version.h"

#define OUT_SIZE 131072
#define LINES_AT_ONCE 64

static struct io port = {.fd = -1};
static const struct verb *verbs;
static char in[LINE_HOST_MAX + 1]; /* one byte for the LF, which becomes the NUL */
static size_t in_length;
static bool skipping; /* inside a line that was too long */
static uint8_t out_data[OUT_SIZE];
static struct ring out = {.data = out_data, .capacity = OUT_SIZE};
static bool greeted;
static unsigned generation;
static int marks_sent;

int ctl_open(int fd, const struct verb *table)
{
    verbs = table;
    return io_open(&port, fd);
}

bool ctl_is_open(void)
{
    return port.fd >= 0;
}

unsigned ctl_generation(void)
{
    return generation;
}

bool ctl_can_send(void)
{
    return greeted && ring_room(&out) >= LINE_GUEST_MAX;
}

bool ctl_is_flushed(void)
{
    return !greeted || out.length == 0;
}

void ctl_retry(void)
{
    port.writable = true;
}

bool ctl_send(struct line_out *line)
{
    if (!ctl_can_send())
        return false;
    line_end(line);
    ring_put(&out, line->text, line->length);
    return true;
}

static void send_failure(uint64_t id, const struct failure *failure)
{
    struct line_out line;
    line_begin(&line, "error");
    line_add_number(&line, "id", id);
    line_add_text(&line, "code", failure->code);
    line_add_text(&line, "message", failure->message);
    ctl_send(&line);
}

/* An empty line first: if the last host left in the middle of one of ours, this ends it. */
static void greet(void)
{
    struct line_out line;
    struct utsname system;
    greeted = true;
    marks_sent = 0;
    if (generation++ > 0)
        ring_put(&out, "\n", 1);
    uname(&system);
    line_begin(&line, "hello");
    line_add_number(&line, "proto", PUI_GUEST_PROTOCOL);
    line_add_text(&line, "guest", PUI_GUEST_VERSION);
    line_add_text(&line, "kernel", system.release);
    line_add_number(&line, "uptime_ms", uptime_ms());
    ctl_send(&line);
}

static bool send_marks(void)
{
    int count;
    bool moved = false;
    const struct mark *list = marks(&count);
    for (; marks_sent < count && ctl_can_send(); marks_sent++, moved = true) {
        struct line_out line;
        line_begin(&line, "mark");
        line_add_text(&line, "stage", list[marks_sent].stage);
        line_add_number(&line, "uptime_ms", list[marks_sent].uptime_ms);
        ctl_send(&line);
    }
    return moved;
}

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

static void handle_line(char *text, size_t length)
{
    static struct line request;
    struct failure failure;
    struct line_out answer;
    if (length == 0)
        return;
    const char *fault = line_parse(text, length, &request);
    const struct verb *verb = fault ? NULL : find_verb(request.verb);
    if (!fault && request.id == 0)
        fault = "no id";
    if (fault) {
        fail(&failure, "bad_line", fault);
    } else if (!verb) {
        fail(&failure, "unknown_verb", request.verb);
    } else {
        line_begin(&answer, "ok");
        line_add_number(&answer, "id", request.id);
        if (verb->handle(&request, &answer, &failure)) {
            ctl_send(&answer);
            return;
        }
    }
    send_failure(request.id, &failure);
}

static void refuse_long_line(void)
{
    struct failure failure;
    fail(&failure, "E2BIG", "the line is longer than 65536 bytes");
    send_failure(0, &failure);
}

/* Handles the whole lines in `in` while answers fit; what is left moves to the front. */
static bool take_lines(void)
{
    size_t start = 0;
    bool moved = false;
    for (int i = 0; i < LINES_AT_ONCE && ctl_can_send(); i++) {
        char *end = memchr(in + start, '\n', in_length - start);
        if (!end)
            break;
        size_t length = (size_t)(end - (in + start));
        if (!skipping)
            handle_line(in + start, length);
        skipping = false;
        start += length + 1;
        moved = true;
    }
    memmove(in, in + start, in_length - start);
    in_length -= start;
    if (in_length == sizeof in && !memchr(in, '\n', in_length) && ctl_can_send()) {
        if (!skipping)
            refuse_long_line();
        skipping = true;
        in_length = 0;
        moved = true;
    }
    return moved;
}

static bool read_port(void)
{
    size_t moved;
    enum io_result result = io_read(&port, in + in_length, sizeof in - in_length, &moved);
    in_length += moved;
    if (result == IO_ENDED)
        port.hung_up = true; /* the host is away; the edge of its return clears this */
    return result == IO_MOVED;
}

/* The host is away: what it sent whole still counts, the rest goes. Not done at the return of a host: its first
 * order may have been read already. */
static bool forget_host(void)
{
    if (!greeted)
        return false;
    take_lines();
    greeted = false;
    in_length = 0;
    skipping = false;
    ring_clear(&out);
    return true;
}

bool ctl_pump(void)
{
    bool moved = false;
    if (port.fd < 0)
        return false;
    moved |= read_port(); /* before the look at hung_up: what the host sent before it left still counts */
    if (port.hung_up) {
        return moved | forget_host();
    }
    if (!greeted && port.writable) {
        greet();
        moved = true;
    }
    moved |= send_marks();
    moved |= take_lines();
    moved |= send_marks();
    while (io_write_from(&port, &out) == IO_MOVED)
        moved = true;
    return moved;
}

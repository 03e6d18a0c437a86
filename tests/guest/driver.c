/* Runs single modules of the guest program on the host for the tests; never part of the guest's binary.
 *
 * In: a mode as argv[1], bytes on stdin or inherited descriptors. Out: text on stdout, bytes on the descriptors.
 * Never: a mount, a reboot, a change of the host's clock or name (verbs.c, machine.c, power.c are left out).
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "clock.h"
#include "cmdline.h"
#include "ctl.h"
#include "mux.h"
#include "place.h"
#include "power.h"
#include "prefetch.h"
#include "relay.h"

#define PORT 3

/* In place of power.c: nothing here may end the machine of the tests. */
noreturn void fail_boot(const char *what, const char *detail)
{
    fprintf(stderr, "fail_boot: %s: %s\n", what, detail);
    abort();
}

static void print_hex(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        printf("%02x", (unsigned char)bytes[i]);
}

/* Each line of stdin: "ID verb key=HEX ..." or "ID ! reason". */
static int parse_lines(void)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t got;
    struct line line;
    while ((got = getline(&text, &size, stdin)) > 0) {
        size_t length = (size_t)got - (text[got - 1] == '\n');
        char *exact = malloc(length + 1); /* the sanitizer sees a byte too far */
        memcpy(exact, text, length);
        const char *fault = line_parse(exact, length, &line);
        printf("%" PRIu64 " ", line.id);
        if (fault)
            printf("! %s", fault);
        else
            printf("%s", line.verb);
        for (size_t i = 0; !fault && i < line.count; i++) {
            printf(" %s=", line.pairs[i].key);
            print_hex(line.pairs[i].value, line.pairs[i].length);
        }
        printf("\n");
        free(exact);
    }
    free(text);
    return 0;
}

/* All of stdin as the value of one built line. */
static int build_line(void)
{
    static char value[65536];
    struct line_out line;
    size_t length = fread(value, 1, sizeof value, stdin);
    line_begin(&line, "stderr");
    line_add(&line, "data", value, length);
    line_add_number(&line, "more", 7);
    line_end(&line);
    fwrite(line.text, 1, line.length, stdout);
    return 0;
}

static int parse_cmdline(void)
{
    char text[4096];
    struct cmdline options;
    text[fread(text, 1, sizeof text - 1, stdin)] = '\0';
    cmdline_parse(text, &options);
    printf("%d %s %s\n", options.probe, options.root, options.root_type);
    return 0;
}

static bool do_echo(const struct line *request, struct line_out *answer, struct failure *failure)
{
    const struct pair *text = line_find(request, "text");
    if (!text)
        return fail(failure, "bad_value", "text is missing");
    line_add(answer, "text", text->value, text->length);
    return true;
}

static const struct verb table[] = {{"echo", do_echo}, {NULL, NULL}};

static int serve_ctl(void)
{
    mark_add_text("init=12");
    mark_add("ports");
    if (ctl_open(PORT, table) < 0)
        return 3;
    for (;;) {
        bool moved = ctl_pump();
        if (ctl_generation() > 0 && ctl_is_flushed() && !ctl_can_send())
            return 0; /* the host has been here and has gone */
        loop_wait(moved ? 0 : -1);
    }
}

/* Descriptors: 3 the port, 4 towards the agent, 5 from the agent. Ends when both of the agent's are closed. */
static int serve_bridge(void)
{
    struct io to_agent, from_agent;
    if (bridge_open(PORT) < 0 || io_open(&to_agent, 4) < 0 || io_open(&from_agent, 5) < 0)
        return 3;
    for (;;) {
        bool moved = bridge_pump(&to_agent, &from_agent, from_agent.fd < 0);
        if (from_agent.fd < 0 && !bridge_is_blocked())
            return 0;
        loop_wait(moved ? 0 : -1);
    }
}

/* Descriptors: 3 the port, 4 a listening socket, 5 a pipe whose end ends this. Faults go to stdout. */
static int serve_relay(void)
{
    struct io end;
    if (relay_open_port(PORT) < 0 || relay_open_listener(4) < 0 || io_open(&end, 5) < 0)
        return 3;
    while (!end.hung_up) {
        bool moved = relay_pump();
        const char *fault = relay_take_fault();
        if (fault) {
            printf("%s\n", fault);
            fflush(stdout);
        }
        loop_wait(moved ? 0 : -1);
    }
    return 0;
}

static int write_place(const char *path, const char *mode, const char *append)
{
    char data[4096];
    struct file_request request = {.path = path, .data = data, .length = fread(data, 1, sizeof data, stdin)};
    request.mode = (mode_t)strtoul(mode, NULL, 8);
    request.append = append[0] == '1';
    request.owner = (struct owner){getuid(), getgid()};
    struct failure failure;
    if (place_write_file(&request) == 0)
        return 0;
    fail_errno(&failure, path);
    printf("%s\n", failure.code);
    return 1;
}

static int prefetch(const char *list)
{
    printf("%" PRIu64 "\n", prefetch_files(list));
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    signal(SIGPIPE, SIG_IGN); /* as PID 1 does */
    loop_open();
    if (strcmp(mode, "lines") == 0)
        return parse_lines();
    if (strcmp(mode, "build") == 0)
        return build_line();
    if (strcmp(mode, "cmdline") == 0)
        return parse_cmdline();
    if (strcmp(mode, "ctl") == 0)
        return serve_ctl();
    if (strcmp(mode, "bridge") == 0)
        return serve_bridge();
    if (strcmp(mode, "relay") == 0)
        return serve_relay();
    if (strcmp(mode, "prefetch") == 0 && argc == 3)
        return prefetch(argv[2]);
    return strcmp(mode, "file") == 0 && argc == 5 ? write_place(argv[2], argv[3], argv[4]) : 2;
}

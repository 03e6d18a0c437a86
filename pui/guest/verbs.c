/* What each verb of the host does.
 *
 * In: parsed lines. Out: see verbs.h. Never: bytes of the port.
 */
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "clock.h"
#include "place.h"
#include "settings.h"
#include "shares.h"

#define AGENT_ID 1000

static bool power_off_asked;

bool power_off_is_asked(void)
{
    return power_off_asked;
}

static bool bad_value(struct failure *failure, const char *message)
{
    return fail(failure, "bad_value", message);
}

static bool do_config(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)answer;
    uint64_t clock_ns;
    const char *hostname = line_text(request, "hostname"), *entropy = line_text(request, "entropy");
    if (line_find(request, "clock_ns")) {
        if (!line_number(request, "clock_ns", 10, INT64_MAX, &clock_ns))
            return bad_value(failure, "clock_ns is not a number");
        if (!set_clock(clock_ns, failure))
            return false;
    }
    if (hostname && !set_hostname(hostname, failure))
        return false;
    return !entropy || add_entropy(entropy, failure);
}

static bool do_mount(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)answer;
    uint64_t is_read_only = 0;
    const char *tag = line_text(request, "tag"), *path = line_text(request, "path"), *type = line_text(request, "type");
    if (!tag || !path || !type || !*tag)
        return bad_value(failure, "tag, path or type is missing");
    if (line_find(request, "ro") && !line_number(request, "ro", 10, 1, &is_read_only))
        return bad_value(failure, "ro is neither 0 nor 1");
    return share_mount(tag, path, type, is_read_only != 0, failure);
}

static bool do_file(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)answer;
    uint64_t mode = 0644, append = 0;
    const struct pair *data = line_find(request, "data");
    const char *path = line_text(request, "path"), *owner = line_text(request, "owner");
    if (!path || !data)
        return bad_value(failure, "path or data is missing");
    if (line_find(request, "mode") && !line_number(request, "mode", 8, 0777, &mode))
        return bad_value(failure, "mode is not octal or above 0777");
    if (line_find(request, "append") && !line_number(request, "append", 10, 1, &append))
        return bad_value(failure, "append is neither 0 nor 1");
    if (owner && strcmp(owner, "root") != 0 && strcmp(owner, "agent") != 0)
        return bad_value(failure, "owner is neither root nor agent");
    unsigned id = owner && strcmp(owner, "agent") == 0 ? AGENT_ID : 0;
    struct file_request file = {path, data->value, data->length, (mode_t)mode, append != 0, {id, id}};
    return place_write_file(&file) == 0 || fail_errno(failure, path);
}

static bool do_env(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)answer;
    const char *name = line_text(request, "name"), *value = line_text(request, "value");
    if (!name || !value)
        return bad_value(failure, "name or value is missing, or holds a NUL");
    return add_variable(name, value, failure);
}

static bool collect_argv(const struct line *request, struct agent_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++) {
        const struct pair *pair = &request->pairs[i];
        if (strcmp(pair->key, "argv") != 0)
            continue;
        if (count == AGENT_ARGS_MAX || memchr(pair->value, '\0', pair->length))
            return false;
        plan->argv[count++] = pair->value;
    }
    plan->argv[count] = NULL;
    return count > 0 && plan->argv[0][0] == '/';
}

static bool do_start(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)answer;
    struct agent_plan plan;
    uint64_t uid = AGENT_ID, gid = AGENT_ID;
    mark_add("configured");
    if (!collect_argv(request, &plan))
        return bad_value(failure, "argv needs 1 to 128 values, the first an absolute path, none with a NUL");
    if ((line_find(request, "uid") && !line_number(request, "uid", 10, 65533, &uid)) || uid == 0)
        return bad_value(failure, "uid must be 1 to 65533: pi does not run as root");
    if ((line_find(request, "gid") && !line_number(request, "gid", 10, 65533, &gid)) || gid == 0)
        return bad_value(failure, "gid must be 1 to 65533");
    plan.cwd = line_text(request, "cwd");
    if (!plan.cwd)
        return bad_value(failure, "cwd is missing");
    plan.env = environment();
    plan.uid = (uid_t)uid;
    plan.gid = (gid_t)gid;
    return agent_start(&plan, failure);
}

static uint64_t mem_available_kib(void)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static bool do_ping(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)request;
    (void)failure;
    static const char *const names[] = {[AGENT_NONE] = "none", [AGENT_RUNNING] = "running", [AGENT_EXITED] = "exited"};
    double load[1] = {0};
    char text[32];
    getloadavg(load, 1);
    snprintf(text, sizeof text, "%.2f", load[0]);
    line_add_number(answer, "uptime_ms", uptime_ms());
    line_add_number(answer, "mem_available_kib", mem_available_kib());
    line_add_text(answer, "load", text);
    line_add_text(answer, "agent", names[agent_state()]);
    return true;
}

static bool do_stop(const struct line *request, struct line_out *answer, struct failure *failure)
{
    (void)request;
    (void)answer;
    (void)failure;
    agent_stop();
    return true;
}

static bool do_poweroff(const struct line *request, struct line_out *answer, struct failure *failure)
{
    power_off_asked = true;
    return do_stop(request, answer, failure);
}

const struct verb verb_table[] = {
    {"config", do_config}, {"mount", do_mount}, {"file", do_file}, {"env", do_env},           {"start", do_start},
    {"ping", do_ping},     {"stop", do_stop},   {"poweroff", do_poweroff}, {NULL, NULL},
};

/* Control lines.
 *
 * In: the bytes of one line. Out: see line.h. Never: I/O, allocation.
 */
#include "line.h"

#include <stdio.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~/", c));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes `length` bytes in place and puts a NUL behind them. */
static bool decode(char *value, size_t length, size_t *decoded)
{
    size_t to = 0;
    for (size_t from = 0; from < length; from++) {
        if (value[from] == '%') {
            if (length - from < 3)
                return false;
            int high = hex_digit(value[from + 1]), low = hex_digit(value[from + 2]);
            if (high < 0 || low < 0)
                return false;
            value[to++] = (char)(high * 16 + low);
            from += 2;
        } else if (is_plain((unsigned char)value[from])) {
            value[to++] = value[from];
        } else {
            return false;
        }
    }
    value[to] = '\0';
    *decoded = to;
    return true;
}

static bool is_word(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || text[i] == '_' || (i > 0 && text[i] >= '0' && text[i] <= '9')))
            return false;
    return length > 0 && length <= 32;
}

static const char *parse_pair(char *text, size_t length, struct line *out)
{
    char *equals = memchr(text, '=', length);
    if (!equals || !is_word(text, (size_t)(equals - text)))
        return "a key is not of the form [a-z_0-9]=";
    *equals = '\0';
    if (strcmp(text, "argv") != 0 && line_find(out, text))
        return "a key occurs twice";
    if (out->count == LINE_PAIRS_MAX)
        return "too many keys";
    struct pair *pair = &out->pairs[out->count];
    pair->key = text;
    pair->value = equals + 1;
    if (!decode(pair->value, length - (size_t)(pair->value - text), &pair->length))
        return "a value is not percent-encoded";
    out->count++;
    return strcmp(text, "id") == 0 && !line_number(out, "id", 10, UINT64_MAX, &out->id) ? "id is not a number" : NULL;
}

const char *line_parse(char *text, size_t length, struct line *out)
{
    out->id = 0;
    out->count = 0;
    const char *fault = NULL;
    size_t at = 0;
    for (bool first = true; at <= length; first = false) {
        char *space = memchr(text + at, ' ', length - at);
        size_t end = space ? (size_t)(space - text) : length;
        text[end] = '\0';
        if (first) {
            out->verb = text;
            if (!is_word(text, end))
                fault = "the verb is not a word";
        } else {
            const char *pair_fault = parse_pair(text + at, end - at, out); /* on after a fault: the id may follow */
            fault = fault ? fault : pair_fault;
        }
        at = end + 1;
    }
    return fault;
}

const struct pair *line_find(const struct line *line, const char *key)
{
    for (size_t i = 0; i < line->count; i++)
        if (strcmp(line->pairs[i].key, key) == 0)
            return &line->pairs[i];
    return NULL;
}

const char *line_text(const struct line *line, const char *key)
{
    const struct pair *pair = line_find(line, key);
    return pair && !memchr(pair->value, '\0', pair->length) ? pair->value : NULL;
}

bool line_number(const struct line *line, const char *key, int base, uint64_t max, uint64_t *out)
{
    const struct pair *pair = line_find(line, key);
    if (!pair || pair->length == 0)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < pair->length; i++) {
        int digit = pair->value[i] - '0';
        if (digit < 0 || digit >= base || number > (max - (uint64_t)digit) / (uint64_t)base)
            return false;
        number = number * (uint64_t)base + (uint64_t)digit;
    }
    *out = number;
    return true;
}

/* One byte is kept free for the LF. */
static bool put(struct line_out *out, const char *bytes, size_t length)
{
    if (out->length + length > LINE_GUEST_MAX - 1)
        return false;
    memcpy(out->text + out->length, bytes, length);
    out->length += length;
    return true;
}

void line_begin(struct line_out *out, const char *verb)
{
    out->length = 0;
    put(out, verb, strlen(verb));
}

void line_add(struct line_out *out, const char *key, const void *value, size_t length)
{
    const unsigned char *bytes = value;
    char start[40];
    if (!put(out, start, (size_t)snprintf(start, sizeof start, " %.32s=", key)))
        return;
    for (size_t i = 0; i < length; i++) {
        char code[4];
        size_t size = is_plain(bytes[i]) ? 1 : 3;
        if (size == 1)
            code[0] = (char)bytes[i];
        else
            snprintf(code, sizeof code, "%%%02X", bytes[i]);
        if (!put(out, code, size))
            return;
    }
}

void line_add_text(struct line_out *out, const char *key, const char *text)
{
    line_add(out, key, text, strlen(text));
}

void line_add_number(struct line_out *out, const char *key, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    line_add_text(out, key, text);
}

void line_end(struct line_out *out)
{
    out->text[out->length++] = '\n';
}

/* Control lines: "verb key=value key=value LF" (protocol.md section 2).
 *
 * In: the bytes of one line. Out: a verb with decoded pairs, or a reason; and the way back. Never: I/O, allocation.
 */
#ifndef PUI_LINE_H
#define PUI_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_HOST_MAX 65536u /* bytes of a line from the host, without LF */
#define LINE_GUEST_MAX 8192u /* bytes of a line from the guest, with LF */
#define LINE_PAIRS_MAX 160

struct pair {
    const char *key;
    char *value;   /* decoded, NUL-terminated; may hold NULs of its own */
    size_t length; /* bytes of value */
};

struct line {
    const char *verb;
    uint64_t id; /* 0: none (ids start at 1) */
    size_t count;
    struct pair pairs[LINE_PAIRS_MAX];
};

/* Decodes in place: `text` has room for a NUL at `text[length]`, and `out` points into it.
 * NULL, or the reason why it is no line; `out->id` is set even then if it could be read. */
const char *line_parse(char *text, size_t length, struct line *out);

/* The pair with this key, or NULL. */
const struct pair *line_find(const struct line *line, const char *key);

/* Its value if it is there and holds no NUL, else NULL. */
const char *line_text(const struct line *line, const char *key);

/* A decimal number (base 10) or octal one (base 8) of at most `max`. False when missing or anything else. */
bool line_number(const struct line *line, const char *key, int base, uint64_t max, uint64_t *out);

struct line_out {
    size_t length;
    char text[LINE_GUEST_MAX];
};

/* Builds a line: begin, any number of adds, end. A value that does not fit any more is cut at a whole byte. */
void line_begin(struct line_out *out, const char *verb);
void line_add(struct line_out *out, const char *key, const void *value, size_t length);
void line_add_text(struct line_out *out, const char *key, const char *text);
void line_add_number(struct line_out *out, const char *key, uint64_t number);
void line_end(struct line_out *out);

#endif

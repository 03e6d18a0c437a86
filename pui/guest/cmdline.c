/* The words of the kernel command line that concern us.
 *
 * In: text. Out: see cmdline.h. Never: I/O, allocation.
 */
#include "cmdline.h"

#include <string.h>

static bool take(const char *word, size_t length, const char *key, char *value)
{
    size_t key_length = strlen(key);
    if (length < key_length || memcmp(word, key, key_length) != 0)
        return false;
    length -= key_length;
    if (length >= CMDLINE_VALUE_SIZE)
        length = CMDLINE_VALUE_SIZE - 1;
    memcpy(value, word + key_length, length);
    value[length] = '\0';
    return true;
}

void cmdline_parse(const char *text, struct cmdline *out)
{
    char mode[CMDLINE_VALUE_SIZE] = "task";
    strcpy(out->root, "/dev/vda");
    strcpy(out->root_type, "ext4");
    while (*text) {
        size_t length = strcspn(text, " \t\n");
        if (!take(text, length, "pui.mode=", mode) && !take(text, length, "pui.root=", out->root))
            take(text, length, "pui.rootfstype=", out->root_type);
        text += length;
        text += strspn(text, " \t\n");
    }
    out->probe = strcmp(mode, "probe") == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gen/plugin/emit.h"

#define BYTES_PER_LINE 20u

/* Whether the three bytes are a character that turns the direction of text around, U+202A to U+202E
 * or U+2066 to U+2069: compilers warn of them, because they hide what code says. */
static bool turns_text(const char *bytes, size_t length)
{
    const unsigned char *b = (const unsigned char *)bytes;

    return length >= 3 && b[0] == 0xe2 &&
           ((b[1] == 0x80 && b[2] >= 0xaa && b[2] <= 0xae) ||
            (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9));
}

/* One line of a comment, less its end; what would open or close a comment inside of it is taken
 * apart. */
static void add_comment_text(struct text *out, const char *line, size_t length)
{
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\r'))
        length--;
    for (size_t i = 0; i < length; i++) {
        bool opens = line[i] == '/' && i + 1 < length && line[i + 1] == '*';
        bool closes = line[i] == '*' && i + 1 < length && line[i + 1] == '/';

        if (turns_text(line + i, length - i)) {
            text_puts(out, "?");
            i += 2;
            continue;
        }
        text_add(out, &line[i], 1);
        if (opens || closes)
            text_puts(out, " ");
    }
}

static const char *skip_blank_lines(const char *text)
{
    const char *start = text;

    for (; *text == ' ' || *text == '\n' || *text == '\t' || *text == '\r'; text++) {
        if (*text == '\n')
            start = text + 1;
    }
    return start;
}

static size_t trimmed_length(const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && strchr(" \n\t\r", text[length - 1]))
        length--;
    return length;
}

void emit_comment(struct text *out, const char *comment, const char *indent)
{
    const char *text = skip_blank_lines(comment ? comment : "");
    size_t length = trimmed_length(text);
    const char *end = text + length;
    bool many = memchr(text, '\n', length) != NULL;

    if (length == 0)
        return;
    text_printf(out, "%s/*%s", indent, many ? "\n" : "");
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;

        if (many)
            text_printf(out, "%s *", indent);
        if (*text != ' ' && text < stop)
            text_puts(out, " ");
        add_comment_text(out, text, (size_t)(stop - text));
        if (many)
            text_puts(out, "\n");
        text = stop + 1;
    }
    text_printf(out, "%s */\n", many ? indent : "");
}

void emit_bytes(struct text *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char *lead = i == 0 ? "    " : i % BYTES_PER_LINE == 0 ? "\n    " : " ";

        text_printf(out, "%s%u,", lead, (unsigned)bytes[i]);
    }
    if (size)
        text_puts(out, "\n");
}

void emit_declare(struct emit *emit, const struct source_place *place, const char *prefix,
                  const char *suffix)
{
    identifiers_declare(emit->identifiers, emit->file, place,
                        pool_printf(emit->pool, "%s%s", prefix, suffix));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/plugin/pool.h"

/* The first allocation of a text, in bytes. */
#define TEXT_CAPACITY_MIN 256u
/* The most variables that one template may have. */
#define TEXT_VARIABLES_MAX 16u

struct variable {
    const char *name;
    const char *value;
};

static void reserve(struct text *text, size_t more)
{
    size_t need = text->length + more + 1;
    size_t capacity = text->capacity ? text->capacity : TEXT_CAPACITY_MIN;

    if (need <= text->capacity)
        return;
    while (capacity < need)
        capacity *= 2;
    text->data = must_realloc(text->data, capacity);
    text->capacity = capacity;
}

void text_add(struct text *text, const char *data, size_t length)
{
    reserve(text, length);
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length > 0) {
        reserve(text, (size_t)length);
        vsnprintf(text->data + text->length, (size_t)length + 1, format, args);
        text->length += (size_t)length;
    }
    va_end(args);
}

static const char *find_variable(const struct variable *variables, size_t n, const char *name,
                                 size_t length)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(variables[i].name) == length && memcmp(variables[i].name, name, length) == 0)
            return variables[i].value;
    }
    fprintf(stderr, "protoc-gen-grpcc: bug: a template names $%.*s$ and has no value for it\n",
            (int)length, name);
    abort();
}

static void fill(struct text *text, const char *template, const struct variable *variables,
                 size_t n)
{
    const char *start;

    while ((start = strchr(template, '$'))) {
        const char *end = strchr(start + 1, '$');

        if (!end)
            break;
        text_add(text, template, (size_t)(start - template));
        text_puts(text, find_variable(variables, n, start + 1, (size_t)(end - start - 1)));
        template = end + 1;
    }
    text_puts(text, template);
}

void text_fill(struct text *text, const char *template, ...)
{
    struct variable variables[TEXT_VARIABLES_MAX];
    size_t n = 0;
    const char *name;
    va_list args;

    va_start(args, template);
    while ((name = va_arg(args, const char *))) {
        if (n == TEXT_VARIABLES_MAX)
            abort();
        variables[n].name = name;
        variables[n].value = va_arg(args, const char *);
        n++;
    }
    va_end(args);
    fill(text, template, variables, n);
}

void text_literal(struct text *text, const char *string)
{
    text_puts(text, "\"");
    for (const unsigned char *p = (const unsigned char *)string; *p; p++) {
        if (*p == '"' || *p == '\\' || *p == '?') /* '?': no trigraphs */
            text_printf(text, "\\%c", *p);
        else if (*p == '\n')
            text_puts(text, "\\n");
        else if (*p < 0x20 || *p > 0x7e)
            text_printf(text, "\\%03o", (unsigned)*p);
        else
            text_add(text, (const char *)p, 1);
    }
    text_puts(text, "\"");
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

void text_done(struct text *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}

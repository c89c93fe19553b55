/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/interop/flags.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_default(const struct flag *flag)
{
    switch (flag->kind) {
    case FLAG_TEXT:
        printf(" [%s]\n", *(const char **)flag->value ? *(const char **)flag->value : "none");
        break;
    case FLAG_NUMBER:
        printf(" [%d]\n", *(int *)flag->value);
        break;
    case FLAG_BOOL:
        printf(" [%s]\n", *(bool *)flag->value ? "true" : "false");
        break;
    }
}

static void print_help(const struct flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf("  --%-46s %s", flags[i].name, flags[i].help);
        print_default(&flags[i]);
    }
}

static const struct flag *find(const struct flag *flags, size_t n, const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(flags[i].name) == length && strncmp(flags[i].name, name, length) == 0)
            return &flags[i];
    return NULL;
}

static bool read_number(const struct flag *flag, const char *text)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < 0 || number > INT_MAX) {
        fprintf(stderr, "--%s: \"%s\" is not a number from 0 to %d\n", flag->name, text, INT_MAX);
        return false;
    }
    *(int *)flag->value = (int)number;
    return true;
}

static bool read_bool(const struct flag *flag, const char *text)
{
    bool is_true = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!is_true && strcmp(text, "false") != 0 && strcmp(text, "0") != 0) {
        fprintf(stderr, "--%s: \"%s\" is neither true nor false\n", flag->name, text);
        return false;
    }
    *(bool *)flag->value = is_true;
    return true;
}

static bool read_value(const struct flag *flag, const char *text)
{
    switch (flag->kind) {
    case FLAG_NUMBER:
        return read_number(flag, text);
    case FLAG_BOOL:
        return read_bool(flag, text);
    default:
        *(const char **)flag->value = text;
        return true;
    }
}

static bool is_bool_word(const char *word)
{
    return word && (strcmp(word, "true") == 0 || strcmp(word, "false") == 0);
}

/* One flag; *at goes on to its value where that is a word of its own. */
static bool read_flag(const struct flag *flags, size_t n, char **argv, int *at)
{
    const char *word = argv[*at], *next = argv[*at + 1];
    if (word[0] != '-') {
        fprintf(stderr, "%s: flags begin with \"--\"\n", word);
        return false;
    }
    const char *name = word + strspn(word, "-");
    size_t length = strcspn(name, "=");
    const struct flag *flag = find(flags, n, name, length);
    if (!flag) {
        fprintf(stderr, "--%.*s: no such flag; --help lists them\n", (int)length, name);
        return false;
    }
    if (name[length] == '=')
        return read_value(flag, name + length + 1);
    if (flag->kind == FLAG_BOOL && !is_bool_word(next)) {
        *(bool *)flag->value = true;
        return true;
    }
    if (!next) {
        fprintf(stderr, "--%s: its value is missing\n", flag->name);
        return false;
    }
    (*at)++;
    return read_value(flag, next);
}

bool flags_read(const struct flag *flags, size_t n, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-help") == 0 ||
            strcmp(argv[i], "-h") == 0) {
            print_help(flags, n);
            return false;
        }
        if (!read_flag(flags, n, argv, &i))
            return false;
    }
    return true;
}

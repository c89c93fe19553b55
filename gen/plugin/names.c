/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Sorted bytewise, for bsearch. */
static const char *const reserved[] = {
    "EOF",           "I",         "INFINITY",   "NAN",
    "NULL",          "_Alignas",  "_Alignof",   "_Atomic",
    "_Bool",         "_Complex",  "_Float128",  "_Generic",
    "_Imaginary",    "_LP64",     "_Noreturn",  "_Static_assert",
    "_Thread_local", "alignas",   "alignof",    "and",
    "and_eq",        "asm",       "assert",     "auto",
    "bitand",        "bitor",     "bool",       "break",
    "case",          "catch",     "char",       "char16_t",
    "char32_t",      "char8_t",   "class",      "co_await",
    "co_return",     "co_yield",  "compl",      "complex",
    "concept",       "const",     "const_cast", "consteval",
    "constexpr",     "constinit", "continue",   "decltype",
    "default",       "delete",    "do",         "double",
    "dynamic_cast",  "else",      "enum",       "errno",
    "explicit",      "export",    "extern",     "false",
    "float",         "for",       "friend",     "goto",
    "i386",          "if",        "imaginary",  "inline",
    "int",           "linux",     "long",       "mutable",
    "namespace",     "new",       "noexcept",   "noreturn",
    "not",           "not_eq",    "nullptr",    "offsetof",
    "operator",      "or",        "or_eq",      "private",
    "protected",     "public",    "register",   "reinterpret_cast",
    "requires",      "restrict",  "return",     "short",
    "signed",        "sizeof",    "static",     "static_assert",
    "static_cast",   "stderr",    "stdin",      "stdout",
    "struct",        "switch",    "template",   "this",
    "thread_local",  "throw",     "true",       "try",
    "typedef",       "typeid",    "typename",   "typeof",
    "union",         "unix",      "unsigned",   "using",
    "virtual",       "void",      "volatile",   "wchar_t",
    "while",         "xor",       "xor_eq",
};

static int compare_word(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

/* INT_MAX and its like, which the headers that generated ones include define. */
static bool is_limit(const char *name)
{
    static const char *const types[] = {
        "CHAR",   "INT",     "INT16", "INT32",   "INT64",   "INT8",   "INTMAX", "INTPTR", "LLONG",
        "LONG",   "PTRDIFF", "SCHAR", "SHRT",    "SIZE",    "SSIZE",  "UCHAR",  "UINT",   "UINT16",
        "UINT32", "UINT64",  "UINT8", "UINTMAX", "UINTPTR", "ULLONG", "ULONG",  "USHRT",  "WCHAR",
    };
    static const char *const limits[] = {"_BIT", "_MAX", "_MIN"};
    const char *bar = strrchr(name, '_');
    bool found = false;

    for (size_t i = 0; bar && i < sizeof(limits) / sizeof(limits[0]); i++)
        found = found || strcmp(bar, limits[i]) == 0;
    for (size_t i = 0; found && i < sizeof(types) / sizeof(types[0]); i++) {
        size_t length = strlen(types[i]);

        if (length == (size_t)(bar - name) && memcmp(types[i], name, length) == 0)
            return true;
    }
    return false;
}

/* __LINE__ and its like. */
static bool is_predefined(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && strncmp(name, "__", 2) == 0 && strcmp(name + length - 2, "__") == 0;
}

bool names_is_reserved(const char *name)
{
    return is_limit(name) || is_predefined(name) ||
           bsearch(name, reserved, sizeof(reserved) / sizeof(reserved[0]), sizeof(reserved[0]),
                   compare_word);
}

char *names_safe(struct pool *pool, const char *name)
{
    return pool_printf(pool, "%s%s", name, names_is_reserved(name) ? "_" : "");
}

static bool is_upper(char c)
{
    return isupper((unsigned char)c);
}

/* Whether a word of CamelCase starts at name[i]: after a small letter or digit, or as the last
 * capital of a run. */
static bool starts_word(const char *name, size_t i)
{
    if (i == 0 || !is_upper(name[i]) || name[i - 1] == '_' || name[i - 1] == '.')
        return false;
    return !is_upper(name[i - 1]) || islower((unsigned char)name[i + 1]);
}

char *names_snake(struct pool *pool, const char *camel)
{
    char *snake = pool_alloc(pool, 2 * strlen(camel) + 1);
    size_t n = 0;

    for (size_t i = 0; camel[i]; i++) {
        if (starts_word(camel, i))
            snake[n++] = '_';
        snake[n++] = camel[i] == '.' ? '_' : (char)tolower((unsigned char)camel[i]);
    }
    return snake;
}

char *names_c(struct pool *pool, const char *full_name)
{
    return names_safe(pool, names_snake(pool, full_name + (*full_name == '.')));
}

char *names_upper(struct pool *pool, const char *name)
{
    char *upper = pool_strdup(pool, name);

    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return upper;
}

static size_t stem_length(const char *path)
{
    static const char suffix[] = ".proto";
    size_t length = strlen(path), cut = sizeof(suffix) - 1;

    return length > cut && strcmp(path + length - cut, suffix) == 0 ? length - cut : length;
}

char *names_of_path(struct pool *pool, const char *path)
{
    char *name = pool_printf(pool, "%s%.*s", isdigit((unsigned char)*path) ? "file_" : "",
                             (int)stem_length(path), path);

    for (char *p = name; *p; p++)
        *p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '_';
    return name;
}

char *names_output(struct pool *pool, const char *path, const char *suffix)
{
    return pool_printf(pool, "%.*s%s", (int)stem_length(path), path, suffix);
}

char *names_declaration(struct pool *pool, const char *type, const char *name)
{
    size_t length = strlen(type);

    return pool_printf(pool, "%s%s%s", type, length && type[length - 1] == '*' ? "" : " ", name);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/xfcc.h"

#include <stdbool.h>
#include <string.h>

struct cursor {
    struct grpcc_arena *arena;
    const char *text;
    size_t length;
    size_t at;
    struct grpcc_error *err;
};

/* A piece of the header. */
struct span {
    const char *text;
    size_t length;
};

static enum grpcc_status bad(const struct cursor *cursor, const char *what)
{
    return grpcc_error_set(cursor->err, GRPCC_INVALID_ARGUMENT,
                           "x-forwarded-client-cert: %s at byte %zu", what, cursor->at);
}

static enum grpcc_status no_memory(const struct cursor *cursor)
{
    return grpcc_error_set(cursor->err, GRPCC_RESOURCE_EXHAUSTED,
                           "no room for x-forwarded-client-cert");
}

static bool at_end(const struct cursor *cursor)
{
    return cursor->at == cursor->length;
}

static char here(const struct cursor *cursor)
{
    return at_end(cursor) ? '\0' : cursor->text[cursor->at];
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool is_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static enum grpcc_status read_key(struct cursor *cursor, struct span *ret_key)
{
    size_t start = cursor->at;
    while (is_key(here(cursor)))
        cursor->at++;
    *ret_key = (struct span){cursor->text + start, cursor->at - start};
    if (!ret_key->length)
        return bad(cursor, "no key");
    if (here(cursor) != '=')
        return bad(cursor, "no '=' after a key");
    cursor->at++;
    return GRPCC_OK;
}

static enum grpcc_status read_token(struct cursor *cursor, char **ret_value)
{
    size_t start = cursor->at;
    while (!at_end(cursor) && !strchr(",;", here(cursor))) {
        if (!is_printable(here(cursor)) || strchr("=\" ", here(cursor)))
            return bad(cursor, "a value that should be quoted");
        cursor->at++;
    }
    *ret_value = grpcc_arena_strndup(cursor->arena, cursor->text + start, cursor->at - start);
    return *ret_value ? GRPCC_OK : no_memory(cursor);
}

/* A backslash keeps what follows it from ending the value, and stays: Envoy writes subjects as
 * RFC 2253 has them, where quotes are escaped already, and escapes nothing itself. */
static enum grpcc_status read_quoted(struct cursor *cursor, char **ret_value)
{
    size_t start = ++cursor->at; /* after the quote */
    while (!at_end(cursor) && here(cursor) != '"') {
        cursor->at += here(cursor) == '\\';
        if (!is_printable(here(cursor)))
            return bad(cursor, "a byte that is not printable, or none after a backslash");
        cursor->at++;
    }
    if (at_end(cursor))
        return bad(cursor, "a quote without its end");
    *ret_value = grpcc_arena_strndup(cursor->arena, cursor->text + start, cursor->at - start);
    cursor->at++;
    return *ret_value ? GRPCC_OK : no_memory(cursor);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false: not URL encoding, or a NUL in it. */
static bool decode_url(char *value)
{
    char *out = value;
    for (const char *in = value; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex(in[1]);
        int low = high < 0 ? -1 : hex(in[2]);
        if (low < 0 || high + low == 0)
            return false;
        *out++ = (char)(high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return true;
}

static bool is(struct span key, const char *name)
{
    return key.length == strlen(name) && memcmp(key.text, name, key.length) == 0;
}

static enum grpcc_status set_once(struct cursor *cursor, const char **ret_value, char *value)
{
    if (*ret_value)
        return bad(cursor, "a key that may come once came twice");
    *ret_value = value;
    return GRPCC_OK;
}

static enum grpcc_status set_pem(struct cursor *cursor, const char **ret_value, char *value)
{
    return decode_url(value) ? set_once(cursor, ret_value, value)
                             : bad(cursor, "a certificate that is not URL-encoded");
}

static enum grpcc_status append(struct cursor *cursor, const char **names, size_t *n, char *value)
{
    if (*n == GRPCC_XFCC_NAMES_MAX)
        return bad(cursor, "too many names");
    names[(*n)++] = value;
    return GRPCC_OK;
}

/* Keys that are not known are Envoy's of tomorrow. */
static enum grpcc_status set(struct cursor *cursor, struct grpcc_xfcc *element, struct span key,
                             char *value)
{
    if (!*value)
        return GRPCC_OK;
    if (is(key, "Hash"))
        return set_once(cursor, &element->hash, value);
    if (is(key, "Subject"))
        return set_once(cursor, &element->subject, value);
    if (is(key, "Cert"))
        return set_pem(cursor, &element->certificate, value);
    if (is(key, "Chain"))
        return set_pem(cursor, &element->chain, value);
    if (is(key, "By"))
        return append(cursor, element->by, &element->n_by, value);
    if (is(key, "URI"))
        return append(cursor, element->uris, &element->n_uris, value);
    if (is(key, "DNS"))
        return append(cursor, element->dns_names, &element->n_dns_names, value);
    return GRPCC_OK;
}

static enum grpcc_status read_element(struct cursor *cursor, struct grpcc_xfcc *element)
{
    for (;;) {
        struct span key = {NULL, 0};
        char *value = NULL;
        enum grpcc_status status = read_key(cursor, &key);
        if (!status)
            status = here(cursor) == '"' ? read_quoted(cursor, &value) : read_token(cursor, &value);
        if (!status)
            status = set(cursor, element, key, value);
        if (status || at_end(cursor) || here(cursor) == ',')
            return status;
        if (here(cursor) != ';')
            return bad(cursor, "something after a value");
        cursor->at++;
    }
}

enum grpcc_status grpcc_xfcc_parse(struct grpcc_arena *arena, const char *text, size_t length,
                                   struct grpcc_xfcc *ret_last, struct grpcc_error *err)
{
    struct cursor cursor = {.arena = arena, .text = text, .length = length, .err = err};
    struct grpcc_xfcc element;
    if (length > GRPCC_XFCC_BYTES_MAX)
        return bad(&cursor, "too long");
    for (unsigned n = 1;; n++) {
        memset(&element, 0, sizeof(element));
        enum grpcc_status status = read_element(&cursor, &element);
        if (status)
            return status;
        if (at_end(&cursor))
            break;
        if (n == GRPCC_XFCC_ELEMENTS_MAX)
            return bad(&cursor, "too many elements");
        cursor.at++; /* the comma */
        while (here(&cursor) == ' ')
            cursor.at++;
    }
    *ret_last = element;
    return GRPCC_OK;
}

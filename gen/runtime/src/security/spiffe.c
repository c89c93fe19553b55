/* SPDX-License-Identifier: Apache-2.0 */
/* Source: the SPIFFE-ID standard, https://spiffe.io/docs/latest/spiffe-about/spiffe-concepts/. */
#include "gen/runtime/src/security/spiffe.h"

#include <string.h>

#include "gen/runtime/src/message/memory.h"

enum { SCHEME_LENGTH = sizeof(GRPCC_SPIFFE_SCHEME) - 1 };

static bool in_trust_domain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool in_segment(char c)
{
    return in_trust_domain(c) || (c >= 'A' && c <= 'Z');
}

/* path: empty, or "/segment/segment". */
static bool is_path(const char *path, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t start = ++at; /* after the slash */
        while (at < length && in_segment(path[at]))
            at++;
        size_t n = at - start;
        bool dots = (n == 1 || n == 2) && path[start] == '.' && path[at - 1] == '.';
        if (n == 0 || dots || (at < length && path[at] != '/'))
            return false;
    }
    return true;
}

static bool is_id(const char *text, size_t length)
{
    if (length > GRPCC_SPIFFE_ID_MAX || length < SCHEME_LENGTH ||
        memcmp(text, GRPCC_SPIFFE_SCHEME, SCHEME_LENGTH) != 0)
        return false;
    size_t end = SCHEME_LENGTH;
    while (end < length && in_trust_domain(text[end]))
        end++;
    size_t trust_domain = end - SCHEME_LENGTH;
    if (trust_domain == 0 || trust_domain > GRPCC_SPIFFE_TRUST_DOMAIN_MAX)
        return false;
    return end == length || (text[end] == '/' && is_path(text + end, length - end));
}

bool grpcc_spiffe_is_id(const char *text)
{
    return is_id(text, strlen(text));
}

bool grpcc_spiffe_is_pattern(const char *text)
{
    size_t length = strlen(text);
    if (length && text[length - 1] == '/')
        length--;
    return is_id(text, length);
}

bool grpcc_spiffe_matches(const char *pattern, const char *id)
{
    size_t length = strlen(pattern);
    if (length && pattern[length - 1] == '/')
        return strncmp(pattern, id, length) == 0;
    return strcmp(pattern, id) == 0;
}

enum grpcc_status grpcc_spiffe_list_new(const char *const *patterns, const char *option,
                                        struct grpcc_spiffe_list **ret_list,
                                        struct grpcc_error *err)
{
    size_t n = 0;
    for (; patterns[n]; n++) {
        if (n == GRPCC_SPIFFE_LIST_MAX)
            return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: more than %d entries", option,
                                   GRPCC_SPIFFE_LIST_MAX);
        if (!grpcc_spiffe_is_pattern(patterns[n]))
            return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                                   "%s: \"%.200s\" is not a SPIFFE ID such as "
                                   "spiffe://example.org/service, nor one that ends in a slash",
                                   option, patterns[n]);
    }
    if (n == 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "%s: an empty list lets nobody in: leave it out, or name someone",
                               option);
    struct grpcc_spiffe_list *list = grpcc_memory_zalloc(sizeof(*list));
    if (list)
        list->patterns = grpcc_memory_zalloc(n * sizeof(*list->patterns));
    for (; list && list->patterns && list->n < n; list->n++) {
        list->patterns[list->n] = grpcc_memory_strdup(patterns[list->n]);
        if (!list->patterns[list->n])
            break;
    }
    if (list && list->n == n) {
        *ret_list = list;
        return GRPCC_OK;
    }
    grpcc_spiffe_list_free(list);
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for %s", option);
}

void grpcc_spiffe_list_free(struct grpcc_spiffe_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n; i++)
        grpcc_memory_free(list->patterns[i]);
    grpcc_memory_free(list->patterns);
    grpcc_memory_free(list);
}

bool grpcc_spiffe_list_has(const struct grpcc_spiffe_list *list, const char *id)
{
    for (size_t i = 0; i < list->n; i++)
        if (grpcc_spiffe_matches(list->patterns[i], id))
            return true;
    return false;
}

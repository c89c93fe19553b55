/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/events/event_service.h"

#define OWN_PREFIX "user."

static comb_str first_part(comb_str name)
{
    const char *dot = name.len > 0 ? memchr(name.ptr, '.', name.len) : NULL;
    return dot ? comb_str_of(name.ptr, (size_t)(dot - name.ptr)) : name;
}

/* "user.ID." of the principal, and something behind it. */
static bool is_own(const struct comb_principal *principal, comb_str name)
{
    char text[sizeof OWN_PREFIX + COMB_UUID_TEXT_LENGTH + 1] = OWN_PREFIX;
    size_t len = sizeof OWN_PREFIX - 1;
    comb_uuid_format(&principal->user, text + len);
    len += COMB_UUID_TEXT_LENGTH;
    text[len++] = '.';
    return name.len > len && memcmp(name.ptr, text, len) == 0;
}

/* A pattern that begins with a wild part would reach the server's own topics, too. */
static bool is_servers(comb_str name)
{
    comb_str first = first_part(name);
    return comb_str_equal(first, STR("comb")) || comb_str_equal(first, STR("*")) ||
           comb_str_equal(first, STR(">"));
}

enum comb_status comb_event_allowed(const struct comb_principal *principal, comb_str name,
                                    struct comb_error *err)
{
    if (principal->n_scopes > 0)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                              "the token's scopes do not reach events");
    if (is_own(principal, name))
        return COMB_OK;
    if (!principal->administrator)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "users publish and listen below user.USER-ID. of their own id");
    if (is_servers(name))
        return comb_error_set(err, COMB_PERMISSION_DENIED, 0,
                              "topics below comb. are the server's own; a pattern of an "
                              "administrator begins with another, plain part");
    return COMB_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of an attempt. */
#include <string.h>

#include "client/lib/internal.h"

enum { OWN_HEADERS_MAX = 5 };

static void add(struct comb_headers *headers, const char *key, const char *value)
{
    headers->items[headers->n++] = (struct grpcc_metadata){key, value, strlen(value)};
}

enum grpcc_status comb_headers_make(struct comb_client *client, const struct comb_rule *rule,
                                    const char *request_id, bool repeated,
                                    const struct grpcc_call_options *given,
                                    struct grpcc_arena *arena, struct comb_headers *ret_headers,
                                    struct grpcc_error *err)
{
    struct comb_headers headers = {0};
    size_t n_given = given ? given->n_metadata : 0;
    char *seen = grpcc_arena_alloc(arena, COMB_SEEN_TEXT_SIZE);
    headers.items = grpcc_arena_calloc(arena, n_given + OWN_HEADERS_MAX, sizeof(*headers.items));
    if (!seen || !headers.items)
        return comb_error_memory(err);
    if (!rule->open) {
        enum grpcc_status status =
            comb_session_bearer(&client->session, arena, &headers.secret, &headers.generation, err);
        if (status)
            return status;
    }
    if (headers.secret)
        add(&headers, "authorization", headers.secret);
    if (comb_seen_text(&client->seen, seen) > 0)
        add(&headers, "comb-token", seen);
    if (client->strong)
        add(&headers, "comb-consistency", "strong");
    if (request_id)
        add(&headers, "comb-request-id", request_id);
    if (repeated)
        add(&headers, "comb-repeated", "1");
    if (n_given)
        memcpy(headers.items + headers.n, given->metadata, n_given * sizeof(*given->metadata));
    headers.n += n_given;
    *ret_headers = headers;
    return GRPCC_OK;
}

void comb_headers_wipe(struct comb_headers *headers)
{
    if (headers->secret)
        explicit_bzero(headers->secret, strlen(headers->secret));
    headers->secret = NULL;
}

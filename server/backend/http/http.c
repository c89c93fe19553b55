/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes, hosts, and what is known of the store's state. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/http/internal.h"
#include "server/core/buf.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

#define CONNECTIONS_DEFAULT 16

/* ---- libcurl's memory: wiped, since tokens and secrets pass through it ---- */

static void wiping_free(void *pointer)
{
    if (pointer)
        comb_memory_wipe(pointer, malloc_usable_size(pointer));
    comb_memory_free(pointer);
}

static void *wiping_realloc(void *old, size_t size)
{
    void *larger = comb_memory_alloc(size);
    if (larger && old) {
        size_t held = malloc_usable_size(old);
        memcpy(larger, old, held < size ? held : size);
        wiping_free(old);
    }
    return larger;
}

static void *zeroed(size_t count, size_t size)
{
    size_t all;
    return __builtin_mul_overflow(count, size, &all) ? NULL : comb_memory_zalloc(all);
}

static char *dup_text(const char *text)
{
    return comb_memory_dup(comb_str_from(text));
}

static void init_curl(void)
{
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, comb_memory_alloc, wiping_free, wiping_realloc,
                         dup_text, zeroed);
}

/* ---- open and close ---- */

static bool copy_optional(comb_str text, char **ret_copy)
{
    if (text.len > 0)
        *ret_copy = comb_memory_dup(text);
    return text.len == 0 || *ret_copy;
}

static char *host_text(comb_str name)
{
    bool bracketed = memchr(name.ptr, ':', name.len) != NULL;
    size_t room = name.len + 3;
    char *text = comb_memory_alloc(room);
    if (text)
        snprintf(text, room, bracketed ? "[%.*s]" : "%.*s", COMB_STR_ARG(name));
    return text;
}

static bool copy_options(struct comb_http *http)
{
    const struct comb_http_options *options = &http->options;
    bool copied = copy_optional(options->ca, &http->ca) &&
                  copy_optional(options->cert, &http->cert) &&
                  copy_optional(options->key, &http->key);
    for (size_t i = 0; copied && i < options->url.n_hosts; i++)
        copied = (http->hosts[i] = host_text(options->url.hosts[i].name)) != NULL;
    http->lanes = comb_memory_zalloc(options->connections_max * sizeof *http->lanes);
    for (uint32_t i = 0; http->lanes && i < options->connections_max; i++) {
        http->lanes[i].next_free = http->free_lanes;
        http->free_lanes = &http->lanes[i];
    }
    return copied && http->lanes;
}

enum comb_status comb_http_open(const struct comb_http_options *options,
                                struct comb_http **ret_http, struct comb_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (options->key.len > 0 && options->cert.len == 0)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "a key= needs the certificate that it is for, cert=");
    pthread_once(&once, init_curl);
    struct comb_http *http = comb_memory_zalloc(sizeof *http);
    if (!http)
        return comb_error_no_memory(err);
    http->options = *options;
    if (http->options.connections_max == 0)
        http->options.connections_max = CONNECTIONS_DEFAULT;
    pthread_mutex_init(&http->lock, NULL);
    comb_cond_init(&http->freed);
    http->backoff = (struct comb_backoff){.first_ms = TRIAL_FIRST_MS, .most_ms = TRIAL_MOST_MS};
    http->status = (struct comb_store_status){.driver = options->driver, .shared = true};
    if (!copy_options(http)) {
        comb_http_close(http);
        return comb_error_no_memory(err);
    }
    *ret_http = http;
    return COMB_OK;
}

void comb_http_close(struct comb_http *http)
{
    if (!http)
        return;
    for (uint32_t i = 0; http->lanes && i < http->options.connections_max; i++) {
        if (http->lanes[i].multi)
            curl_multi_cleanup(http->lanes[i].multi);
    }
    for (size_t i = 0; i < COMB_URL_HOSTS_MAX; i++)
        comb_memory_free(http->hosts[i]);
    comb_memory_free(http->lanes);
    comb_memory_free(http->ca);
    comb_memory_free(http->cert);
    comb_memory_free(http->key);
    pthread_cond_destroy(&http->freed);
    pthread_mutex_destroy(&http->lock);
    comb_memory_free(http);
}

/* ---- the state ---- */

static bool set_state_locked(struct comb_http *http, enum comb_store_state state,
                             const struct comb_error *err)
{
    bool changed = comb_store_status_set(&http->status, state, err);
    if (state == COMB_STORE_UP) {
        comb_backoff_reset(&http->backoff);
    } else if (state == COMB_STORE_DOWN && err) {
        http->down = *err;
        http->down.ambiguous = false;
        http->trial_ns =
            comb_clock_monotonic_ns() + comb_backoff_next_ms(&http->backoff) * COMB_NS_PER_MS;
    }
    pthread_cond_broadcast(&http->freed);
    return changed;
}

bool comb_http_set_state(struct comb_http *http, enum comb_store_state state,
                         const struct comb_error *err)
{
    pthread_mutex_lock(&http->lock);
    bool changed = set_state_locked(http, state, err);
    pthread_mutex_unlock(&http->lock);
    return changed;
}

void comb_http_set_server(struct comb_http *http, comb_str server)
{
    pthread_mutex_lock(&http->lock);
    snprintf(http->status.server, sizeof http->status.server, "%.*s", COMB_STR_ARG(server));
    pthread_mutex_unlock(&http->lock);
}

void comb_http_status(struct comb_http *http, struct comb_store_status *ret_status)
{
    pthread_mutex_lock(&http->lock);
    *ret_status = http->status;
    pthread_mutex_unlock(&http->lock);
}

/* ---- a call ---- */

static enum comb_status known_down_locked(struct comb_http *http, struct comb_error *err)
{
    if (err)
        *err = http->down;
    return http->down.status;
}

static enum comb_status busy(struct comb_http *http, struct comb_error *err)
{
    comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0,
                   "all %u connections to %s were busy until the call's deadline",
                   http->options.connections_max, http->options.store);
    if (err)
        err->domain = http->options.domain;
    return COMB_DEADLINE_EXCEEDED;
}

/* Takes a lane, unless the store is known to be away and it is not this call's turn to try. */
static enum comb_status enter_locked(struct comb_http *http, struct comb_ctx *ctx, bool trial,
                                     struct http_lane **ret_lane, bool *ret_trying,
                                     struct comb_error *err)
{
    for (;;) {
        bool down = http->status.state == COMB_STORE_DOWN;
        if (down && !trial && (http->trying || comb_clock_monotonic_ns() < http->trial_ns))
            return known_down_locked(http, err);
        if (http->free_lanes) {
            *ret_lane = http->free_lanes;
            http->free_lanes = (*ret_lane)->next_free;
            *ret_trying = down && !http->trying;
            http->trying = http->trying || *ret_trying;
            http->status.in_flight++;
            http->status.requests++;
            return COMB_OK;
        }
        if (!comb_cond_wait_until(&http->freed, &http->lock, ctx->deadline_ns))
            return busy(http, err);
    }
}

static void leave(struct comb_http *http, struct http_lane *lane, bool trying,
                  const struct http_outcome *outcome, size_t host, long code,
                  const struct comb_error *err)
{
    pthread_mutex_lock(&http->lock);
    lane->next_free = http->free_lanes;
    http->free_lanes = lane;
    http->status.in_flight--;
    http->status.connections += !lane->used;
    lane->used = true;
    if (trying)
        http->trying = false;
    if (outcome->status != COMB_OK)
        http->status.failures++;
    if (outcome->reached) {
        http->first_host = host;
        if (code < 500)
            set_state_locked(http, COMB_STORE_UP, NULL);
    } else if (outcome->away) {
        struct comb_error why = *err;
        if (outcome->status == COMB_DEADLINE_EXCEEDED)
            http_error_set(http, &why, CURLE_OPERATION_TIMEDOUT, host, 0, "");
        set_state_locked(http, COMB_STORE_DOWN, &why);
    }
    pthread_cond_broadcast(&http->freed);
    pthread_mutex_unlock(&http->lock);
}

static bool changes_nothing(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "LIST") == 0;
}

enum comb_status comb_http_call(struct comb_http *http, struct comb_ctx *ctx,
                                const struct comb_http_request *request,
                                struct comb_http_response *ret_response, struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status != COMB_OK)
        return status;
    struct http_lane *lane = NULL;
    bool trying = false;
    pthread_mutex_lock(&http->lock);
    status = enter_locked(http, ctx, request->trial, &lane, &trying, err);
    size_t first = http->first_host;
    pthread_mutex_unlock(&http->lock);
    if (status != COMB_OK)
        return status;

    struct comb_http_response response = {0};
    struct comb_error local = {0};
    struct http_outcome outcome = {0};
    size_t host = first;
    for (size_t i = 0; i < http->options.url.n_hosts; i++) {
        host = (first + i) % http->options.url.n_hosts;
        outcome = http_exchange(http, lane, host, ctx, request, &response, &local);
        if (!outcome.away || !outcome.replayable || outcome.status == COMB_DEADLINE_EXCEEDED)
            break;
        if (outcome.sent && !changes_nothing(request->method))
            break;
        if (request->read && request->rewind && !request->rewind(request->data))
            break;
    }
    local.ambiguous =
        outcome.status != COMB_OK && outcome.sent && !changes_nothing(request->method);
    leave(http, lane, trying, &outcome, host, response.code, &local);
    if (outcome.status == COMB_OK)
        *ret_response = response;
    else if (err)
        *err = local;
    return outcome.status;
}

bool comb_http_escape(struct comb_buf *target, comb_str text, bool keep_slash)
{
    bool appended = true;
    for (size_t i = 0; appended && i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-_.~", c)) || (keep_slash && c == '/');
        appended =
            plain ? comb_buf_append_char(target, (char)c) : comb_buf_printf(target, "%%%02X", c);
    }
    return appended;
}

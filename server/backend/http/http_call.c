/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange with one host. The easy handle is made for it and freed after it, so that libcurl
 * keeps nothing of what was sent or received but the lane's connections.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/backend/http/internal.h"
#include "server/core/buf.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

#define HEADER_LINE_MAX 8192
#define URL_TEXT_MAX 16384
/* Between looks at the clock where nothing happens. */
#define POLL_MS_MAX 1000
/* A store that was silent for so long when the call's deadline came is taken to be away. */
#define SILENCE_NS COMB_NS_PER_S

struct exchange {
    struct comb_http *http;
    size_t host;
    struct comb_ctx *ctx;
    const struct comb_http_request *request;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    char error[CURL_ERROR_SIZE];

    /* the request's body */
    uint64_t sent_bytes;
    bool read_any;

    /* the answer */
    struct comb_buf body;
    comb_str values[COMB_HTTP_WANTED_MAX];
    bool wrote;           /* something was handed to the caller */
    int64_t moved_ns;     /* when the last byte moved */
    curl_off_t bytes;     /* that have moved */
    enum comb_status own; /* of a callback of ours that ended it; *own_err says why */
    struct comb_error own_err;
};

static void moved(struct exchange *x)
{
    x->moved_ns = comb_clock_monotonic_ns();
}

/* ---- libcurl's callbacks ---- */

static size_t on_read(char *room, size_t size, size_t count, void *data)
{
    struct exchange *x = data;
    const struct comb_http_request *request = x->request;
    moved(x);
    x->read_any = true;
    size_t most = size * count;
    if (!request->read) {
        uint64_t left = request->body.len - x->sent_bytes;
        size_t n = left < most ? (size_t)left : most;
        if (n > 0)
            memcpy(room, request->body.ptr + x->sent_bytes, n);
        x->sent_bytes += n;
        return n;
    }
    uint64_t left = request->body_size - x->sent_bytes;
    if (left == 0)
        return 0;
    ssize_t n = request->read(request->data, room, left < most ? (size_t)left : most, &x->own_err);
    if (n <= 0) {
        x->own = n < 0 ? x->own_err.status
                       : comb_error_set(&x->own_err, COMB_INTERNAL, 0,
                                        "a request's body ended before its size");
        return CURL_READFUNC_ABORT;
    }
    x->sent_bytes += (uint64_t)n;
    return (size_t)n;
}

static int on_seek(void *data, curl_off_t offset, int origin)
{
    struct exchange *x = data;
    const struct comb_http_request *request = x->request;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    if (request->read && (!request->rewind || !request->rewind(request->data)))
        return CURL_SEEKFUNC_CANTSEEK;
    x->sent_bytes = 0;
    return CURL_SEEKFUNC_OK;
}

static long code_of(struct exchange *x)
{
    long code = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *data)
{
    struct exchange *x = data;
    comb_str chunk = comb_str_of(bytes, size * count);
    long code = code_of(x);
    moved(x);
    if (x->request->write && code >= 200 && code <= 299) {
        x->wrote = true;
        x->own = x->request->write(x->request->data, code, chunk, &x->own_err);
    } else if (!comb_buf_append_str(&x->body, chunk)) {
        x->own = comb_error_set(&x->own_err, COMB_RESOURCE_EXHAUSTED, 0,
                                "%s answered with more than %zu bytes", x->http->options.store,
                                x->body.max);
    }
    return x->own == COMB_OK ? chunk.len : 0;
}

static comb_str trimmed(comb_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = comb_str_of(s.ptr + 1, s.len - 1);
    while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *data)
{
    struct exchange *x = data;
    comb_str line = comb_str_of(bytes, size * count);
    moved(x);
    if (comb_str_starts_with(line, STR("HTTP/"))) /* also after a "100 Continue" */
        memset(x->values, 0, sizeof x->values);
    const char *colon = memchr(line.ptr, ':', line.len);
    if (!colon || !x->request->wanted)
        return line.len;
    size_t name = (size_t)(colon - line.ptr);
    for (size_t i = 0; i < COMB_HTTP_WANTED_MAX && x->request->wanted[i]; i++) {
        if (strlen(x->request->wanted[i]) != name ||
            strncasecmp(x->request->wanted[i], line.ptr, name) != 0)
            continue;
        comb_str value = trimmed(comb_str_of(colon + 1, line.len - name - 1));
        if (value.len > COMB_HTTP_HEADER_VALUE_MAX)
            value.len = COMB_HTTP_HEADER_VALUE_MAX;
        const char *copy = comb_str_dup(x->ctx->arena, value);
        if (!copy) {
            x->own = comb_error_no_memory(&x->own_err);
            return 0;
        }
        x->values[i] = comb_str_of(copy, value.len);
    }
    return line.len;
}

static int on_progress(void *data, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    (void)down_all, (void)up_all;
    struct exchange *x = data;
    if (down + up != x->bytes)
        moved(x);
    x->bytes = down + up;
    return 0;
}

/* ---- the request ---- */

static bool add_header(struct exchange *x, comb_str name, comb_str value)
{
    char line[HEADER_LINE_MAX];
    int n = snprintf(line, sizeof line, value.len > 0 ? "%.*s: %.*s" : "%.*s;", COMB_STR_ARG(name),
                     COMB_STR_ARG(value));
    struct curl_slist *longer =
        n > 0 && (size_t)n < sizeof line ? curl_slist_append(x->headers, line) : NULL;
    comb_memory_wipe(line, sizeof line);
    if (longer)
        x->headers = longer;
    return longer != NULL;
}

static bool add_headers(struct exchange *x)
{
    /* libcurl would wait a second for the server's consent to a large body. */
    struct curl_slist *longer = curl_slist_append(x->headers, "Expect:");
    if (!longer)
        return false;
    x->headers = longer;
    bool added = true;
    for (size_t i = 0; added && i < x->request->n_headers; i++)
        added = add_header(x, x->request->headers[i].name, x->request->headers[i].value);
    return added && curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK;
}

static bool set_url(struct exchange *x)
{
    const struct comb_http *http = x->http;
    const char *host = http->hosts[x->host];
    unsigned port = http->options.url.hosts[x->host].port;
    char url[URL_TEXT_MAX], connect_to[COMB_HTTP_HEADER_VALUE_MAX];
    comb_str name = x->request->host.len > 0 ? x->request->host : comb_str_from(host);
    int n = snprintf(url, sizeof url, "%s://%.*s:%u%.*s", http->options.tls ? "https" : "http",
                     COMB_STR_ARG(name), port, COMB_STR_ARG(x->request->target));
    bool set =
        n > 0 && (size_t)n < sizeof url && curl_easy_setopt(x->easy, CURLOPT_URL, url) == CURLE_OK;
    if (set && x->request->host.len > 0) {
        snprintf(connect_to, sizeof connect_to, "::%s:%u", host, port);
        x->connect_to = curl_slist_append(NULL, connect_to);
        set = x->connect_to &&
              curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to) == CURLE_OK;
    }
    return set;
}

static bool set_body(struct exchange *x)
{
    const struct comb_http_request *request = x->request;
    uint64_t size = request->read ? request->body_size : request->body.len;
    if (strcmp(request->method, "HEAD") == 0)
        return curl_easy_setopt(x->easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    bool bodied =
        size > 0 || strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    if (bodied &&
        (curl_easy_setopt(x->easy, CURLOPT_UPLOAD, 1L) != CURLE_OK ||
         curl_easy_setopt(x->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size) != CURLE_OK))
        return false;
    return curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
}

static bool set_tls(struct exchange *x)
{
    const struct comb_http *http = x->http;
    CURL *easy = x->easy;
    bool set = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == 0;
    if (http->ca) /* that one and no other */
        set = set && curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca) == 0 &&
              curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == 0;
    if (http->cert)
        set = set && curl_easy_setopt(easy, CURLOPT_SSLCERT, http->cert) == 0;
    if (http->key)
        set = set && curl_easy_setopt(easy, CURLOPT_SSLKEY, http->key) == 0;
    return set;
}

static uint32_t or_default(uint32_t value, uint32_t standard)
{
    return value > 0 ? value : standard;
}

static bool set_manners(struct exchange *x)
{
    CURL *easy = x->easy;
    long connect_ms = (long)or_default(x->http->options.connect_ms, 2000);
    return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == 0 &&
           /* A resolver's thread that hangs is left behind, not waited for. */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == 0 &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == 0 &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == 0 &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == 0 &&
           curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) == 0 &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == 0 &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == 0 &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->error) == 0;
}

static bool set_callbacks(struct exchange *x)
{
    CURL *easy = x->easy;
    return curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) == 0 &&
           curl_easy_setopt(easy, CURLOPT_READDATA, x) == 0 &&
           curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) == 0 &&
           curl_easy_setopt(easy, CURLOPT_SEEKDATA, x) == 0 &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write) == 0 &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, x) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, x) == 0 &&
           curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) == 0 &&
           curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x) == 0 &&
           curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == 0;
}

/* ---- the exchange ---- */

static enum comb_status too_late(struct exchange *x, struct comb_error *err)
{
    comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0, "%s did not answer within the call's deadline",
                   x->http->options.store);
    if (err)
        err->domain = x->http->options.domain;
    return COMB_DEADLINE_EXCEEDED;
}

/* Milliseconds from now until then, at least 0, at most POLL_MS_MAX. */
static int wait_ms(int64_t then_ns)
{
    int64_t left_ms = (then_ns - comb_clock_monotonic_ns() + COMB_NS_PER_MS - 1) / COMB_NS_PER_MS;
    return left_ms < 0 ? 0 : left_ms > POLL_MS_MAX ? POLL_MS_MAX : (int)left_ms;
}

/* Runs until the exchange has ended: OK, with libcurl's verdict; DEADLINE_EXCEEDED; or a stall,
 * which is told as CURLE_OPERATION_TIMEDOUT. */
static enum comb_status drive(struct exchange *x, CURLM *multi, CURLcode *ret_code)
{
    uint32_t stall_ms =
        or_default(x->request->stall_ms, or_default(x->http->options.stall_ms, 5000));
    int64_t stall_ns = stall_ms * COMB_NS_PER_MS;
    for (;;) {
        int running = 0, queued = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK) {
            *ret_code = CURLE_OUT_OF_MEMORY;
            return COMB_OK;
        }
        const CURLMsg *message = curl_multi_info_read(multi, &queued);
        if (message && message->msg == CURLMSG_DONE) {
            *ret_code = message->data.result;
            return COMB_OK;
        }
        int64_t now_ns = comb_clock_monotonic_ns();
        if (now_ns >= x->ctx->deadline_ns)
            return COMB_DEADLINE_EXCEEDED;
        if (now_ns - x->moved_ns >= stall_ns) {
            *ret_code = CURLE_OPERATION_TIMEDOUT;
            return COMB_OK;
        }
        int64_t until_ns = x->moved_ns + stall_ns;
        if (x->ctx->deadline_ns < until_ns)
            until_ns = x->ctx->deadline_ns;
        curl_multi_poll(multi, NULL, 0, wait_ms(until_ns), NULL);
    }
}

struct wiped_copy {
    char *data;
    size_t size;
};

static void wipe_copy(void *data)
{
    struct wiped_copy *copy = data;
    comb_memory_wipe(copy->data, copy->size);
}

/* The collected body in the call's arena, wiped with it. */
static bool hand_over(struct exchange *x, comb_str *ret_body)
{
    struct wiped_copy *copy = grpcc_arena_zalloc(x->ctx->arena, sizeof *copy);
    char *data = grpcc_arena_zalloc(x->ctx->arena, x->body.len + 1);
    if (!copy || !data)
        return false;
    *copy = (struct wiped_copy){data, x->body.len};
    if (!grpcc_arena_on_free(x->ctx->arena, wipe_copy, copy))
        return false;
    if (x->body.len > 0)
        memcpy(data, x->body.data, x->body.len);
    *ret_body = comb_str_of(data, x->body.len);
    return true;
}

/* Whether a request that failed so cannot have reached a server's program. */
static bool never_sent(struct exchange *x, CURLcode code)
{
    curl_off_t started = 0; /* microseconds until the request was begun; 0: it was not */
    curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &started);
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
           started == 0;
}

static struct http_outcome judge(struct exchange *x, enum comb_status status, CURLcode code,
                                 struct comb_http_response *ret_response, struct comb_error *err)
{
    struct http_outcome outcome = {.status = status, .sent = !never_sent(x, code)};
    outcome.replayable = !x->wrote && (!x->read_any || !x->request->read || x->request->rewind);
    if (status == COMB_DEADLINE_EXCEEDED) {
        outcome.away = comb_clock_monotonic_ns() - x->moved_ns >= SILENCE_NS;
        outcome.status = too_late(x, err);
    } else if (x->own != COMB_OK) {
        outcome.status = x->own;
        if (err)
            *err = x->own_err;
    } else if (code != CURLE_OK) {
        long verdict = 0;
        curl_easy_getinfo(x->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
        outcome.away = true;
        outcome.status = http_error_set(x->http, err, code, x->host, verdict, x->error);
    } else if (!hand_over(x, &ret_response->body)) {
        outcome.status = comb_error_no_memory(err);
    } else {
        outcome.reached = true;
        ret_response->code = code_of(x);
        memcpy(ret_response->headers, x->values, sizeof x->values);
    }
    return outcome;
}

static void wipe_headers(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h; h = h->next)
        comb_memory_wipe(h->data, strlen(h->data));
    curl_slist_free_all(headers);
}

struct http_outcome http_exchange(struct comb_http *http, struct http_lane *lane, size_t host,
                                  struct comb_ctx *ctx, const struct comb_http_request *request,
                                  struct comb_http_response *ret_response, struct comb_error *err)
{
    struct exchange x = {.http = http, .host = host, .ctx = ctx, .request = request};
    struct http_outcome outcome = {.replayable = false};
    if (!lane->multi)
        lane->multi = curl_multi_init();
    x.easy = lane->multi ? curl_easy_init() : NULL;
    comb_buf_init(&x.body, request->collect_max > 0 ? request->collect_max : COMB_HTTP_BODY_MAX);
    if (x.easy && set_manners(&x) && set_callbacks(&x) && set_tls(&x) && set_body(&x) &&
        set_url(&x) && add_headers(&x) && curl_multi_add_handle(lane->multi, x.easy) == CURLM_OK) {
        CURLcode code = CURLE_OK;
        moved(&x);
        enum comb_status status = drive(&x, lane->multi, &code);
        outcome = judge(&x, status, code, ret_response, err);
        curl_multi_remove_handle(lane->multi, x.easy);
    } else {
        outcome.status = comb_error_no_memory(err);
    }
    curl_easy_cleanup(x.easy);
    wipe_headers(x.headers);
    curl_slist_free_all(x.connect_to);
    comb_buf_done_secret(&x.body);
    return outcome;
}

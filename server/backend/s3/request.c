/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/s3/request.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/s3/error.h"
#include "server/backend/s3/xml.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"

/* The path of a key tripled, and a query of a token and a few names. */
#define TARGET_MAX (15u << 10)
#define AUTHORIZATION_MAX 2048
#define MARK_HEADER "x-amz-meta-comb-mark"
/* Clocks that differ by more are refused by S3 (15 minutes); far from that ours will do. */
#define SKEW_MIN_US (120 * COMB_US_PER_S)
/* No byte moves: the endpoint is frozen. The longer one is for requests that make it work: joining
 * parts, listing. */
#define STALL_MS 3000
#define STALL_SLOW_MS 30000

void comb_s3_answer_init(struct comb_s3_answer *answer)
{
    memset(answer, 0, sizeof *answer);
}

void comb_s3_answer_done(struct comb_s3_answer *answer)
{
    grpcc_arena_free(answer->arena);
}

/* ---- what an answer says ---- */

/* The headers that are looked at; in the order of this list. */
enum { ETAG, SERVER, DATE, CONTENT_LENGTH, MARK };
static const char *const wanted[] = {"etag", "server", "date", "content-length", MARK_HEADER, NULL};

static void read_headers(struct comb_s3_answer *answer, const comb_str *headers)
{
    char text[64];
    time_t seconds;

    comb_s3_keep(answer->etag, sizeof answer->etag, headers[ETAG]);
    comb_s3_keep(answer->mark, sizeof answer->mark, headers[MARK]);
    comb_s3_keep(text, sizeof text, headers[CONTENT_LENGTH]);
    answer->content_length = strtoull(text, NULL, 10);
    comb_s3_keep(text, sizeof text, headers[DATE]);
    seconds = curl_getdate(text, NULL);
    answer->date_us = seconds > 0 ? seconds * COMB_US_PER_S : 0;
}

static bool note_code(void *data, const char *path, comb_str text)
{
    struct comb_s3_answer *answer = data;

    if (strcmp(path, "Error/Code") != 0)
        return true;
    comb_s3_keep(answer->code, sizeof answer->code, text);
    return false;
}

/* The code of an error; a success of CompleteMultipartUpload may be one, too. */
static void read_code(const struct comb_s3_request *request, struct comb_s3_answer *answer)
{
    /* A success carries one only where S3 began to answer before it was done. */
    if (answer->http_status / 100 == 2 && strcmp(request->method, "POST") != 0)
        return;
    if (answer->document.len > 0 &&
        comb_s3_xml_parse(answer->document, note_code, answer, NULL) != COMB_OK)
        answer->code[0] = '\0';
}

/* ---- the endpoint's clock ---- */

int64_t comb_s3_now_us(struct comb_s3_bucket *bucket)
{
    int64_t skew_us;

    pthread_mutex_lock(&bucket->lock);
    skew_us = bucket->skew_us;
    pthread_mutex_unlock(&bucket->lock);
    return comb_clock_wall_us() + skew_us;
}

/* A refusal that the endpoint's clock explains: from now on its time is signed. */
static bool learn_skew(struct comb_s3_bucket *bucket, const struct comb_s3_answer *answer,
                       int64_t signed_us)
{
    int64_t ahead_us = answer->date_us - signed_us;
    bool is_far = answer->date_us > 0 && (ahead_us > SKEW_MIN_US || ahead_us < -SKEW_MIN_US);

    if (answer->http_status != 403 || !is_far)
        return false;
    pthread_mutex_lock(&bucket->lock);
    bucket->skew_us = answer->date_us - comb_clock_wall_us();
    pthread_mutex_unlock(&bucket->lock);
    return true;
}

/* ---- one attempt ---- */

void comb_s3_append_path(const struct comb_s3_bucket *bucket, comb_str key, struct comb_buf *path)
{
    comb_buf_append_str(path, bucket->root);
    comb_buf_append_char(path, '/');
    if (key.len > 0) {
        comb_s3_encode(path, bucket->prefix, true);
        comb_s3_encode(path, key, true);
    }
}

enum comb_status comb_s3_append_url(const struct comb_s3_bucket *bucket, comb_str key,
                                    struct comb_buf *url, struct comb_error *err)
{
    comb_buf_append_str(url, comb_str_from(bucket->base));
    comb_s3_append_path(bucket, key, url);
    comb_buf_append_char(url, '?');
    return url->failed ? comb_error_no_memory(err) : COMB_OK;
}

/* The headers of one attempt: its own, and those of the signature. */
struct headers {
    char time[COMB_S3_TIME_SIZE];
    struct comb_buf authorization;
    struct comb_http_header list[COMB_S3_PAIRS_MAX + 3];
    size_t n;
};

static enum comb_status sign_request(struct comb_s3_bucket *bucket,
                                     const struct comb_s3_request *request, comb_str payload,
                                     int64_t now_us, struct headers *headers,
                                     struct comb_error *err)
{
    struct comb_buf path;
    enum comb_status status;

    comb_buf_init(&path, TARGET_MAX);
    comb_s3_append_path(bucket, request->key, &path);
    const struct comb_s3_signed what = {
        .method = request->method,
        .host = bucket->host,
        .path = comb_buf_str(&path),
        .query = request->query,
        .n_query = request->n_query,
        .headers = request->headers,
        .n_headers = request->n_headers,
        .payload = payload,
        .time_us = now_us,
    };
    status = path.failed ? comb_error_no_memory(err)
                         : comb_s3_authorize(&bucket->signer, &what, headers->time,
                                             &headers->authorization, err);
    comb_buf_done(&path);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < request->n_headers; i++)
        headers->list[headers->n++] =
            (struct comb_http_header){request->headers[i].name, request->headers[i].value};
    headers->list[headers->n++] =
        (struct comb_http_header){STR("x-amz-date"), comb_str_from(headers->time)};
    headers->list[headers->n++] = (struct comb_http_header){STR("x-amz-content-sha256"), payload};
    headers->list[headers->n++] =
        (struct comb_http_header){STR("Authorization"), comb_buf_str(&headers->authorization)};
    return COMB_OK;
}

/* Where the body of a success goes. */
struct sink {
    const struct comb_s3_request *request;
    size_t length;
};

static enum comb_status fill_sink(void *data, long code, comb_str chunk, struct comb_error *err)
{
    struct sink *sink = data;

    (void)code;
    if (chunk.len > sink->request->sink_size - sink->length)
        return comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                              "the data store's endpoint sends more bytes than were asked for");
    memcpy((char *)sink->request->sink + sink->length, chunk.ptr, chunk.len);
    sink->length += chunk.len;
    return COMB_OK;
}

static enum comb_status exchange(struct comb_s3_bucket *bucket, const struct comb_ctx *ctx,
                                 const struct comb_s3_request *request, comb_str target,
                                 const struct headers *headers, struct comb_s3_answer *answer,
                                 struct comb_error *err)
{
    struct sink sink = {.request = request};
    const struct comb_http_request http = {
        .method = request->method,
        .target = target,
        .host = bucket->virtual_host,
        .headers = headers->list,
        .n_headers = headers->n,
        .body = request->body,
        .write = request->sink ? fill_sink : NULL,
        .data = &sink,
        .wanted = wanted,
        .stall_ms = request->slow ? STALL_SLOW_MS : STALL_MS,
    };
    struct comb_ctx own = *ctx; /* an answer does not outlive its request */
    struct comb_http_response response;
    enum comb_status status;

    own.arena = answer->arena;
    status = comb_http_call(bucket->http, &own, &http, &response, err);
    if (status != COMB_OK)
        return status;
    answer->http_status = response.code;
    answer->document = response.body;
    answer->sink_length = sink.length;
    read_headers(answer, response.headers);
    if (response.headers[SERVER].len > 0)
        comb_http_set_server(bucket->http, response.headers[SERVER]);
    return COMB_OK;
}

/* Signs and sends. OK: an answer came, whatever it says. */
static enum comb_status attempt(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                                const struct comb_s3_request *request, comb_str payload,
                                int64_t now_us, struct comb_s3_answer *answer,
                                struct comb_error *err)
{
    struct headers headers = {.n = 0};
    struct comb_buf target;
    bool was_lost = answer->was_lost;
    enum comb_status status = COMB_OK;

    comb_s3_answer_done(answer);
    comb_s3_answer_init(answer);
    answer->was_lost = was_lost;
    answer->arena = grpcc_arena_new(0);
    comb_buf_init(&target, TARGET_MAX);
    comb_buf_init(&headers.authorization, AUTHORIZATION_MAX);
    comb_s3_append_path(bucket, request->key, &target);
    if (request->n_query > 0) {
        comb_buf_append_char(&target, '?');
        status = comb_s3_append_query(&target, request->query, request->n_query, err);
    }
    if (status == COMB_OK && (target.failed || !answer->arena))
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status = sign_request(bucket, request, payload, now_us, &headers, err);
    if (status == COMB_OK)
        status = exchange(bucket, ctx, request, comb_buf_str(&target), &headers, answer, err);
    comb_buf_done(&target);
    comb_buf_done(&headers.authorization);
    return status;
}

/* False: the deadline would pass meanwhile. */
static bool wait_ms(struct comb_ctx *ctx, uint32_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * COMB_NS_PER_MS};

    if ((int64_t)ms >= comb_ctx_left_ms(ctx))
        return false;
    nanosleep(&pause, NULL);
    return true;
}

/* What an attempt has come to, by *status and err. Whether another one is due. */
static bool judge(struct comb_s3_bucket *bucket, const struct comb_s3_request *request,
                  struct comb_s3_answer *answer, int64_t signed_us, enum comb_status *status,
                  struct comb_error *err)
{
    if (*status != COMB_OK) {
        answer->was_lost |= err->ambiguous;
        return *status == COMB_UNAVAILABLE && err->retryable;
    }
    read_code(request, answer);
    if (answer->http_status / 100 == 2 && answer->code[0] == '\0')
        return false;
    *status = comb_s3_error(err, answer->http_status, comb_str_from(answer->code), request->doing);
    if (learn_skew(bucket, answer, signed_us) || err->retryable)
        return true;
    /* Refused for good: what the operator has to do is the state of the store. */
    if (*status == COMB_UNAVAILABLE)
        comb_http_set_state(bucket->http, COMB_STORE_DOWN, err);
    return false;
}

static enum comb_status hash_body(comb_str body, char ret_hex[2 * COMB_SHA256_SIZE + 1],
                                  struct comb_error *err)
{
    uint8_t digest[COMB_SHA256_SIZE];
    enum comb_status status = comb_sha256(body, digest, err);

    for (size_t i = 0; status == COMB_OK && i < sizeof digest; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
    return status;
}

enum comb_status comb_s3_send(struct comb_s3_bucket *bucket, struct comb_ctx *ctx,
                              const struct comb_s3_request *request, struct comb_s3_answer *answer,
                              struct comb_error *err)
{
    struct comb_backoff backoff = {.first_ms = 20, .most_ms = 1000};
    char payload[2 * COMB_SHA256_SIZE + 1];
    struct comb_error why = {.status = COMB_OK};
    enum comb_status status = hash_body(request->body, payload, err);
    bool is_again = true;
    int64_t silent_ns = comb_clock_monotonic_ns() + STALL_MS * COMB_NS_PER_MS;

    if (status != COMB_OK)
        return status;
    for (int n = 0; n < COMB_S3_ATTEMPTS_MAX && is_again; n++) {
        int64_t now_us;

        /* One silence is enough for a caller. */
        if (n > 0 && answer->http_status == 0 && comb_clock_monotonic_ns() >= silent_ns)
            break;
        if (n > 0 && !wait_ms(ctx, comb_backoff_next_ms(&backoff)))
            break;
        now_us = comb_s3_now_us(bucket);
        why = (struct comb_error){.status = COMB_OK};
        status = attempt(bucket, ctx, request, comb_str_from(payload), now_us, answer, &why);
        is_again = judge(bucket, request, answer, now_us, &status, &why);
    }
    if (status != COMB_OK) {
        why.ambiguous |= answer->was_lost;
        if (err)
            *err = why;
    }
    return status;
}

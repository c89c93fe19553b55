/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a bucket: its URL and its credentials. */
#include <stdio.h>

#include "server/backend/s3/request.h"
#include "server/core/memory.h"
#include "server/core/url.h"

#define REGION_DEFAULT "us-east-1"
#define PREFIX_MAX 256
#define BUCKET_MIN 3
#define BUCKET_MAX 63
#define REGION_MAX 32
/* Requests at once; the next ones wait for their turn. */
#define CONNECTIONS_MAX 64

static enum comb_status refuse(struct comb_error *err, const char *what)
{
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "--data s3://BUCKET?…: %s", what);
}

static bool consists_of(comb_str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!is_letter && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

static enum comb_status check_bucket(const struct comb_url *url, struct comb_error *err)
{
    comb_str bucket = url->hosts[0].name;

    if (!comb_str_equal(url->scheme, STR("s3")))
        return refuse(err, "the scheme is s3");
    if (url->n_hosts != 1 || url->hosts[0].port != 0)
        return refuse(err, "behind :// stands one bucket; the server's address is endpoint=");
    if (url->user.len > 0)
        return refuse(err, "access keys do not belong into it; give them by "
                           "--data-credentials-file");
    if (url->path.len > 0)
        return refuse(err, "folders in the bucket are given as prefix=");
    if (bucket.len < BUCKET_MIN || bucket.len > BUCKET_MAX || !consists_of(bucket, ".-") ||
        bucket.ptr[0] == '.' || bucket.ptr[0] == '-')
        return refuse(err, "a bucket's name has 3 to 63 of a-z, 0-9, \".\" and \"-\"");
    return COMB_OK;
}

/* "a/b" as "a/b/". Servers on file systems take "//" and ".." for other names of a place. */
static enum comb_status set_prefix(struct comb_s3_bucket *bucket, comb_str prefix,
                                   struct comb_error *err)
{
    struct comb_buf buf;
    bool is_bad = prefix.len > PREFIX_MAX || !consists_of(prefix, "/._-ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    for (size_t i = 0, begin = 0; !is_bad && prefix.len > 0 && i <= prefix.len; i++) {
        if (i < prefix.len && prefix.ptr[i] != '/')
            continue;
        comb_str part = comb_str_of(prefix.ptr + begin, i - begin);
        is_bad = part.len == 0 || comb_str_equal(part, STR(".")) || comb_str_equal(part, STR(".."));
        begin = i + 1;
    }
    if (is_bad)
        return refuse(err, "prefix= is one or more names of letters, digits, \".\", \"_\" and "
                           "\"-\" with \"/\" between them");
    comb_buf_init(&buf, PREFIX_MAX + 1);
    if (prefix.len > 0 && comb_buf_append_str(&buf, prefix))
        comb_buf_append_char(&buf, '/');
    bucket->prefix = comb_str_from(comb_str_dup(bucket->arena, comb_buf_str(&buf)));
    comb_buf_done(&buf);
    return bucket->prefix.ptr ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status read_endpoint(struct comb_s3_bucket *bucket, comb_str endpoint,
                                      struct comb_http_options *http, struct comb_error *err)
{
    static const char *const no_params[] = {NULL};
    bool is_tls = comb_str_starts_with(endpoint, STR("https:"));
    uint16_t own_port = is_tls ? 443 : 80;
    struct comb_url *url = &http->url;

    if (comb_url_parse(bucket->arena, endpoint, own_port, no_params, url, NULL) != COMB_OK ||
        url->n_hosts != 1 || url->path.len > 0 || url->user.len > 0 ||
        (!is_tls && !comb_str_equal(url->scheme, STR("http"))))
        return refuse(err, "endpoint= is http://HOST:PORT or https://HOST:PORT");
    http->tls = is_tls;
    return COMB_OK;
}

/* Where the bucket is: by the host's name, or by the path. */
static enum comb_status set_endpoint(struct comb_s3_bucket *bucket, const struct comb_url *url,
                                     struct comb_http_options *http, struct comb_error *err)
{
    comb_str name = url->hosts[0].name, endpoint = comb_url_param(url, "endpoint");
    comb_str style = comb_url_param(url, "style"), region = bucket->signer.region;
    bool by_host = style.ptr ? comb_str_equal(style, STR("host")) : !endpoint.ptr;
    const char *host, *root = "", *port = "";
    const struct comb_url_host *server = &http->url.hosts[0];
    enum comb_status status;

    if (style.ptr && !by_host && !comb_str_equal(style, STR("path")))
        return refuse(err, "style= is path or host");
    if (!endpoint.ptr)
        endpoint = comb_str_from(grpcc_arena_printf(bucket->arena, "https://s3.%.*s.amazonaws.com",
                                                    COMB_STR_ARG(region)));
    status = read_endpoint(bucket, endpoint, http, err);
    if (status != COMB_OK)
        return status;
    if (server->port != (http->tls ? 443 : 80))
        port = grpcc_arena_printf(bucket->arena, ":%u", server->port);
    if (by_host)
        host = grpcc_arena_printf(bucket->arena, "%.*s.%.*s", COMB_STR_ARG(name),
                                  COMB_STR_ARG(server->name));
    else
        host = grpcc_arena_printf(bucket->arena,
                                  memchr(server->name.ptr, ':', server->name.len) ? "[%s]" : "%s",
                                  server->name.ptr);
    if (by_host)
        bucket->virtual_host = comb_str_from(host);
    else
        root = grpcc_arena_printf(bucket->arena, "/%.*s", COMB_STR_ARG(name));
    if (!host || !root || !port)
        return comb_error_no_memory(err);
    bucket->host = comb_str_from(grpcc_arena_printf(bucket->arena, "%s%s", host, port));
    bucket->root = comb_str_from(root);
    bucket->base =
        grpcc_arena_printf(bucket->arena, "%s://%s%s", http->tls ? "https" : "http", host, port);
    return bucket->host.ptr && bucket->base ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status set_signer(struct comb_s3_bucket *bucket, const struct comb_url *url,
                                   comb_str credentials, struct comb_error *err)
{
    const char *colon = credentials.len > 0 ? memchr(credentials.ptr, ':', credentials.len) : NULL;
    comb_str region = comb_url_param(url, "region"), id, secret;

    if (!colon || colon == credentials.ptr || colon + 1 == credentials.ptr + credentials.len)
        return refuse(err, "it needs a pair of access keys: a file with ID:SECRET, named by "
                           "--data-credentials-file");
    id = comb_str_of(credentials.ptr, (size_t)(colon - credentials.ptr));
    secret = comb_str_of(colon + 1, credentials.len - id.len - 1);
    if (region.ptr && (region.len == 0 || region.len > REGION_MAX || !consists_of(region, "-")))
        return refuse(err, "region= is a name like us-east-1");
    bucket->signer.id = comb_str_from(comb_str_dup(bucket->arena, id));
    bucket->signer.secret = comb_str_from(comb_str_dup(bucket->arena, secret));
    bucket->signer.region =
        comb_str_from(comb_str_dup(bucket->arena, region.ptr ? region : STR(REGION_DEFAULT)));
    if (!bucket->signer.id.ptr || !bucket->signer.secret.ptr || !bucket->signer.region.ptr)
        return comb_error_no_memory(err);
    return COMB_OK;
}

static enum comb_status set_up(struct comb_s3_bucket *bucket,
                               const struct comb_store_options *options, struct comb_error *err)
{
    static const char *const names[] = {"endpoint", "region", "style", "prefix",
                                        "ca",       "cert",   "key",   NULL};
    struct comb_http_options http = {
        .domain = "data.s3",
        .driver = "s3",
        .store = "the data store",
        .connections_max = CONNECTIONS_MAX,
    };
    struct comb_url url;
    enum comb_status status = comb_url_parse(bucket->arena, options->url, 0, names, &url, err);

    if (status == COMB_OK)
        status = check_bucket(&url, err);
    if (status == COMB_OK)
        status = set_signer(bucket, &url, options->credentials, err);
    if (status == COMB_OK)
        status = set_endpoint(bucket, &url, &http, err);
    if (status == COMB_OK)
        status = set_prefix(bucket, comb_url_param(&url, "prefix"), err);
    if (status != COMB_OK)
        return status;
    http.ca = comb_url_param(&url, "ca");
    http.cert = comb_url_param(&url, "cert");
    http.key = comb_url_param(&url, "key");
    return comb_http_open(&http, &bucket->http, err);
}

enum comb_status comb_s3_open(const struct comb_store_options *options,
                              struct comb_s3_bucket **ret_bucket, struct comb_error *err)
{
    struct comb_s3_bucket *bucket = comb_memory_zalloc(sizeof *bucket);
    enum comb_status status;

    if (!bucket)
        return comb_error_no_memory(err);
    pthread_mutex_init(&bucket->lock, NULL);
    bucket->arena = grpcc_arena_new(0);
    status = bucket->arena ? set_up(bucket, options, err) : comb_error_no_memory(err);
    if (status != COMB_OK) {
        comb_s3_close(bucket);
        return status;
    }
    *ret_bucket = bucket;
    return COMB_OK;
}

void comb_s3_close(struct comb_s3_bucket *bucket)
{
    if (!bucket)
        return;
    comb_http_close(bucket->http);
    if (bucket->signer.secret.ptr)
        comb_memory_wipe((char *)(uintptr_t)bucket->signer.secret.ptr, bucket->signer.secret.len);
    grpcc_arena_free(bucket->arena);
    pthread_mutex_destroy(&bucket->lock);
    comb_memory_free(bucket);
}

void comb_s3_status(struct comb_s3_bucket *bucket, struct comb_store_status *ret_status)
{
    comb_http_status(bucket->http, ret_status);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/s3_server.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "server/backend/s3/sigv4.h"
#include "server/core/clock.h"
#include "tests/support/support.h"

/* As seen from where Bazel runs tests. */
#define VERSITYGW "external/peers/bin/versitygw"
#define WEED "external/peers/bin/weed"
#define REGION "us-east-1"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/* What is written to learn whether the server can. */
#define PROBE "probe"
#define PROBE_SHA256 "ba9c736f19e7f60b7f6764adb0b7908c0a2b394e09b6c09863528c7f2bc86095"
#define DOMAIN "s3.localhost"

/* ---- requests of its own ---- */

static size_t ignore(char *bytes, size_t size, size_t n, void *data)
{
    (void)bytes;
    (void)data;
    return size * n;
}

/* The HTTP status, 0 where there is no answer. body: NULL or PROBE. */
static long request(const struct s3_server *server, const char *method, const char *path,
                    const char *body)
{
    const char *sha256 = body ? PROBE_SHA256 : EMPTY_SHA256;
    const struct comb_s3_signer signer = {STR(S3_SERVER_ID), STR(S3_SERVER_SECRET), STR(REGION)};
    char host[64], url[256], time[COMB_S3_TIME_SIZE], line[2][128];
    const struct comb_s3_signed what = {
        .method = method,
        .host =
            comb_str_of(host, (size_t)snprintf(host, sizeof host, "127.0.0.1:%d", server->port)),
        .path = comb_str_from(path),
        .payload = comb_str_from(sha256),
        .time_us = comb_clock_wall_us(),
    };
    struct curl_slist *headers = NULL;
    struct comb_buf authorization;
    struct comb_error err;
    CURL *curl = curl_easy_init();
    long code = 0;

    assert_non_null(curl);
    comb_buf_init(&authorization, 1024);
    comb_buf_append_str(&authorization, STR("Authorization: "));
    must_ok(comb_s3_authorize(&signer, &what, time, &authorization, &err), &err);
    snprintf(url, sizeof url, "http://%s%s", host, path);
    snprintf(line[0], sizeof line[0], "x-amz-date: %s", time);
    snprintf(line[1], sizeof line[1], "x-amz-content-sha256: %s", sha256);
    headers = curl_slist_append(headers, authorization.data);
    headers = curl_slist_append(headers, line[0]);
    headers = curl_slist_append(headers, line[1]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_slist_free_all(headers);
    comb_buf_done(&authorization);
    curl_easy_cleanup(curl);
    return code;
}

/* It lists its buckets: not before all that it consists of is there. */
static bool answers(void *data)
{
    return request(data, "GET", "/", NULL) == 200;
}

static bool makes_bucket(void *data)
{
    const struct s3_server *server = data;
    long code = request(server, "PUT", "/probe-of-the-test", NULL);

    return code == 200 || code == 409;
}

/* ---- the servers ---- */

static void make_folder(const struct s3_server *server, const char *name)
{
    char *path = test_path(server->process.folder, name);

    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static void write_file(const struct s3_server *server, const char *name, const char *text)
{
    char *path = test_path(server->process.folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void init(struct s3_server *server)
{
    store_process_init(&server->process);
    server->port = test_free_port();
    make_folder(server, "data");
    if (server->kind == S3_VERSITYGW) {
        make_folder(server, "meta");
        return;
    }
    for (size_t i = 0; i < sizeof server->ports / sizeof server->ports[0]; i++)
        server->ports[i] = test_free_port();
    write_file(server, "keys.json",
               "{\"identities\":[{\"name\":\"test\",\"credentials\":[{\"accessKey\":\"" S3_SERVER_ID
               "\",\"secretKey\":\"" S3_SERVER_SECRET
               "\"}],\"actions\":[\"Admin\",\"Read\",\"Write\",\"List\"]}]}");
}

static void spawn_versitygw(struct s3_server *server, const char *program)
{
    char address[32];
    char *data = test_path(server->process.folder, "data");
    char *meta = test_path(server->process.folder, "meta");
    const char *const argv[] = {
        program,    "--port",         address,     "--access", S3_SERVER_ID,
        "--secret", S3_SERVER_SECRET, "--region",  REGION,     "--virtual-domain",
        DOMAIN,     "posix",          "--sidecar", meta,       data,
        NULL};

    snprintf(address, sizeof address, "127.0.0.1:%d", server->port);
    store_process_spawn(&server->process, argv);
    free(data);
    free(meta);
}

static void spawn_seaweedfs(struct s3_server *server, const char *program)
{
    static const char *const flags[] = {"-master.port", "-volume.port", "-filer.port"};
    char ports[4][32], data[512], keys[512];
    const char *argv[20] = {program,
                            "server",
                            "-ip=127.0.0.1",
                            "-ip.bind=127.0.0.1",
                            "-s3",
                            "-volume.max=20",
                            "-master.volumeSizeLimitMB=64"};
    size_t n = 7;

    snprintf(data, sizeof data, "-dir=%s/data", server->process.folder);
    snprintf(keys, sizeof keys, "-s3.config=%s/keys.json", server->process.folder);
    argv[n++] = data;
    argv[n++] = keys;
    for (size_t i = 0; i < 3; i++) {
        snprintf(ports[i], sizeof ports[i], "%s=%d", flags[i], server->ports[i]);
        argv[n++] = ports[i];
    }
    snprintf(ports[3], sizeof ports[3], "-s3.port=%d", server->port);
    argv[n++] = ports[3];
    argv[n] = NULL;
    store_process_spawn(&server->process, argv);
}

void s3_server_start(struct s3_server *server)
{
    char *program = realpath(server->kind == S3_VERSITYGW ? VERSITYGW : WEED, NULL);

    assert_non_null(program);
    if (!server->process.folder)
        init(server);
    if (server->kind == S3_VERSITYGW)
        spawn_versitygw(server, program);
    else
        spawn_seaweedfs(server, program);
    free(program);
    store_process_await(&server->process, answers, server);
    store_process_await(&server->process, makes_bucket, server);
}

void s3_server_done(struct s3_server *server)
{
    store_process_done(&server->process, SIGKILL);
    server->port = 0;
}

struct probe {
    const struct s3_server *server;
    const char *path;
};

static bool takes_object(void *data)
{
    const struct probe *probe = data;

    return request(probe->server, "PUT", probe->path, PROBE) == 200;
}

void s3_server_bucket(struct s3_server *server, const char *bucket)
{
    char path[128];
    struct probe probe = {server, path};
    long code;

    snprintf(path, sizeof path, "/%s", bucket);
    code = request(server, "PUT", path, NULL);
    if (code != 200 && code != 409)
        fail_msg("PUT %s: HTTP %ld: see %s/log", path, code, server->process.folder);
    /* SeaweedFS answers before it has a place for objects; to make one takes it seconds. */
    snprintf(path, sizeof path, "/%s/" PROBE, bucket);
    store_process_await(&server->process, takes_object, &probe);
    code = request(server, "DELETE", path, NULL);
    if (code != 204)
        fail_msg("DELETE %s: HTTP %ld: see %s/log", path, code, server->process.folder);
}

struct comb_store_options s3_server_options(const struct s3_server *server,
                                            struct grpcc_arena *arena, const char *bucket,
                                            const char *parameters)
{
    char *url =
        grpcc_arena_printf(arena, "s3://%s?endpoint=http://127.0.0.1:%d&region=" REGION "%s",
                           bucket, server->port, parameters);

    assert_non_null(url);
    return (struct comb_store_options){
        .url = comb_str_from(url),
        .credentials = STR(S3_SERVER_ID ":" S3_SERVER_SECRET),
    };
}

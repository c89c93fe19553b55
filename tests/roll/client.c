/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client of a roll: works with files, folders, names and rights through the SDK until the file
 * STOP is there, then compares what was acknowledged with what is there and what its watch was
 * told. Compiled against the installed SDK of a release, this one or the one before: so it uses
 * only what both have, as anybody's program does, and the SDK's own settings.
 *
 *     COMB_PASSWORD=... client SERVERS NAME STOP
 *
 * Prints "NAME calls errors gap_ms longest_ms acknowledged lost missed version first-error".
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comb/client.h"
#include "comb/files.h"
#include "comb/lists.h"
#include "comb/v1/permissions.grpcc.h"
#include "comb/v1/tree.grpcc.h"

#define PAUSE_MS 10
#define TOLD_WAIT_MS 60000
/* Sent by a stream: more than one call carries. */
#define LARGE_BYTES ((size_t)3 << 20)
#define LARGE_EVERY 40
#define PATH_BYTES 192
#define MS_PER_S 1000
#define NS_PER_MS 1000000

struct worker {
    struct comb_client *client;
    char folder[PATH_BYTES];
    unsigned made; /* folders, all acknowledged */
    atomic_uint told;
    unsigned calls, errors;
    int64_t gap_ms, longest_ms, last_ms;
    char error[512];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static void sleep_ms(long ms)
{
    struct timespec time = {ms / MS_PER_S, ms % MS_PER_S * NS_PER_MS};
    nanosleep(&time, NULL);
}

static struct comb_v1_node_ref *ref(struct grpcc_arena *arena, const char *path)
{
    struct comb_v1_node_ref *made = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_path(made, path);
    return made;
}

/* ---- calls ---- */

static enum grpcc_status make_folder(struct comb_client *client, struct grpcc_arena *arena,
                                     const char *parent, const char *name, struct grpcc_error *err)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    struct comb_v1_tree_create_folder_response *response = NULL;
    request->parent = ref(arena, parent);
    request->name = grpcc_arena_strdup(arena, name);
    return comb_v1_tree_create_folder(comb_client_channel(client), arena, NULL, request, &response,
                                      err);
}

static enum grpcc_status rename_node(struct comb_client *client, struct grpcc_arena *arena,
                                     const char *path, const char *name, struct grpcc_error *err)
{
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(arena);
    struct comb_v1_tree_move_response *response = NULL;
    request->node = ref(arena, path);
    comb_v1_tree_move_request_set_target_name(request, name);
    return comb_v1_tree_move(comb_client_channel(client), arena, NULL, request, &response, err);
}

static enum grpcc_status stat_node(struct comb_client *client, struct grpcc_arena *arena,
                                   const char *path, struct grpcc_error *err)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    request->node = ref(arena, path);
    return comb_v1_tree_stat(comb_client_channel(client), arena, NULL, request, &response, err);
}

static struct comb_v1_subject *myself(struct grpcc_arena *arena)
{
    struct comb_v1_subject *subject = comb_v1_subject_new(arena);
    comb_v1_subject_set_user(subject, "admin");
    return subject;
}

static enum grpcc_status grant(struct comb_client *client, struct grpcc_arena *arena,
                               const char *path, struct grpcc_error *err)
{
    struct comb_v1_permissions_grant_request *request =
        comb_v1_permissions_grant_request_new(arena);
    struct comb_v1_permissions_grant_response *response = NULL;
    request->node = ref(arena, path);
    request->subject = myself(arena);
    request->rights = COMB_V1_RIGHTS_READ | COMB_V1_RIGHTS_WRITE;
    return comb_v1_permissions_grant(comb_client_channel(client), arena, NULL, request, &response,
                                     err);
}

static enum grpcc_status take_back(struct comb_client *client, struct grpcc_arena *arena,
                                   const char *path, struct grpcc_error *err)
{
    struct comb_v1_permissions_revoke_request *request =
        comb_v1_permissions_revoke_request_new(arena);
    struct comb_v1_permissions_revoke_response *response = NULL;
    request->node = ref(arena, path);
    request->subject = myself(arena);
    return comb_v1_permissions_revoke(comb_client_channel(client), arena, NULL, request, &response,
                                      err);
}

struct content {
    unsigned char *bytes;
    size_t length, at;
    bool same;
};

static int64_t give(void *data, void *buffer, size_t capacity)
{
    struct content *content = data;
    size_t n = content->length - content->at < capacity ? content->length - content->at : capacity;
    memcpy(buffer, content->bytes + content->at, n);
    content->at += n;
    return (int64_t)n;
}

static bool compare(void *data, const void *bytes, size_t n)
{
    struct content *content = data;
    content->same = content->same && content->at + n <= content->length &&
                    memcmp(content->bytes + content->at, bytes, n) == 0;
    content->at += n;
    return content->same;
}

/* Sends content, and fetches the same. */
static enum grpcc_status there_and_back(struct comb_client *client, struct grpcc_arena *arena,
                                        const char *path, struct content *content,
                                        struct grpcc_error *err)
{
    enum grpcc_status status =
        content->length < LARGE_BYTES
            ? comb_put_bytes(client, arena, path, content->bytes, content->length, NULL, NULL, err)
            : comb_put_stream(client, arena, path, give, content, NULL, NULL, err);
    content->at = 0;
    content->same = true;
    if (status == GRPCC_OK)
        status = comb_get_stream(client, arena, path, 0, UINT64_MAX, compare, content, NULL, err);
    if (status == GRPCC_OK && content->at != content->length)
        status = grpcc_error_set(err, GRPCC_DATA_LOSS, "%zu bytes of %s", content->at, path);
    return status;
}

static enum grpcc_status send_and_fetch(struct worker *worker, struct grpcc_arena *arena,
                                        unsigned turn, struct grpcc_error *err)
{
    char path[PATH_BYTES + 16];
    struct content content = {.length = turn % LARGE_EVERY == 0 ? LARGE_BYTES : 100 + turn % 1000};
    content.bytes = malloc(content.length);
    if (!content.bytes)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < content.length; i++)
        content.bytes[i] = (unsigned char)(i * 31 + turn);
    snprintf(path, sizeof path, "%s/%s", worker->folder,
             content.length == LARGE_BYTES ? "large" : "small");
    enum grpcc_status status = there_and_back(worker->client, arena, path, &content, err);
    free(content.bytes);
    return status;
}

/* ---- the loop ---- */

enum kind { KIND_MAKE, KIND_STAT, KIND_CONTENT, KIND_RENAME, KIND_GRANT, KIND_REVOKE, KINDS };
static const char *const kind_names[KINDS] = {"mkdir",  "stat",  "put and get",
                                              "rename", "grant", "revoke"};

static enum grpcc_status call(struct worker *worker, struct grpcc_arena *arena, unsigned turn,
                              struct grpcc_error *err)
{
    char name[32], path[PATH_BYTES + 32];
    enum grpcc_status status = GRPCC_OK;
    switch ((enum kind)(turn % KINDS)) {
    case KIND_MAKE:
        snprintf(name, sizeof name, "m%u", worker->made);
        status = make_folder(worker->client, arena, worker->folder, name, err);
        worker->made += status == GRPCC_OK;
        return status;
    case KIND_STAT:
        return stat_node(worker->client, arena, worker->folder, err);
    case KIND_CONTENT:
        return send_and_fetch(worker, arena, turn / KINDS, err);
    case KIND_RENAME:
        snprintf(path, sizeof path, "%s/r%u", worker->folder, turn / KINDS);
        snprintf(name, sizeof name, "r%u", turn / KINDS + 1);
        return rename_node(worker->client, arena, path, name, err);
    case KIND_GRANT:
        return grant(worker->client, arena, worker->folder, err);
    default:
        return take_back(worker->client, arena, worker->folder, err);
    }
}

static void note(struct worker *worker, const char *what, int64_t begin_ms,
                 enum grpcc_status status, const struct grpcc_error *err)
{
    int64_t end_ms = now_ms();
    worker->calls++;
    if (status != GRPCC_OK) {
        if (worker->errors++ == 0)
            snprintf(worker->error, sizeof worker->error, "%s: %s: %.400s", what,
                     grpcc_status_name(status), err->message);
        return;
    }
    if (end_ms - worker->last_ms > worker->gap_ms)
        worker->gap_ms = end_ms - worker->last_ms;
    if (end_ms - begin_ms > worker->longest_ms)
        worker->longest_ms = end_ms - begin_ms;
    worker->last_ms = end_ms;
}

static void work(struct worker *worker, const char *stop)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    worker->last_ms = now_ms();
    /* A rename that failed leaves the name behind the count: all later ones would fail. */
    for (unsigned turn = 0; worker->errors == 0 && access(stop, F_OK) != 0; turn++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        int64_t begin_ms = now_ms();
        grpcc_arena_reset(arena);
        enum grpcc_status status = call(worker, arena, turn, &err);
        note(worker, kind_names[turn % KINDS], begin_ms, status, &err);
        sleep_ms(PAUSE_MS);
    }
    grpcc_arena_free(arena);
}

/* ---- the watch ---- */

struct watching {
    struct worker *worker;
    struct comb_watch *watch;
    char error[512]; /* what it ended with; "": it was cancelled */
};

static void *watch(void *data)
{
    struct watching *watching = data;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const struct comb_v1_tree_watch_response *event = NULL;
    int result = 0;
    while ((result = comb_watch_next(watching->watch, &event, &err)) == 1)
        if (event->event_case == COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE &&
            event->change->kind == COMB_V1_CHANGE_KIND_CREATED &&
            event->change->node->name[0] == 'm')
            atomic_fetch_add(&watching->worker->told, 1);
    if (result < 0 && err.status != GRPCC_CANCELLED)
        snprintf(watching->error, sizeof watching->error, "watch: %s: %.400s",
                 grpcc_status_name(err.status), err.message);
    return NULL;
}

static unsigned count_there(struct worker *worker, struct grpcc_arena *arena)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    unsigned n = 0, number = 0;
    int more = -1;
    request->folder = ref(arena, worker->folder);
    if (comb_list_open(worker->client, request, &list, &err) == GRPCC_OK)
        while ((more = comb_list_next(list, &node, &err)) == 1)
            n += sscanf(node->name, "m%u", &number) == 1 && number < worker->made;
    if (more < 0)
        note(worker, "list", now_ms(), err.status, &err);
    comb_list_close(list);
    return n;
}

/* ---- ---- */

static enum grpcc_status begin(struct worker *worker, struct grpcc_arena *arena, const char *name,
                               struct comb_watch **ret_watch, struct grpcc_error *err)
{
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(arena);
    char path[PATH_BYTES + 16];
    request->folder = ref(arena, worker->folder);
    snprintf(path, sizeof path, "%s/r0", worker->folder);
    enum grpcc_status status = make_folder(worker->client, arena, "/personal", name, err);
    if (status == GRPCC_OK)
        status = make_folder(worker->client, arena, worker->folder, "r0", err);
    if (status == GRPCC_OK)
        status = comb_watch_open(worker->client, request, ret_watch, err);
    return status;
}

static int run(struct worker *worker, const char *name, const char *stop)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct watching watching = {.worker = worker};
    pthread_t thread;
    if (begin(worker, arena, name, &watching.watch, &err) != GRPCC_OK ||
        pthread_create(&thread, NULL, watch, &watching) != 0) {
        fprintf(stderr, "%s: %s\n", name, err.message);
        return 1;
    }
    work(worker, stop);
    for (int waited = 0;
         waited < TOLD_WAIT_MS && worker->errors == 0 && atomic_load(&worker->told) < worker->made;
         waited += PAUSE_MS)
        sleep_ms(PAUSE_MS);
    comb_watch_cancel(watching.watch);
    pthread_join(thread, NULL);
    comb_watch_close(watching.watch);
    if (watching.error[0] && worker->errors++ == 0)
        memcpy(worker->error, watching.error, sizeof worker->error);
    unsigned there = count_there(worker, arena), told = atomic_load(&worker->told);
    printf("%s %u %u %lld %lld %u %u %u %s %s\n", name, worker->calls, worker->errors,
           (long long)worker->gap_ms, (long long)worker->longest_ms, worker->made,
           worker->made - there, told > worker->made ? told - worker->made : worker->made - told,
           comb_version(), worker->error);
    grpcc_arena_free(arena);
    return worker->errors || there != worker->made || told != worker->made;
}

int main(int argc, char **argv)
{
    static struct worker worker;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const char *password = getenv("COMB_PASSWORD");
    if (argc != 4 || !password) {
        fprintf(stderr, "usage: COMB_PASSWORD=... %s SERVERS NAME STOP\n", argv[0]);
        return 2;
    }
    snprintf(worker.folder, sizeof worker.folder, "/personal/%s", argv[2]);
    if (comb_client_open(argv[1], NULL, &worker.client, &err) != GRPCC_OK ||
        comb_client_login(worker.client, "admin", password, argv[2], &err) != GRPCC_OK) {
        fprintf(stderr, "%s: %s\n", argv[2], err.message);
        return 1;
    }
    int status = run(&worker, argv[2], argv[3]);
    comb_client_close(worker.client);
    return status;
}

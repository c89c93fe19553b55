/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/tree.h"

#include <google/protobuf/field_mask.grpcc.h>
#include <stdio.h>
#include <string.h>

#include "comb/lists.h"

enum { WHY_SIZE = 512 };

void comb_tree_init(struct comb_tree *tree, struct comb_client *client,
                    const struct comb_tree_options *options)
{
    memset(tree, 0, sizeof(*tree));
    tree->client = client;
    comb_options_copy(&tree->options, sizeof(tree->options), options);
    if (tree->options.parallel == 0)
        tree->options.parallel = COMB_PARALLEL_DEFAULT;
    if (tree->options.parallel > COMB_PARALLEL_MAX)
        tree->options.parallel = COMB_PARALLEL_MAX;
    comb_meter_init(&tree->meter, tree->options.progress, tree->options.progress_data);
    pthread_mutex_init(&tree->lock, NULL);
    pthread_cond_init(&tree->changed, NULL);
    tree->err = (struct grpcc_error)GRPCC_ERROR_INIT;
}

void comb_tree_done(struct comb_tree *tree)
{
    comb_meter_done(&tree->meter);
    pthread_cond_destroy(&tree->changed);
    pthread_mutex_destroy(&tree->lock);
}

/* ---- jobs ---- */

void comb_tree_push(struct comb_tree *tree, struct comb_tree_job *job)
{
    pthread_mutex_lock(&tree->lock);
    job->next = tree->jobs;
    tree->jobs = job;
    pthread_cond_signal(&tree->changed);
    pthread_mutex_unlock(&tree->lock);
}

static void *work(void *data)
{
    struct comb_tree *tree = data;
    pthread_mutex_lock(&tree->lock);
    while (tree->jobs || tree->busy > 0) {
        struct comb_tree_job *job = tree->jobs;
        if (!job) {
            pthread_cond_wait(&tree->changed, &tree->lock);
            continue;
        }
        tree->jobs = job->next;
        tree->busy++;
        bool dropped = tree->status != GRPCC_OK;
        pthread_mutex_unlock(&tree->lock);
        job->run(tree, job, dropped);
        pthread_mutex_lock(&tree->lock);
        tree->busy--;
    }
    pthread_cond_broadcast(&tree->changed);
    pthread_mutex_unlock(&tree->lock);
    return NULL;
}

enum grpcc_status comb_tree_run(struct comb_tree *tree, struct comb_tree_report *ret_report,
                                struct grpcc_error *err)
{
    pthread_t threads[COMB_PARALLEL_MAX];
    unsigned n = 0;
    int64_t begin = comb_now_ns();
    while (n + 1 < tree->options.parallel && comb_thread_start(&threads[n], work, tree))
        n++;
    work(tree);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    comb_meter_finish(&tree->meter);
    tree->report.seconds = (double)(comb_now_ns() - begin) / (double)COMB_NS_PER_S;
    if (ret_report)
        *ret_report = tree->report;
    if (tree->status && err)
        *err = tree->err;
    return tree->status;
}

/* ---- what became of it ---- */

static void end_with(struct comb_tree *tree, const struct grpcc_error *err)
{
    pthread_mutex_lock(&tree->lock);
    if (!tree->status) {
        tree->status = err->status;
        tree->err = *err;
        tree->err.details = NULL;
    }
    pthread_mutex_unlock(&tree->lock);
}

bool comb_tree_has_failed(struct comb_tree *tree)
{
    pthread_mutex_lock(&tree->lock);
    bool failed = tree->status != GRPCC_OK;
    pthread_mutex_unlock(&tree->lock);
    return failed;
}

void comb_tree_no_memory(struct comb_tree *tree)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    comb_error_memory(&err);
    end_with(tree, &err);
}

void comb_tree_problem(struct comb_tree *tree, const char *path, const char *format, ...)
{
    char why[WHY_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    pthread_mutex_lock(&tree->lock);
    tree->report.problems++;
    if (tree->options.problem)
        tree->options.problem(tree->options.problem_data, path, why);
    pthread_mutex_unlock(&tree->lock);
}

/* Whether it says something of this one thing, and the others may fare better. */
static bool is_of_one(enum grpcc_status status)
{
    switch (status) {
    case GRPCC_INVALID_ARGUMENT:
    case GRPCC_NOT_FOUND:
    case GRPCC_ALREADY_EXISTS:
    case GRPCC_PERMISSION_DENIED:
    case GRPCC_FAILED_PRECONDITION:
    case GRPCC_OUT_OF_RANGE:
    case GRPCC_ABORTED:
    case GRPCC_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

void comb_tree_failed(struct comb_tree *tree, const char *path, enum grpcc_status status,
                      const struct grpcc_error *err)
{
    if (is_of_one(status))
        comb_tree_problem(tree, path, "%s", err->message);
    else
        end_with(tree, err);
}

void comb_tree_count(struct comb_tree *tree, uint64_t files, uint64_t folders, uint64_t bytes,
                     uint64_t unchanged)
{
    pthread_mutex_lock(&tree->lock);
    tree->report.files += files;
    tree->report.folders += folders;
    tree->report.bytes += bytes;
    tree->report.unchanged += unchanged;
    pthread_mutex_unlock(&tree->lock);
}

/* ---- small things ---- */

char *comb_tree_join(struct comb_tree *tree, const char *folder, const char *name)
{
    char *path = NULL;
    size_t n = strlen(folder);
    if (asprintf(&path, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name) >= 0)
        return path;
    comb_tree_no_memory(tree);
    return NULL;
}

static struct google_protobuf_field_mask *metadata_mask(struct grpcc_arena *arena)
{
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(arena);
    return mask && google_protobuf_field_mask_add_paths(arena, mask, "metadata") ? mask : NULL;
}

enum grpcc_status comb_tree_list(struct comb_tree *tree, struct grpcc_arena *arena, const char *id,
                                 struct comb_list **ret_list, struct grpcc_error *err)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    if (!request || !ref)
        return comb_error_memory(err);
    comb_v1_node_ref_set_id(ref, id);
    request->folder = ref;
    request->read_mask = metadata_mask(arena);
    if (!request->read_mask)
        return comb_error_memory(err);
    return comb_list_open(tree->client, request, ret_list, err);
}

enum grpcc_status comb_tree_stat(struct comb_tree *tree, struct grpcc_arena *arena,
                                 const char *path, struct comb_v1_node **ret_node,
                                 struct grpcc_error *err)
{
    struct comb_v1_tree_stat_response *response = NULL;
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    if (!request)
        return comb_error_memory(err);
    request->node = comb_ref_by_path(arena, path);
    request->read_mask = metadata_mask(arena);
    if (!request->node || !request->read_mask)
        return comb_error_memory(err);
    enum grpcc_status status =
        comb_v1_tree_stat(tree->client->channel, arena, NULL, request, &response, err);
    if (status)
        return status;
    if (!response->node)
        return grpcc_error_set(err, GRPCC_INTERNAL, "the server sent no node");
    *ret_node = response->node;
    return GRPCC_OK;
}

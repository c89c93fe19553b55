/* SPDX-License-Identifier: Apache-2.0 */
/* The tree's calls as tests write them. */
#include <pthread.h>

#include "tests/contract/tree/fixture.h"

struct stat_wait {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    enum comb_status status;
    struct comb_error err;
};

static void stat_done(void *data, enum comb_status status, const struct comb_error *err)
{
    struct stat_wait *wait = data;

    pthread_mutex_lock(&wait->lock);
    wait->status = status;
    if (status != COMB_OK)
        wait->err = *err;
    wait->is_done = true;
    pthread_cond_signal(&wait->done);
    pthread_mutex_unlock(&wait->lock);
}

enum comb_status try_stat(struct fixture *f, const struct comb_v1_node_ref *ref, uint32_t with,
                          struct comb_tree_view *ret_view)
{
    struct stat_wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

    comb_tree_stat_start(f->tree, more(f), ref, with, ret_view, stat_done, &wait);
    pthread_mutex_lock(&wait.lock);
    while (!wait.is_done)
        pthread_cond_wait(&wait.done, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    f->test.err = wait.err;
    return wait.status;
}

enum comb_status try_mkdir(struct fixture *f, const char *parent, const char *name, bool parents,
                           bool exist_ok, struct comb_tree_changed *ret_changed)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(ctx->arena);

    request->parent = ref_path(f, parent);
    comb_v1_tree_create_folder_request_set_name(request, name);
    request->create_parents = parents;
    request->exist_ok = exist_ok;
    return comb_tree_create_folder(f->tree, ctx, &key, request, ret_changed, &f->test.err);
}

struct put_call {
    struct fixture *f;
    struct comb_tree_put put;
    struct comb_tree_written written;
};

static enum comb_status put_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                   struct comb_error *err)
{
    struct put_call *call = data;
    enum comb_status status;

    plan->kind = COMB_SQL_WRITE;
    status = comb_tree_plan_put(call->f->tree, ctx, plan, &call->put, &call->written, err);
    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &call->written.node, true, &plan->outcome, err);
    return status;
}

static enum comb_status put_decide_fresh(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                         struct comb_error *err)
{
    struct put_call *call = data;

    return comb_tree_decide(call->f->tree, put_decide, call, ctx, plan, err);
}

enum comb_status try_put(struct fixture *f, const char *parent, const char *name, uint64_t size,
                         enum comb_tree_condition condition, const char *etag,
                         struct comb_node *ret_node)
{
    static const char sha[32] = "0123456789abcdef0123456789abcde";
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct put_call call = {.f = f,
                            .put = {.parent = ref_path(f, parent),
                                    .field = "target",
                                    .name = comb_str_from(grpcc_arena_strdup(ctx->arena, name)),
                                    .condition = condition,
                                    .etag = comb_str_from(etag),
                                    .lock_token = f->lock_token,
                                    .blob = comb_uuid_new(),
                                    .size = size,
                                    .sha256 = comb_str_of(sha, sizeof sha),
                                    .media_type = STR("text/plain")}};
    struct comb_outcome outcome;
    enum comb_status status =
        comb_mutation_run(f->mutations, ctx, &key, put_decide_fresh, &call, &outcome, &f->test.err);

    if (status == COMB_OK && ret_node)
        *ret_node = call.written.node;
    return status;
}

enum comb_status try_move(struct fixture *f, const char *from, const char *to_parent,
                          const char *name, enum comb_v1_move_conflict conflict,
                          struct comb_tree_changed *ret_changed)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(ctx->arena);

    request->node = ref_path(f, from);
    if (to_parent)
        request->target_parent = ref_path(f, to_parent);
    comb_v1_tree_move_request_set_target_name(request, name);
    request->conflict = conflict;
    request->lock_token = f->lock_token;
    request->replaced_lock_token = f->replaced_lock_token;
    return comb_tree_move(f->tree, ctx, &key, request, ret_changed, &f->test.err);
}

enum comb_status try_delete(struct fixture *f, const struct comb_v1_node_ref *ref, bool permanently,
                            struct comb_tree_changed *ret_changed)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_delete_request *request = comb_v1_tree_delete_request_new(ctx->arena);

    request->node = comb_v1_node_ref_dup(ctx->arena, ref);
    request->permanently = permanently;
    request->lock_token = f->lock_token;
    return comb_tree_delete(f->tree, ctx, &key, request, ret_changed, &f->test.err);
}

enum comb_status try_restore(struct fixture *f, const struct comb_uuid *id, const char *to_parent,
                             const char *name, struct comb_tree_changed *ret_changed)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_restore_request *request = comb_v1_tree_restore_request_new(ctx->arena);

    request->node = ref_id(f, id);
    if (to_parent)
        request->target_parent = ref_path(f, to_parent);
    comb_v1_tree_restore_request_set_target_name(request, name);
    request->lock_token = f->lock_token;
    return comb_tree_restore(f->tree, ctx, &key, request, ret_changed, &f->test.err);
}

struct comb_node mkdir_at(struct fixture *f, const char *parent, const char *name)
{
    struct comb_tree_changed changed;

    must_ok(try_mkdir(f, parent, name, false, false, &changed), &f->test.err);
    assert_true(changed.created);
    return changed.view.node;
}

struct comb_node put(struct fixture *f, const char *parent, const char *name, uint64_t size)
{
    struct comb_node node;

    must_ok(try_put(f, parent, name, size, COMB_TREE_ANY, NULL, &node), &f->test.err);
    return node;
}

struct comb_node stat_path(struct fixture *f, const char *path)
{
    struct comb_tree_view view;

    must_ok(try_stat(f, ref_path(f, path), 0, &view), &f->test.err);
    return view.node;
}

struct comb_node move_to(struct fixture *f, const char *from, const char *to_parent,
                         const char *name)
{
    struct comb_tree_changed changed;

    must_ok(try_move(f, from, to_parent, name, COMB_V1_MOVE_CONFLICT_FAIL, &changed), &f->test.err);
    return changed.view.node;
}

struct comb_node recycle(struct fixture *f, const char *path)
{
    struct comb_tree_changed changed;

    must_ok(try_delete(f, ref_path(f, path), false, &changed), &f->test.err);
    return changed.view.node;
}

void delete_for_good(struct fixture *f, const char *path)
{
    struct comb_tree_changed changed;

    must_ok(try_delete(f, ref_path(f, path), true, &changed), &f->test.err);
}

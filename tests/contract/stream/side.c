/* SPDX-License-Identifier: Apache-2.0 */
/* The stream's operations on a store, through the domains. */
#include <stdio.h>
#include <stdlib.h>

#include "server/permissions/permissions.h"
#include "tests/contract/stream/stream.h"
#include "tests/contract/tree/recount.h"

struct stream_side {
    struct fixture *f;
    struct comb_permissions_store *store;
    struct comb_permissions *permissions;
    struct comb_uuid users[SUBJECTS]; /* the last one: the role of everybody */
    struct comb_uuid ids[STREAM_NODES_MAX];
};

static enum comb_status find_subject(void *data, struct comb_ctx *ctx, comb_str text,
                                     struct comb_uuid *ret_id, struct comb_error *err)
{
    (void)data;
    (void)ctx;
    if (comb_uuid_parse(text, ret_id))
        return COMB_OK;
    return comb_error_set(err, COMB_NOT_FOUND, 0, "the test names its users by id");
}

struct stream_side *stream_side_new(struct comb_sql *sql)
{
    struct stream_side *side = calloc(1, sizeof *side);
    struct comb_permissions_parts parts = {
        .directory = {.find_user = find_subject, .find_role = find_subject}};
    struct comb_error *err;

    assert_non_null(side);
    side->f = fixture_new(sql);
    err = &side->f->test.err;
    must_ok(comb_permissions_store_open(sql, &side->store, err), err);
    parts.store = side->store;
    parts.access = side->f->access;
    parts.facts = side->f->facts;
    parts.mutations = side->f->mutations;
    must_ok(comb_permissions_new(&parts, &side->permissions, err), err);
    side->users[USER_OWNER] = side->f->owner;
    side->users[USER_GUEST] = side->f->stranger;
    side->users[USER_OTHER] = comb_uuid_new();
    add_user(side->f, &side->users[USER_OTHER]);
    side->users[SUBJECT_EVERYBODY] = comb_role_everybody;
    side->ids[0] = side->f->root;
    return side;
}

void stream_side_free(struct stream_side *side)
{
    comb_permissions_free(side->permissions);
    comb_permissions_store_close(side->store);
    fixture_free(side->f);
    free(side);
}

void stream_side_check(struct stream_side *side)
{
    become(side->f, &side->users[USER_OWNER]);
    must_be_recounted(side->f);
}

/* ---- what came back ---- */

/* The node's number: hint where it is that, else any; -1: none that is known. */
static int number_of(const struct stream_side *side, const struct comb_uuid *id, int hint)
{
    if (hint >= 0 && comb_uuid_equal(&side->ids[hint], id))
        return hint;
    for (int i = 0; i < STREAM_NODES_MAX; i++) {
        if (comb_uuid_equal(&side->ids[i], id))
            return i;
    }
    return -1;
}

static int name_of(comb_str name)
{
    for (int i = 0; i < STREAM_NAMES; i++) {
        if (comb_str_equal(name, comb_str_from(stream_names[i])))
            return i;
    }
    return -1;
}

/* made: it may be new, and has the expected number from now on. */
static void show(struct stream_side *side, const struct comb_node *node, bool made,
                 const struct stream_answer *expected, struct stream_answer *answer)
{
    if (made && expected->node > 0 && node->revision == 1)
        side->ids[expected->node] = node->id;
    answer->node = number_of(side, &node->id, expected->node);
    answer->revision = node->revision;
    answer->size = node->size;
    if (answer->node == 0) {
        answer->parent = expected->parent;
        answer->name = expected->name;
    } else {
        answer->parent = number_of(side, &node->parent, expected->parent);
        answer->name = name_of(node->name);
    }
}

/* ---- operations ---- */

/* What an operation is called with, and where its answer goes. */
struct step {
    struct stream_side *side;
    struct fixture *f;
    const char *path, *parent_path;
    const struct stream_op *op;
    const struct stream_answer *expected;
    struct stream_answer *answer;
};

static enum comb_status side_mkdir(const struct step *s)
{
    struct comb_tree_changed changed;
    enum comb_status status =
        try_mkdir(s->f, s->parent_path, stream_names[s->op->name], false, s->op->flag, &changed);

    if (status == COMB_OK)
        show(s->side, &changed.view.node, true, s->expected, s->answer);
    return status;
}

static enum comb_status side_put(const struct step *s)
{
    struct comb_node node;
    enum comb_status status = try_put(s->f, s->parent_path, stream_names[s->op->name], s->op->size,
                                      s->op->flag ? COMB_TREE_ABSENT : COMB_TREE_ANY, NULL, &node);

    if (status == COMB_OK)
        show(s->side, &node, true, s->expected, s->answer);
    return status;
}

static enum comb_status side_move(const struct step *s)
{
    struct comb_tree_changed changed;
    enum comb_status status = try_move(
        s->f, s->path, s->parent_path, stream_names[s->op->name],
        s->op->flag ? COMB_V1_MOVE_CONFLICT_REPLACE : COMB_V1_MOVE_CONFLICT_FAIL, &changed);

    if (status == COMB_OK)
        show(s->side, &changed.view.node, false, s->expected, s->answer);
    return status;
}

static enum comb_status side_delete(const struct step *s)
{
    bool purge = s->op->kind == OP_PURGE;
    struct comb_v1_node_ref *ref =
        purge ? ref_id(s->f, &s->side->ids[s->op->node]) : ref_path(s->f, s->path);
    struct comb_tree_changed changed;
    enum comb_status status = try_delete(s->f, ref, purge || s->op->flag, &changed);

    if (status == COMB_OK)
        *s->answer =
            (struct stream_answer){.node = number_of(s->side, &changed.view.node.id, s->op->node),
                                   .parent = -1,
                                   .name = -1,
                                   .revision = changed.view.node.revision};
    return status;
}

static enum comb_status side_restore(const struct step *s)
{
    struct comb_tree_changed changed;
    enum comb_status status =
        try_restore(s->f, &s->side->ids[s->op->node], s->op->flag ? s->parent_path : NULL,
                    s->op->flag ? stream_names[s->op->name] : "", &changed);

    if (status == COMB_OK)
        show(s->side, &changed.view.node, false, s->expected, s->answer);
    return status;
}

static const char *const values[] = {"", "one", "two"};

static enum comb_status side_annotate(const struct step *s)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(s->f);
    struct grpcc_arena *arena = ctx->arena;
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(arena);
    struct comb_v1_metadata *piece = comb_v1_metadata_new(arena);
    struct comb_v1_metadata_key *name = comb_v1_metadata_key_new(arena);
    struct comb_tree_changed changed;
    enum comb_status status;

    request->node = ref_path(s->f, s->path);
    if (s->op->value > 0) {
        comb_v1_metadata_set_namespace(piece, "test");
        comb_v1_metadata_set_name(piece, "value");
        piece->value = comb_v1_metadata_value_new(arena);
        comb_v1_metadata_value_set_text(piece->value, values[s->op->value]);
        assert_true(comb_v1_tree_set_metadata_request_add_set(arena, request, piece));
    } else {
        comb_v1_metadata_key_set_namespace(name, "test");
        comb_v1_metadata_key_set_name(name, "value");
        assert_true(comb_v1_tree_set_metadata_request_add_remove(arena, request, name));
    }
    status = comb_tree_set_metadata(s->f->tree, ctx, &key, request, &changed, &s->f->test.err);
    if (status == COMB_OK)
        show(s->side, &changed.view.node, false, s->expected, s->answer);
    return status;
}

static struct comb_permissions_subject subject_of(const struct step *s)
{
    const struct comb_uuid *id = &s->side->users[s->op->subject];

    return (struct comb_permissions_subject){
        .is_role = s->op->subject == SUBJECT_EVERYBODY,
        .name = comb_str_from(comb_uuid_text(s->f->test.ctx.arena, id))};
}

static enum comb_status side_grant(const struct step *s)
{
    const struct comb_request_key key = new_key();
    struct comb_permission permission;
    const struct comb_permissions_grant grant = {
        .node = ref_path(s->f, s->path), .subject = subject_of(s), .rights = s->op->value};
    enum comb_status status = comb_permissions_grant(s->side->permissions, more(s->f), &key, &grant,
                                                     &permission, &s->f->test.err);

    if (status == COMB_OK)
        s->answer->rights = permission.entry.rights;
    return status;
}

static enum comb_status side_revoke(const struct step *s)
{
    const struct comb_request_key key = new_key();
    const struct comb_permissions_subject subject = subject_of(s);

    return comb_permissions_revoke(s->side->permissions, more(s->f), &key, ref_path(s->f, s->path),
                                   &subject, &s->f->test.err);
}

static enum comb_status side_stat(const struct step *s)
{
    struct comb_tree_view view;
    enum comb_status status = try_stat(s->f, ref_id(s->f, &s->side->ids[s->op->node]),
                                       COMB_TREE_WITH_METADATA | COMB_TREE_WITH_RIGHTS, &view);

    if (status != COMB_OK)
        return status;
    show(s->side, &view.node, false, s->expected, s->answer);
    s->answer->rights = (int)view.extra.rights;
    for (int i = 1; i < 3 && view.extra.n_metadata > 0; i++) {
        if (strcmp(view.extra.metadata[0]->value->text, values[i]) == 0)
            s->answer->value = i;
    }
    return COMB_OK;
}

static enum comb_status side_check(const struct step *s)
{
    const struct comb_permissions_question question = {.node = ref_path(s->f, s->path),
                                                       .rights = COMB_V1_RIGHTS_READ};
    struct comb_permissions_answer answer;
    comb_str user =
        comb_str_from(comb_uuid_text(s->f->test.ctx.arena, &s->side->users[s->op->who]));
    enum comb_status status = comb_permissions_check_user(
        s->side->permissions, more(s->f), &question, user, &answer, &s->f->test.err);

    if (status == COMB_OK)
        s->answer->rights = answer.rights;
    return status;
}

static enum comb_status side_list(const struct step *s)
{
    struct comb_tree_list_query query = {
        .folder = ref_path(s->f, s->path), .order = s->op->order, .size = (size_t)s->op->value};
    int n = 0;

    do {
        struct comb_tree_page page;
        enum comb_status status =
            comb_tree_list(s->f->tree, more(s->f), &query, &page, &s->f->test.err);

        if (status != COMB_OK)
            return status;
        assert_true(page.n_views <= query.size && n + (int)page.n_views <= STREAM_NAMES);
        for (size_t i = 0; i < page.n_views; i++, n++)
            s->answer->children[n] =
                number_of(s->side, &page.views[i].node.id, s->expected->children[n]);
        query.state = page.state;
    } while (query.state.len > 0);
    s->answer->n_children = n;
    return COMB_OK;
}

void stream_side_do(struct stream_side *side, const struct stream_model *model,
                    const struct stream_op *op, const struct stream_answer *expected,
                    struct stream_answer *ret_answer)
{
    static enum comb_status (*const all[])(const struct step *) = {
        [OP_MKDIR] = side_mkdir,       [OP_PUT] = side_put,      [OP_MOVE] = side_move,
        [OP_DELETE] = side_delete,     [OP_PURGE] = side_delete, [OP_RESTORE] = side_restore,
        [OP_ANNOTATE] = side_annotate, [OP_GRANT] = side_grant,  [OP_REVOKE] = side_revoke,
        [OP_STAT] = side_stat,         [OP_CHECK] = side_check,  [OP_LIST] = side_list};
    struct stream_answer answer = {.node = -1};
    const struct step step = {
        side, side->f, stream_op_path(model), stream_op_parent_path(model), op, expected, &answer};

    next(side->f);
    become(side->f, &side->users[op->who]);
    answer.status = all[op->kind](&step);
    if (answer.status != COMB_OK)
        answer =
            (struct stream_answer){answer.status, .reason = side->f->test.err.reason, .node = -1};
    *ret_answer = answer;
}

/* ---- judging ---- */

struct compared {
    const char *what;
    long long expected, answered;
};

bool stream_same(const struct stream_answer *e, const struct stream_answer *a, char text[256])
{
    struct compared all[10 + STREAM_NAMES] = {
        {"status", e->status, a->status},
        {"reason", e->reason, a->reason},
        {"node", e->node, a->node},
        {"parent", e->parent, a->parent},
        {"name", e->name, a->name},
        {"revision", (long long)e->revision, (long long)a->revision},
        {"size", (long long)e->size, (long long)a->size},
        {"rights", e->rights, a->rights},
        {"value", e->value, a->value},
        {"number of children", e->n_children, a->n_children},
    };
    int n = 10;

    for (int i = 0; i < e->n_children && i < a->n_children; i++)
        all[n++] = (struct compared){"child", e->children[i], a->children[i]};
    for (int i = 0; i < n; i++) {
        if (all[i].expected == all[i].answered)
            continue;
        snprintf(text, 256, "%s is %lld, not %lld (status %d, reason %d)", all[i].what,
                 all[i].answered, all[i].expected, (int)a->status, a->reason);
        return false;
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workspaces/workspaces.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"
#include "server/core/limits.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"

/* What every user calls his own; nobody else's slug, nor the beginning of one with an id behind. */
#define PERSONAL "personal"
/* Rows that one request of a list looks at. */
#define LIST_ROWS 256

struct comb_workspaces {
    struct comb_workspaces_parts parts;
};

enum comb_status comb_workspaces_new(const struct comb_workspaces_parts *parts,
                                     struct comb_workspaces **ret_workspaces,
                                     struct comb_error *err)
{
    assert(parts->store && parts->permissions && parts->identity && parts->access && parts->tree &&
           parts->facts && parts->mutations);
    struct comb_workspaces *workspaces = comb_memory_zalloc(sizeof *workspaces);
    if (!workspaces)
        return comb_error_no_memory(err);
    workspaces->parts = *parts;
    *ret_workspaces = workspaces;
    return COMB_OK;
}

void comb_workspaces_free(struct comb_workspaces *workspaces)
{
    comb_memory_free(workspaces);
}

/* ---- rules ---- */

static bool is_slug(comb_str slug)
{
    struct comb_uuid id;
    if (slug.len == 0 || slug.len > COMB_SLUG_BYTES_MAX || comb_uuid_parse(slug, &id))
        return false;
    for (size_t i = 0; i < slug.len; i++) {
        char c = slug.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return true;
}

static bool is_reserved(comb_str slug)
{
    const size_t prefix = sizeof PERSONAL "-" - 1;
    struct comb_uuid id;
    return comb_str_equal(slug, STR(PERSONAL)) ||
           (comb_str_starts_with(slug, STR(PERSONAL "-")) &&
            comb_uuid_parse(comb_str_of(slug.ptr + prefix, slug.len - prefix), &id));
}

static enum comb_status check_text(comb_str text, size_t max, const char *field,
                                   struct comb_error *err)
{
    if (text.len <= max && comb_str_is_utf8(text))
        return COMB_OK;
    return comb_error_field(err, field, "at most %zu bytes of UTF-8", max);
}

static enum comb_status check_slug(comb_str slug, struct comb_error *err)
{
    if (!is_slug(slug))
        return comb_error_field(err, "slug",
                                "begins with a lower case letter or a digit, has lower case "
                                "letters, digits, \"-\", \"_\" and \".\", at most %d bytes, and "
                                "not the form of a UUID",
                                COMB_SLUG_BYTES_MAX);
    if (is_reserved(slug))
        return comb_error_field(err, "slug", "\"personal\" is everybody's own workspace");
    return COMB_OK;
}

static enum comb_status check_texts(comb_str label, comb_str description, struct comb_error *err)
{
    enum comb_status status = check_text(label, COMB_LABEL_BYTES_MAX, "label", err);
    return status == COMB_OK
               ? check_text(description, COMB_DESCRIPTION_BYTES_MAX, "description", err)
               : status;
}

static enum comb_status check_input(const struct comb_workspaces_new_workspace *input,
                                    struct comb_error *err)
{
    enum comb_status status = check_slug(input->slug, err);
    if (status != COMB_OK)
        return status;
    if (input->default_rights < COMB_V1_RIGHTS_UNSPECIFIED ||
        input->default_rights > COMB_V1_RIGHTS_READ_WRITE)
        return comb_error_field(err, "default_rights", "READ, WRITE, READ_WRITE, or absent");
    return check_texts(input->label, input->description, err);
}

/* ---- what the caller sees ---- */

static enum comb_status may_see(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                const struct comb_workspace *workspace, bool *ret_may,
                                struct comb_error *err)
{
    bool may = ctx->principal->administrator;
    enum comb_status status = COMB_OK;
    for (size_t i = 0; !may && i < workspace->n_roots && status == COMB_OK; i++) {
        struct comb_fact_chain chain;
        int rights = 0;
        status = comb_access_rights(workspaces->parts.access, ctx, &workspace->roots[i], &rights,
                                    &chain, err);
        may = status == COMB_OK && (rights & COMB_V1_RIGHTS_READ);
    }
    if (status == COMB_OK)
        *ret_may = may;
    return status;
}

static int everybodys_rights(const struct comb_fact_chain *chain)
{
    for (size_t i = 0; chain->n_links > 0 && i < chain->links[0].n_entries; i++) {
        const struct comb_entry *entry = &chain->links[0].entries[i];
        if (comb_uuid_equal(&entry->role, &comb_role_everybody))
            return entry->rights;
    }
    return COMB_V1_RIGHTS_UNSPECIFIED;
}

static enum comb_status view_of(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                const struct comb_workspace *workspace,
                                struct comb_workspace_view *ret_view, struct comb_error *err)
{
    struct comb_workspace_view view = {.workspace = *workspace};
    if (workspace->n_roots > 0) {
        struct comb_fact_chain chain = {0};
        enum comb_status status =
            comb_facts_chain_wait(workspaces->parts.facts, ctx, &workspace->roots[0], &chain, err);
        if (status != COMB_OK)
            return status;
        view.default_rights = everybodys_rights(&chain);
    }
    if (workspace->kind == COMB_V1_WORKSPACE_KIND_PERSONAL &&
        comb_uuid_equal(&workspace->owner, &ctx->principal->user))
        view.workspace.slug = STR(PERSONAL);
    *ret_view = view;
    return COMB_OK;
}

static enum comb_status not_found(struct comb_error *err)
{
    return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_WORKSPACE_NOT_FOUND,
                          "there is no such workspace");
}

static enum comb_status read_workspace(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                       comb_str id_or_slug, struct comb_workspace *ret_workspace,
                                       struct comb_error *err)
{
    struct comb_workspaces_store *store = workspaces->parts.store;
    struct comb_uuid id;
    bool is_id = comb_uuid_parse(id_or_slug, &id);
    if (comb_str_equal(id_or_slug, STR(PERSONAL))) {
        struct comb_user user;
        enum comb_status status = comb_identity_read_user_now(workspaces->parts.identity, ctx,
                                                              &ctx->principal->user, &user, err);
        if (status != COMB_OK)
            return status == COMB_NOT_FOUND ? not_found(err) : status;
        id = user.personal;
        is_id = true;
    }
    return store->driver->get(store, ctx, is_id ? &id : NULL, id_or_slug, ret_workspace, err);
}

enum comb_status comb_workspaces_get(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                     comb_str id_or_slug, struct comb_workspace_view *ret_view,
                                     struct comb_error *err)
{
    struct comb_workspace workspace;
    bool may = false;
    enum comb_status status = comb_facts_sync_wait(workspaces->parts.facts, ctx, err);
    if (status == COMB_OK)
        status = read_workspace(workspaces, ctx, id_or_slug, &workspace, err);
    if (status == COMB_OK)
        status = may_see(workspaces, ctx, &workspace, &may, err);
    if (status == COMB_OK && !may)
        status = not_found(err);
    if (status == COMB_OK)
        status = view_of(workspaces, ctx, &workspace, ret_view, err);
    return status;
}

/* ---- list ---- */

/* A walk by slug. The caller's own workspace comes where "personal" stands, not its stored slug. */
struct walk {
    struct comb_workspaces *workspaces;
    struct comb_workspace own;
    bool own_pending; /* it is still to come */
    comb_str after;   /* what has been passed */
    struct comb_workspace_view *views;
    size_t n_views, max, examined;
    bool more;
};

static enum comb_status show(struct walk *walk, struct comb_ctx *ctx,
                             const struct comb_workspace *workspace, struct comb_error *err)
{
    bool may = false;
    enum comb_status status = may_see(walk->workspaces, ctx, workspace, &may, err);
    if (status == COMB_OK && may)
        status = view_of(walk->workspaces, ctx, workspace, &walk->views[walk->n_views], err);
    if (status == COMB_OK && may)
        walk->n_views++;
    return status;
}

static enum comb_status show_own(struct walk *walk, struct comb_ctx *ctx, struct comb_error *err)
{
    walk->own_pending = false;
    walk->after = STR(PERSONAL);
    return show(walk, ctx, &walk->own, err);
}

static enum comb_status walk_rows(struct walk *walk, struct comb_ctx *ctx,
                                  const struct comb_workspace *rows, size_t n_rows,
                                  struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n_rows && status == COMB_OK; i++) {
        if (walk->own_pending && comb_str_compare(rows[i].slug, STR(PERSONAL)) > 0)
            status = show_own(walk, ctx, err);
        if (status != COMB_OK || walk->n_views == walk->max)
            return status;
        if (!comb_uuid_equal(&rows[i].id, &walk->own.id))
            status = show(walk, ctx, &rows[i], err);
        walk->after = rows[i].slug;
        walk->examined++;
        if (walk->n_views == walk->max)
            return status;
    }
    if (status == COMB_OK && n_rows < LIST_ROWS) {
        if (walk->own_pending)
            status = show_own(walk, ctx, err);
        walk->more = false;
    }
    return status;
}

static enum comb_status read_own(struct walk *walk, struct comb_ctx *ctx, struct comb_error *err)
{
    enum comb_status status = read_workspace(walk->workspaces, ctx, STR(PERSONAL), &walk->own, err);
    walk->own_pending = status == COMB_OK && comb_str_compare(walk->after, STR(PERSONAL)) < 0;
    return status == COMB_NOT_FOUND ? COMB_OK : status;
}

enum comb_status comb_workspaces_list(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                      comb_str after, size_t max,
                                      struct comb_workspaces_page *ret_page, struct comb_error *err)
{
    struct comb_workspaces_store *store = workspaces->parts.store;
    struct walk walk = {.workspaces = workspaces, .after = after, .max = max, .more = true};
    walk.views = grpcc_arena_calloc(ctx->arena, max, sizeof *walk.views);
    if (!walk.views)
        return comb_error_no_memory(err);
    enum comb_status status = comb_facts_sync_wait(workspaces->parts.facts, ctx, err);
    if (status == COMB_OK)
        status = read_own(&walk, ctx, err);
    while (status == COMB_OK && walk.more && walk.n_views < max &&
           walk.examined < COMB_PAGE_EXAMINED_MAX) {
        const struct comb_workspace *rows;
        size_t n_rows = 0;
        status = store->driver->list(store, ctx, walk.after, LIST_ROWS, &rows, &n_rows, err);
        if (status == COMB_OK)
            status = walk_rows(&walk, ctx, rows, n_rows, err);
    }
    if (status == COMB_OK)
        *ret_page = (struct comb_workspaces_page){
            .views = walk.views, .n = walk.n_views, .next = walk.more ? walk.after : STR("")};
    return status;
}

enum comb_status comb_workspaces_readable(void *workspaces, struct comb_ctx *ctx, comb_str after,
                                          size_t max,
                                          const struct comb_workspace_fact **ret_workspaces,
                                          size_t *ret_n, struct comb_error *err)
{
    struct comb_workspace_fact *facts = grpcc_arena_calloc(ctx->arena, max, sizeof *facts);
    struct comb_workspaces_page page = {.next = after};
    size_t n = 0;
    if (!facts)
        return comb_error_no_memory(err);
    /* Pages may be short where much is hidden; the tree's may not. */
    do {
        enum comb_status status =
            comb_workspaces_list(workspaces, ctx, page.next, max - n, &page, err);
        if (status != COMB_OK)
            return status;
        for (size_t i = 0; i < page.n; i++) {
            const struct comb_workspace *workspace = &page.views[i].workspace;
            facts[n++] = (struct comb_workspace_fact){.id = workspace->id,
                                                      .owner = workspace->owner,
                                                      .bin = workspace->bin,
                                                      .slug = workspace->slug,
                                                      .kind = workspace->kind,
                                                      .roots = workspace->roots,
                                                      .n_roots = workspace->n_roots};
        }
    } while (n < max && page.next.len > 0);
    *ret_workspaces = facts;
    *ret_n = n;
    return COMB_OK;
}

/* ---- create ---- */

static enum comb_status slug_taken(comb_str slug, struct comb_error *err)
{
    return comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_SLUG_TAKEN, "slug",
                                  "there is a workspace %.*s already", COMB_STR_ARG(slug));
}

/* The workspace that a mutation named by its id. */
static enum comb_status view_of_outcome(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                        const struct comb_outcome *outcome,
                                        struct comb_workspace_view *ret_view,
                                        struct comb_error *err)
{
    struct comb_workspaces_store *store = workspaces->parts.store;
    struct comb_workspace workspace;
    struct comb_uuid id;
    if (outcome->bytes.len != sizeof id.bytes)
        return comb_error_set(err, COMB_INTERNAL, 0, "an outcome is no id");
    memcpy(id.bytes, outcome->bytes.ptr, sizeof id.bytes);
    enum comb_status status = store->driver->get(store, ctx, &id, STR(""), &workspace, err);
    if (status == COMB_OK)
        status = view_of(workspaces, ctx, &workspace, ret_view, err);
    return status;
}

/* One call, over all attempts to write it. */
struct creation {
    struct comb_workspaces *workspaces;
    const struct comb_workspaces_new_workspace *input;
};

static enum comb_status on_constraint(void *data, size_t statement, struct comb_error *err)
{
    const struct creation *creation = data;
    (void)statement; /* only the slug is anybody's choice; all else is new ids */
    return slug_taken(creation->input->slug, err);
}

static enum comb_status plan_administrator(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                           struct comb_plan *plan, struct comb_error *err)
{
    struct comb_subjects caller;
    enum comb_status status =
        comb_facts_subjects_wait(workspaces->parts.facts, ctx, &ctx->principal->user, &caller, err);
    if (status != COMB_OK)
        return status;
    if (!caller.exists || caller.disabled || !caller.administrator || ctx->principal->n_scopes > 0)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "only administrators may do this, with a token without scopes");
    const struct comb_decision decision = {.user = caller.user,
                                           .roles_revision = caller.roles_revision};
    return comb_tree_plan_decision(ctx, plan, &decision, err);
}

/* The owner may read and write; everybody what the defaults say. */
static enum comb_status plan_entries(struct creation *creation, struct comb_ctx *ctx,
                                     struct comb_plan *plan, const struct comb_workspace *workspace,
                                     struct comb_error *err)
{
    struct comb_permissions_store *permissions = creation->workspaces->parts.permissions;
    struct comb_entry entry = {.node = workspace->roots[0],
                               .role = workspace->owner,
                               .granted_by = ctx->principal->user,
                               .rights = COMB_V1_RIGHTS_READ_WRITE,
                               .create_us = plan->now_us};
    enum comb_status status =
        comb_permissions_store_plan_insert(permissions, ctx, plan, &entry, err);
    if (status != COMB_OK || creation->input->default_rights == COMB_V1_RIGHTS_UNSPECIFIED)
        return status;
    entry.role = comb_role_everybody;
    entry.rights = creation->input->default_rights;
    return comb_permissions_store_plan_insert(permissions, ctx, plan, &entry, err);
}

static enum comb_status plan_workspace(struct creation *creation, struct comb_ctx *ctx,
                                       struct comb_plan *plan, struct comb_workspace *workspace,
                                       struct comb_error *err)
{
    const struct comb_workspaces_parts *parts = &creation->workspaces->parts;
    struct comb_uuid *root = grpcc_arena_zalloc(ctx->arena, sizeof *root);
    void *id = grpcc_arena_memdup(ctx->arena, workspace->id.bytes, sizeof workspace->id.bytes);
    if (!root || !id)
        return comb_error_no_memory(err);
    enum comb_status status = comb_tree_plan_create_root(parts->tree, ctx, plan, &workspace->id,
                                                         root, &workspace->bin, err);
    workspace->roots = root;
    workspace->n_roots = 1;
    if (status == COMB_OK)
        status = parts->store->driver->plan_insert(parts->store, ctx, plan, workspace, err);
    if (status == COMB_OK)
        status = plan_entries(creation, ctx, plan, workspace, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_WORKSPACE, &workspace->id, 1, err);
    plan->outcome = comb_str_of(id, sizeof workspace->id.bytes);
    return status;
}

static enum comb_status create_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct creation *creation = data;
    const struct comb_workspaces_new_workspace *input = creation->input;
    struct comb_workspace workspace = {.id = comb_uuid_new(),
                                       .slug = input->slug,
                                       .label = input->label.len > 0 ? input->label : input->slug,
                                       .description = input->description,
                                       .kind = COMB_V1_WORKSPACE_KIND_SHARED,
                                       .owner = ctx->principal->user,
                                       .create_us = plan->now_us};
    plan->kind = COMB_SQL_WRITE_LOCKED;
    plan->lock = COMB_LOCK_RIGHTS;
    plan->on_constraint = on_constraint;
    enum comb_status status = plan_administrator(creation->workspaces, ctx, plan, err);
    if (status == COMB_OK && input->owner.len > 0)
        status = comb_identity_find_user(creation->workspaces->parts.identity, ctx, input->owner,
                                         &workspace.owner, err);
    if (status == COMB_OK)
        status = plan_workspace(creation, ctx, plan, &workspace, err);
    return status;
}

static enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct creation *creation = data;
    return comb_tree_decide(creation->workspaces->parts.tree, create_once, data, ctx, plan, err);
}

enum comb_status comb_workspaces_create(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_workspaces_new_workspace *new_workspace,
                                        struct comb_workspace_view *ret_view,
                                        struct comb_error *err)
{
    struct creation creation = {.workspaces = workspaces, .input = new_workspace};
    struct comb_outcome outcome;
    enum comb_status status = check_input(new_workspace, err);
    if (status == COMB_OK)
        status = comb_mutation_run(workspaces->parts.mutations, ctx, key, create_decide, &creation,
                                   &outcome, err);
    if (status == COMB_OK)
        status = view_of_outcome(workspaces, ctx, &outcome, ret_view, err);
    return status;
}

/* ---- update ---- */

void comb_workspaces_etag(uint64_t revision, char ret_etag[COMB_WORKSPACES_ETAG_SIZE])
{
    snprintf(ret_etag, COMB_WORKSPACES_ETAG_SIZE, "r%llu", (unsigned long long)revision);
}

/* One call, over all attempts to write it. */
struct update {
    struct comb_workspaces *workspaces;
    const struct comb_workspaces_changes *changes;
    comb_str id_or_slug, expected_etag;
};

static enum comb_status check_changes(const struct comb_workspaces_changes *changes,
                                      struct comb_error *err)
{
    if (changes->fields == 0)
        return comb_error_field(err, "update_mask", "names nothing to change");
    enum comb_status status =
        changes->fields & COMB_WORKSPACES_SLUG ? check_slug(changes->slug, err) : COMB_OK;
    return status == COMB_OK ? check_texts(changes->label, changes->description, err) : status;
}

static enum comb_status apply(const struct update *update, struct comb_workspace *workspace,
                              struct comb_error *err)
{
    const struct comb_workspaces_changes *changes = update->changes;
    char etag[COMB_WORKSPACES_ETAG_SIZE];
    comb_workspaces_etag(workspace->revision, etag);
    if (update->expected_etag.len > 0 &&
        !comb_str_equal(update->expected_etag, comb_str_from(etag)))
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_ETAG_MISMATCH, "expected_etag",
                                      "the workspace has changed, its etag is %s", etag);
    if (changes->fields & COMB_WORKSPACES_SLUG) {
        if (workspace->kind == COMB_V1_WORKSPACE_KIND_PERSONAL)
            return comb_error_field(err, "slug", "a personal workspace keeps its own");
        workspace->slug = changes->slug;
    }
    if (changes->fields & COMB_WORKSPACES_LABEL)
        workspace->label = changes->label.len > 0 ? changes->label : workspace->slug;
    if (changes->fields & COMB_WORKSPACES_DESCRIPTION)
        workspace->description = changes->description;
    return COMB_OK;
}

static enum comb_status on_update_constraint(void *data, size_t statement, struct comb_error *err)
{
    const struct update *update = data;
    (void)statement; /* only the slug is unique */
    return slug_taken(update->changes->slug, err);
}

static enum comb_status update_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    const struct update *update = data;
    struct comb_workspaces_store *store = update->workspaces->parts.store;
    struct comb_workspace workspace;
    plan->kind = COMB_SQL_WRITE;
    plan->on_constraint = on_update_constraint;
    enum comb_status status = plan_administrator(update->workspaces, ctx, plan, err);
    if (status == COMB_OK)
        status = read_workspace(update->workspaces, ctx, update->id_or_slug, &workspace, err);
    if (status == COMB_OK)
        status = apply(update, &workspace, err);
    if (status == COMB_OK)
        status = store->driver->plan_update(store, ctx, plan, &workspace, workspace.revision, err);
    if (status == COMB_OK)
        status =
            comb_plan_tell(plan, COMB_FEED_WORKSPACE, &workspace.id, workspace.revision + 1, err);
    if (status != COMB_OK)
        return status;
    plan->outcome =
        comb_str_of(grpcc_arena_memdup(ctx->arena, workspace.id.bytes, sizeof workspace.id.bytes),
                    sizeof workspace.id.bytes);
    return plan->outcome.ptr ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status update_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct update *update = data;
    return comb_tree_decide(update->workspaces->parts.tree, update_once, data, ctx, plan, err);
}

enum comb_status comb_workspaces_update(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                        const struct comb_request_key *key, comb_str id_or_slug,
                                        comb_str expected_etag,
                                        const struct comb_workspaces_changes *changes,
                                        struct comb_workspace_view *ret_view,
                                        struct comb_error *err)
{
    struct update update = {.workspaces = workspaces,
                            .changes = changes,
                            .id_or_slug = id_or_slug,
                            .expected_etag = expected_etag};
    struct comb_outcome outcome;
    enum comb_status status = check_changes(changes, err);
    if (status == COMB_OK)
        status = comb_mutation_run(workspaces->parts.mutations, ctx, key, update_decide, &update,
                                   &outcome, err);
    if (status == COMB_OK)
        status = view_of_outcome(workspaces, ctx, &outcome, ret_view, err);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/access.h"

#include <pthread.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/permissions/reference.h"

/* Places that a deleted node is followed through: its own folder may be deleted by now, and that
 * one's too. Behind the last one nothing is found, which refuses. */
#define PLACES_MAX 8

struct comb_access {
    struct comb_facts *facts;
};

/* One reference on its way. Lives in the arena of its call. */
struct resolving {
    struct comb_access *access;
    struct comb_ctx *ctx;
    struct comb_access_options options;
    struct comb_reference reference;
    struct comb_facts_question question;
    struct comb_facts_answer answer;
    const char *path; /* as the caller gave it, if absolute */
    /* Where the node was before it was deleted, and so on. */
    struct comb_fact_chain places[PLACES_MAX];
    size_t n_places;
    struct comb_access_node *ret_node;
    comb_facts_done done;
    void *data;
};

/* -------------------------------------------------------------------------------- the question */

static enum comb_status ask(struct resolving *resolving, const struct comb_v1_node_ref *ref,
                            struct comb_error *err)
{
    struct comb_ctx *ctx = resolving->ctx;
    struct comb_reference *reference = &resolving->reference;
    if (ctx->principal == NULL) {
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_MISSING,
                              "log in first");
    }
    enum comb_status status =
        comb_reference_parse(ctx->arena, ref, resolving->options.field, reference, err);
    if (status != COMB_OK) {
        return status;
    }
    if (comb_uuid_is_nil(&reference->id)) {
        resolving->path = ref->path;
    }
    resolving->question = (struct comb_facts_question){
        .user = &ctx->principal->user,
        .slug = reference->slug,
        .start = comb_uuid_is_nil(&reference->id) ? NULL : &reference->id,
        .parts = reference->parts,
        .n_parts = reference->n_parts,
        .presume_free = resolving->options.presume_missing,
    };
    return COMB_OK;
}

/* The deleted node at the top of a chain that ends in a bin, if it says where it was. */
static const struct comb_node *deleted_top(const struct comb_fact_chain *chain)
{
    if (!chain->recycled || chain->n_links < 2) {
        return NULL;
    }
    const struct comb_node *top = chain->links[chain->n_links - 2].node;
    return comb_uuid_is_nil(&top->trash_parent) ? NULL : top;
}

/* In a bin the place from which the node was deleted decides: the next one to be looked up. NULL:
 * all are known. */
static const struct comb_uuid *next_place(struct resolving *resolving)
{
    if (!resolving->options.allow_recycled || resolving->n_places == PLACES_MAX) {
        return NULL;
    }
    const struct comb_fact_chain *last = resolving->n_places == 0
                                             ? &resolving->answer.chain
                                             : &resolving->places[resolving->n_places - 1];
    const struct comb_node *top = deleted_top(last);
    return top == NULL ? NULL : &top->trash_parent;
}

/* ---------------------------------------------------------------------------------- the answer */

/* The links by which rights are judged: those of each place up to what was deleted there. */
static bool gather_judged(struct resolving *resolving, struct comb_access_node *node)
{
    const struct comb_fact_chain *chain = &resolving->answer.chain;
    node->judged = chain->links;
    node->n_judged = chain->n_links;
    if (!chain->recycled) {
        return true;
    }
    size_t room = chain->n_links;
    for (size_t i = 0; i < resolving->n_places; i++) {
        room += resolving->places[i].n_links;
    }
    struct comb_fact_link *links = grpcc_arena_calloc(resolving->ctx->arena, room, sizeof *links);
    if (links == NULL) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i <= resolving->n_places; i++) {
        const struct comb_fact_chain *place = i == 0 ? chain : &resolving->places[i - 1];
        for (size_t l = 0; l < place->n_links; l++) {
            bool is_bin = place->recycled && l + 1 == place->n_links;
            if (!is_bin) {
                links[n++] = place->links[l];
            }
        }
    }
    node->judged = links;
    node->n_judged = n;
    return true;
}

static size_t add_links(struct comb_chain_link *links, size_t n,
                        const struct comb_fact_chain *chain)
{
    for (size_t i = 0; i < chain->n_links; i++) {
        const struct comb_node *node = chain->links[i].node;
        links[n++] = (struct comb_chain_link){
            .id = node->id, .parent = node->parent, .acl_revision = node->acl_revision};
    }
    return n;
}

/* What the decision rested on, for the guard. */
static bool gather_decision(struct resolving *resolving, struct comb_access_node *node)
{
    size_t room = resolving->answer.chain.n_links;
    for (size_t i = 0; i < resolving->n_places; i++) {
        room += resolving->places[i].n_links;
    }
    struct comb_chain_link *links = grpcc_arena_calloc(resolving->ctx->arena, room, sizeof *links);
    if (links == NULL) {
        return false;
    }
    size_t n = add_links(links, 0, &resolving->answer.chain);
    for (size_t i = 0; i < resolving->n_places; i++) {
        n = add_links(links, n, &resolving->places[i]);
    }
    node->decision = (struct comb_decision){
        .links = links,
        .n_links = n,
        .user = node->subjects.user,
        .roles_revision = node->subjects.roles_revision,
    };
    return true;
}

static struct comb_verdict judge_scoped(const struct comb_subjects *subjects,
                                        const struct comb_fact_link *links, size_t n_links,
                                        const struct comb_scope *scopes, size_t n_scopes)
{
    if (!subjects->exists || subjects->disabled) {
        return (struct comb_verdict){.why = COMB_RULE_NOTHING_FOUND};
    }
    if (!subjects->administrator) {
        return comb_rule_evaluate(links, n_links, subjects->roles, subjects->n_roles, scopes,
                                  n_scopes, comb_clock_wall_us());
    }
    int rights = comb_rule_scope_rights(links, n_links, scopes, n_scopes);
    return (struct comb_verdict){
        .rights = rights,
        .why = rights == COMB_V1_RIGHTS_READ_WRITE ? COMB_RULE_ADMINISTRATOR : COMB_RULE_SCOPE,
    };
}

struct comb_verdict comb_access_verdict(const struct comb_subjects *subjects,
                                        const struct comb_fact_link *links, size_t n_links)
{
    return judge_scoped(subjects, links, n_links, NULL, 0);
}

/* The caller's. */
static struct comb_verdict judge(const struct comb_ctx *ctx, const struct comb_subjects *subjects,
                                 const struct comb_fact_link *links, size_t n_links)
{
    return judge_scoped(subjects, links, n_links, ctx->principal->scopes, ctx->principal->n_scopes);
}

static bool would_manage(const struct comb_subjects *subjects,
                         const struct comb_workspace_fact *workspace)
{
    return subjects->administrator || (!comb_uuid_is_nil(&workspace->id) &&
                                       comb_uuid_equal(&workspace->owner, &subjects->user));
}

static enum comb_status no_such_node(const struct resolving *resolving, struct comb_error *err)
{
    return comb_error_set_subject(
        err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND, resolving->options.field,
        "%s: there is no such node, or you may not read it", resolving->options.field);
}

static const char *need_text(enum comb_v1_need need)
{
    switch (need) {
    case COMB_V1_NEED_WRITE:
        return "write on it";
    case COMB_V1_NEED_MANAGE:
        return "to own its workspace, or to be an administrator";
    default:
        return "read on it";
    }
}

/* Whether the rights are enough, and if not, how much the caller may know. */
static enum comb_status permit(const struct resolving *resolving, struct comb_access_node *node,
                               struct comb_error *err)
{
    enum comb_v1_need need = resolving->options.need;
    bool allowed = need == COMB_V1_NEED_MANAGE  ? node->manages
                   : need == COMB_V1_NEED_WRITE ? (node->rights & COMB_V1_RIGHTS_WRITE) != 0
                   : need == COMB_V1_NEED_READ  ? (node->rights & COMB_V1_RIGHTS_READ) != 0
                                                : node->rights != 0 || node->manages;
    if (allowed) {
        resolving->ctx->authorised |= 1u << need;
        return COMB_OK;
    }
    if ((node->rights & COMB_V1_RIGHTS_READ) == 0 && !node->manages) {
        resolving->ctx->hidden = true;
        return no_such_node(resolving, err);
    }
    bool scope =
        node->verdict.why == COMB_RULE_SCOPE ||
        (need == COMB_V1_NEED_MANAGE && would_manage(&node->subjects, &node->chain.workspace));
    if (scope) {
        return comb_error_set_subject(err, COMB_PERMISSION_DENIED,
                                      COMB_V1_ERROR_REASON_SCOPE_EXCEEDED, resolving->options.field,
                                      "%s: the token's scopes do not give %s",
                                      resolving->options.field, need_text(need));
    }
    return comb_error_set_subject(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_RIGHT_MISSING,
                                  resolving->options.field, "%s: you need %s",
                                  resolving->options.field, need_text(need));
}

static enum comb_status decide_top(struct resolving *resolving, struct comb_error *err)
{
    const struct comb_access_options *options = &resolving->options;
    if (!options->allow_top) {
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_PATH_INVALID,
                                      options->field,
                                      "%s: \"/\" is the list of workspaces, not a folder; begin "
                                      "with a workspace's slug or \"/personal\"",
                                      options->field);
    }
    struct comb_access_node node = {
        .rights = COMB_V1_RIGHTS_READ, .path = "/", .subjects = resolving->answer.subjects};
    enum comb_status status = permit(resolving, &node, err);
    if (status == COMB_OK) {
        *resolving->ret_node = node;
    }
    return status;
}

/* What of the path does not exist, as views of it. */
static void name_missing(const struct resolving *resolving, struct comb_access_node *node)
{
    const struct comb_reference *reference = &resolving->reference;
    comb_str first = reference->parts[node->chain.n_resolved];
    comb_str last = reference->parts[reference->n_parts - 1];
    node->missing[0] = comb_str_of(first.ptr, (size_t)(last.ptr + last.len - first.ptr));
    node->missing[1] = last;
}

/* The node itself, once all facts are there. */
static enum comb_status decide(struct resolving *resolving, struct comb_error *err)
{
    const struct comb_access_options *options = &resolving->options;
    const struct comb_fact_chain *chain = &resolving->answer.chain;
    const struct comb_subjects *subjects = &resolving->answer.subjects;
    if (!subjects->exists || subjects->disabled) {
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the user of this token is disabled or gone");
    }
    if (resolving->reference.top) {
        return decide_top(resolving, err);
    }
    bool bin_itself = chain->recycled && chain->n_links == 1;
    if (chain->n_links == 0 || bin_itself || (chain->recycled && !options->allow_recycled) ||
        (!chain->found && !options->allow_missing)) {
        return no_such_node(resolving, err);
    }
    struct comb_access_node node = {
        .chain = *chain, .subjects = *subjects, .path = resolving->path};
    if (!gather_judged(resolving, &node) || !gather_decision(resolving, &node)) {
        return comb_error_no_memory(err);
    }
    node.verdict = judge(resolving->ctx, subjects, node.judged, node.n_judged);
    node.rights = node.verdict.rights;
    node.manages =
        resolving->ctx->principal->n_scopes == 0 && would_manage(subjects, &chain->workspace);
    if (chain->found) {
        node.node = chain->links[0].node;
    } else {
        name_missing(resolving, &node);
    }
    enum comb_status status = permit(resolving, &node, err);
    if (status == COMB_OK) {
        *resolving->ret_node = node;
    }
    return status;
}

/* --------------------------------------------------------------------------------- the two forms
 */

enum comb_status comb_access_resolve(struct comb_access *access, struct comb_ctx *ctx,
                                     const struct comb_v1_node_ref *ref,
                                     const struct comb_access_options *options,
                                     struct comb_access_node *ret_node, struct comb_error *err)
{
    struct resolving resolving = {
        .access = access, .ctx = ctx, .options = *options, .ret_node = ret_node};
    enum comb_status status = ask(&resolving, ref, err);
    if (status == COMB_OK) {
        status = comb_facts_resolve_wait(access->facts, ctx, &resolving.question, &resolving.answer,
                                         err);
    }
    const struct comb_uuid *place;
    while (status == COMB_OK && (place = next_place(&resolving)) != NULL) {
        status = comb_facts_chain_wait(access->facts, ctx, place,
                                       &resolving.places[resolving.n_places++], err);
    }
    return status == COMB_OK ? decide(&resolving, err) : status;
}

static void resolve_go_on(void *data, enum comb_status status, const struct comb_error *err)
{
    struct resolving *resolving = data;
    const struct comb_uuid *place = status == COMB_OK ? next_place(resolving) : NULL;
    if (place != NULL) {
        comb_facts_chain(resolving->access->facts, resolving->ctx, place,
                         &resolving->places[resolving->n_places++], resolve_go_on, resolving);
        return;
    }
    struct comb_error refused;
    if (status == COMB_OK) {
        status = decide(resolving, &refused);
        err = status == COMB_OK ? NULL : &refused;
    }
    resolving->done(resolving->data, status, err);
}

void comb_access_resolve_start(struct comb_access *access, struct comb_ctx *ctx,
                               const struct comb_v1_node_ref *ref,
                               const struct comb_access_options *options,
                               struct comb_access_node *ret_node, comb_facts_done done, void *data)
{
    struct comb_error err;
    struct resolving *resolving = grpcc_arena_zalloc(ctx->arena, sizeof *resolving);
    if (resolving == NULL) {
        done(data, comb_error_no_memory(&err), &err);
        return;
    }
    resolving->access = access;
    resolving->ctx = ctx;
    resolving->options = *options;
    resolving->ret_node = ret_node;
    resolving->done = done;
    resolving->data = data;
    enum comb_status status = ask(resolving, ref, &err);
    if (status != COMB_OK) {
        done(data, status, &err);
        return;
    }
    comb_facts_resolve(access->facts, ctx, &resolving->question, &resolving->answer, resolve_go_on,
                       resolving);
}

/* -------------------------------------------------------------------------------------- the rest
 */

int comb_access_link_rights(struct comb_ctx *ctx, const struct comb_access_node *node, size_t link)
{
    return judge(ctx, &node->subjects, node->judged + link, node->n_judged - link).rights;
}

int comb_access_child_rights(struct comb_access *access, struct comb_ctx *ctx,
                             const struct comb_access_node *folder, const struct comb_node *child,
                             const struct comb_entry *entries, size_t n_entries)
{
    (void)access;
    bool scoped = ctx->principal->n_scopes > 0; /* a scope may begin at the child */
    if (n_entries == 0 && !scoped && folder->chain.n_links > 0) {
        return folder->rights;
    }
    struct comb_fact_link *links =
        grpcc_arena_calloc(ctx->arena, folder->n_judged + 1, sizeof *links);
    if (links == NULL) {
        return 0;
    }
    links[0] = (struct comb_fact_link){.node = child, .entries = entries, .n_entries = n_entries};
    if (folder->n_judged > 0) {
        memcpy(links + 1, folder->judged, folder->n_judged * sizeof *links);
    }
    return judge(ctx, &folder->subjects, links, folder->n_judged + 1).rights;
}

/* Rights on the node of an answer; 0: it does not exist, or is in a bin. */
static int answered_rights(const struct comb_ctx *ctx, const struct comb_facts_answer *answer)
{
    const struct comb_fact_chain *chain = &answer->chain;
    bool visible = chain->found && !chain->recycled;
    return visible ? judge(ctx, &answer->subjects, chain->links, chain->n_links).rights : 0;
}

enum comb_status comb_access_rights(struct comb_access *access, struct comb_ctx *ctx,
                                    const struct comb_uuid *id, int *ret_rights,
                                    struct comb_fact_chain *ret_chain, struct comb_error *err)
{
    struct comb_facts_question question = {.user = &ctx->principal->user, .start = id};
    struct comb_facts_answer answer;
    enum comb_status status = comb_facts_resolve_wait(access->facts, ctx, &question, &answer, err);
    if (status != COMB_OK) {
        return status;
    }
    *ret_rights = answered_rights(ctx, &answer);
    *ret_chain = answer.chain;
    return COMB_OK;
}

/* Questions that are asked at once. Each has an arena of its own: answers come on any thread. */
#define ASKED_MAX 32

struct asked {
    struct asked_all *all;
    struct comb_ctx ctx;
    struct comb_facts_question question;
    struct comb_facts_answer answer;
    enum comb_status status;
    struct comb_error err;
};

struct asked_all {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    size_t pending;
    struct asked asked[ASKED_MAX];
};

static void asked_arrived(void *data, enum comb_status status, const struct comb_error *err)
{
    struct asked *asked = data;
    struct asked_all *all = asked->all;
    asked->status = status;
    if (status != COMB_OK)
        asked->err = *err;
    pthread_mutex_lock(&all->lock);
    if (--all->pending == 0)
        pthread_cond_signal(&all->arrived);
    pthread_mutex_unlock(&all->lock);
}

/* Asks for the chains of n nodes and waits for all of them: the store answers on deadline too. */
static void ask_all(struct comb_access *access, const struct comb_ctx *ctx,
                    const struct comb_uuid *ids, size_t n, struct asked_all *all)
{
    all->pending = n;
    for (size_t i = 0; i < n; i++) {
        struct asked *asked = &all->asked[i];
        struct grpcc_arena *arena = asked->ctx.arena;
        grpcc_arena_reset(arena);
        asked->ctx = *ctx;
        asked->ctx.arena = arena;
        asked->question =
            (struct comb_facts_question){.user = &ctx->principal->user, .start = &ids[i]};
        comb_facts_resolve(access->facts, &asked->ctx, &asked->question, &asked->answer,
                           asked_arrived, asked);
    }
    pthread_mutex_lock(&all->lock);
    while (all->pending > 0)
        pthread_cond_wait(&all->arrived, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

static enum comb_status hand_out(struct comb_ctx *ctx, struct asked *asked, size_t i,
                                 comb_access_each each, void *data, struct comb_error *err)
{
    if (asked->status != COMB_OK) {
        if (err)
            *err = asked->err;
        return asked->status;
    }
    comb_ctx_reach(ctx, asked->ctx.reached);
    return each(data, i, answered_rights(ctx, &asked->answer), &asked->answer.chain, err);
}

static enum comb_status each_of(struct comb_access *access, struct comb_ctx *ctx,
                                const struct comb_uuid *ids, size_t n, struct asked_all *all,
                                comb_access_each each, void *data, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t begin = 0; begin < n && status == COMB_OK; begin += ASKED_MAX) {
        size_t m = n - begin < ASKED_MAX ? n - begin : ASKED_MAX;
        ask_all(access, ctx, ids + begin, m, all);
        for (size_t i = 0; i < m && status == COMB_OK; i++)
            status = hand_out(ctx, &all->asked[i], begin + i, each, data, err);
    }
    return status;
}

enum comb_status comb_access_rights_each(struct comb_access *access, struct comb_ctx *ctx,
                                         const struct comb_uuid *ids, size_t n,
                                         comb_access_each each, void *data, struct comb_error *err)
{
    struct asked_all *all = grpcc_arena_zalloc(ctx->arena, sizeof *all);
    size_t made = 0;
    if (all == NULL)
        return comb_error_no_memory(err);
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->arrived, NULL);
    while (made < n && made < ASKED_MAX) {
        all->asked[made].all = all;
        all->asked[made].ctx.arena = grpcc_arena_new(0);
        if (all->asked[made].ctx.arena == NULL)
            break;
        made++;
    }
    enum comb_status status = made == n || made == ASKED_MAX
                                  ? each_of(access, ctx, ids, n, all, each, data, err)
                                  : comb_error_no_memory(err);
    for (size_t i = 0; i < made; i++)
        grpcc_arena_free(all->asked[i].ctx.arena);
    pthread_cond_destroy(&all->arrived);
    pthread_mutex_destroy(&all->lock);
    return status;
}

enum comb_status comb_access_path(struct comb_ctx *ctx, const struct comb_fact_chain *chain,
                                  const char **ret_path, struct comb_error *err)
{
    const struct comb_workspace_fact *workspace = &chain->workspace;
    comb_str first = workspace->slug;
    if (workspace->kind == COMB_V1_WORKSPACE_KIND_PERSONAL && ctx->principal != NULL &&
        comb_uuid_equal(&workspace->owner, &ctx->principal->user)) {
        first = STR("personal");
    }
    size_t len = 1 + first.len;
    for (size_t i = 0; i + 1 < chain->n_links; i++) {
        len += 1 + chain->links[i].node->name.len;
    }
    bool has_path = chain->n_links > 0 && !chain->recycled;
    char *path = grpcc_arena_zalloc(ctx->arena, len + 1);
    if (path == NULL) {
        return comb_error_no_memory(err);
    }
    char *at = path;
    for (size_t i = chain->n_links; has_path && i > 0; i--) { /* the root has the slug for a name */
        comb_str part = i == chain->n_links ? first : chain->links[i - 1].node->name;
        *at++ = '/';
        memcpy(at, part.ptr, part.len);
        at += part.len;
    }
    *ret_path = path;
    return COMB_OK;
}

enum comb_status comb_access_new(struct comb_facts *facts, struct comb_access **ret_access,
                                 struct comb_error *err)
{
    struct comb_access *access = comb_memory_zalloc(sizeof *access);
    if (access == NULL) {
        return comb_error_no_memory(err);
    }
    access->facts = facts;
    *ret_access = access;
    return COMB_OK;
}

void comb_access_free(struct comb_access *access)
{
    comb_memory_free(access);
}

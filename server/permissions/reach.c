/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/reach.h"

#include <stdlib.h>
#include <string.h>

#include "comb/v1/node.grpcc.h"
#include "server/core/clock.h"

struct finding {
    const struct comb_reach_parts *parts;
    struct comb_ctx *ctx;
    struct comb_reach reach;
};

static int compare_falling(const void *a, const void *b)
{
    return memcmp(b, a, sizeof(struct comb_uuid));
}

/* All that lies at or below these, where it is few. */
static enum comb_status look_below(struct finding *finding, const struct comb_uuid *ids, size_t n,
                                   struct comb_error *err)
{
    struct comb_tree_store *tree = finding->parts->tree;
    const struct comb_uuid *below = NULL;
    size_t n_below = 0;
    enum comb_status status = COMB_OK;
    if (n > 0)
        status = tree->driver->below(tree, finding->ctx, ids, n, COMB_REACH_MAX + 1, &below,
                                     &n_below, err);
    if (status != COMB_OK || n_below > COMB_REACH_MAX)
        return status;
    struct comb_uuid *sorted =
        grpcc_arena_memdup(finding->ctx->arena, below, n_below * sizeof *below);
    if (!sorted)
        return comb_error_no_memory(err);
    qsort(sorted, n_below, sizeof *sorted, compare_falling);
    finding->reach = (struct comb_reach){.are_few = true, .ids = sorted, .n = n_below};
    return COMB_OK;
}

/* What the scopes of a token leave, which says nothing where one of them reaches everywhere. */
static enum comb_status look_in_scopes(struct finding *finding, struct comb_error *err)
{
    const struct comb_principal *principal = finding->ctx->principal;
    struct comb_uuid *nodes =
        grpcc_arena_calloc(finding->ctx->arena, principal->n_scopes, sizeof *nodes);
    size_t n = 0;
    if (!nodes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < principal->n_scopes; i++) {
        const struct comb_scope *scope = &principal->scopes[i];
        if (!(scope->rights & COMB_V1_RIGHTS_READ))
            continue;
        if (comb_uuid_is_nil(&scope->node))
            return COMB_OK;
        nodes[n++] = scope->node;
    }
    return look_below(finding, nodes, n, err);
}

/* What entries of the caller's roles lie above. */
static enum comb_status look_at_entries(struct finding *finding, struct comb_error *err)
{
    const struct comb_reach_parts *parts = finding->parts;
    struct comb_subjects subjects;
    const struct comb_uuid *nodes = NULL;
    size_t n = 0;
    enum comb_status status = comb_facts_subjects_wait(
        parts->facts, finding->ctx, &finding->ctx->principal->user, &subjects, err);
    if (status != COMB_OK || subjects.administrator ||
        subjects.n_roles > COMB_PERMISSIONS_ROLES_MAX)
        return status;
    if (subjects.n_roles > 0)
        status = parts->store->driver->readable(parts->store, finding->ctx, subjects.roles,
                                                subjects.n_roles, comb_clock_wall_us(),
                                                COMB_REACH_ENTRIES_MAX + 1, &nodes, &n, err);
    if (status != COMB_OK || n > COMB_REACH_ENTRIES_MAX)
        return status;
    return look_below(finding, nodes, n, err);
}

enum comb_status comb_reach_find(const struct comb_reach_parts *parts, struct comb_ctx *ctx,
                                 const struct comb_reach_question *question,
                                 struct comb_reach *ret_reach, struct comb_error *err)
{
    struct finding finding = {.parts = parts, .ctx = ctx};
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < question->n_within && status == COMB_OK && !finding.reach.are_few; i++)
        status = look_below(&finding, &question->within[i], 1, err);
    if (status == COMB_OK && !finding.reach.are_few && ctx->principal->n_scopes > 0)
        status = look_in_scopes(&finding, err);
    if (status == COMB_OK && !finding.reach.are_few)
        status = look_at_entries(&finding, err);
    if (status == COMB_OK)
        *ret_reach = finding.reach;
    return status;
}

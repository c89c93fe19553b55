/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/compose.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"
#include "server/mutation/audit.h"

enum { ID_SIZE = sizeof(struct comb_uuid), LINK_SIZE = 2 * ID_SIZE };
/* A revision in JSON, with its comma. */
enum { REVISION_TEXT_MAX = 21 };
/* Links of all decisions of a plan: a few chains. */
enum { LINKS_MAX = 16 * (COMB_PATH_DEPTH_MAX + 2) };
/* Users whose roles one plan rests on. */
enum { USERS_MAX = 256 };

const struct comb_uuid *comb_request_principal(const struct comb_ctx *ctx)
{
    static const struct comb_uuid nobody;
    return ctx->principal ? &ctx->principal->user : &nobody;
}

static bool add(struct comb_composed *to, struct comb_ctx *ctx, const char *text,
                const struct comb_sql_value *params, size_t n_params, bool guard)
{
    assert(to->n < COMB_SQL_STATEMENTS_MAX);
    struct comb_sql_value *copy =
        grpcc_arena_memdup(ctx->arena, params, n_params * sizeof(*params));
    to->statements[to->n++] = (struct comb_sql_statement){text, copy, n_params, guard};
    return copy != NULL;
}

/* Ids one behind the other and revisions as JSON, while they are collected. */
struct packer {
    uint8_t *ids;
    size_t ids_len;
    char *json;
    size_t json_len;
    size_t n;
};

static bool packer_init(struct packer *packer, struct grpcc_arena *arena, size_t n, size_t id_size)
{
    *packer = (struct packer){
        .ids = grpcc_arena_alloc(arena, n * id_size),
        .json = grpcc_arena_alloc(arena, n * REVISION_TEXT_MAX + sizeof "[]"),
    };
    return packer->ids && packer->json;
}

static void packer_add(struct packer *packer, const void *id, size_t id_size, uint64_t revision)
{
    memcpy(packer->ids + packer->ids_len, id, id_size);
    packer->ids_len += id_size;
    int len = snprintf(packer->json + packer->json_len, REVISION_TEXT_MAX + 1, "%c%llu",
                       packer->n++ ? ',' : '[', (unsigned long long)revision);
    packer->json_len += (size_t)len;
}

static bool packer_finish(struct packer *packer, struct comb_composed *to, struct comb_ctx *ctx,
                          const char *text)
{
    packer->json[packer->json_len++] = ']';
    const struct comb_sql_value params[] = {
        comb_sql_blob(comb_str_of(packer->ids, packer->ids_len)),
        comb_sql_text(comb_str_of(packer->json, packer->json_len)),
    };
    return add(to, ctx, text, params, 2, true);
}

/* Chains share their upper ends: whether an earlier link of the plan says the same. */
static bool is_repeated(const struct comb_plan *plan, size_t decision, size_t link)
{
    const struct comb_chain_link *wanted = &plan->decisions[decision].links[link];
    for (size_t i = 0; i <= decision; i++) {
        size_t n = i < decision ? plan->decisions[i].n_links : link;
        for (size_t j = 0; j < n; j++) {
            const struct comb_chain_link *other = &plan->decisions[i].links[j];
            if (other->acl_revision == wanted->acl_revision &&
                comb_uuid_equal(&other->id, &wanted->id) &&
                comb_uuid_equal(&other->parent, &wanted->parent))
                return true;
        }
    }
    return false;
}

static void pack_link(struct packer *packer, const struct comb_chain_link *link)
{
    uint8_t ids[LINK_SIZE];
    memcpy(ids, link->id.bytes, ID_SIZE);
    memcpy(ids + ID_SIZE, link->parent.bytes, ID_SIZE);
    packer_add(packer, ids, LINK_SIZE, link->acl_revision);
}

static enum comb_status add_chain_guard(struct comb_composed *to, struct comb_ctx *ctx,
                                        const struct comb_plan *plan, struct comb_error *err)
{
    struct packer packer;
    size_t n = 0;
    for (size_t i = 0; i < plan->n_decisions; i++)
        n += plan->decisions[i].n_links;
    if (n == 0)
        return COMB_OK;
    if (n > LINKS_MAX)
        return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                              "a decision rests on %zu links", n);
    if (!packer_init(&packer, ctx->arena, n, LINK_SIZE))
        return comb_error_no_memory(err);
    for (size_t i = 0; i < plan->n_decisions; i++) {
        for (size_t j = 0; j < plan->decisions[i].n_links; j++) {
            if (!is_repeated(plan, i, j))
                pack_link(&packer, &plan->decisions[i].links[j]);
        }
    }
    return packer_finish(&packer, to, ctx, to->dialect->chain_guard) ? COMB_OK
                                                                     : comb_error_no_memory(err);
}

static enum comb_status add_roles_guard(struct comb_composed *to, struct comb_ctx *ctx,
                                        const struct comb_plan *plan, struct comb_error *err)
{
    struct packer packer;
    if (plan->n_decisions > USERS_MAX)
        return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                              "a plan rests on %zu decisions", plan->n_decisions);
    if (!packer_init(&packer, ctx->arena, plan->n_decisions, ID_SIZE))
        return comb_error_no_memory(err);
    for (size_t i = 0; i < plan->n_decisions; i++) {
        const struct comb_decision *decision = &plan->decisions[i];
        if (!comb_uuid_is_nil(&decision->user))
            packer_add(&packer, decision->user.bytes, ID_SIZE, decision->roles_revision);
    }
    if (packer.n == 0)
        return COMB_OK;
    return packer_finish(&packer, to, ctx, to->dialect->roles_guard) ? COMB_OK
                                                                     : comb_error_no_memory(err);
}

static struct comb_sql_value packed_ids(const struct comb_uuid *ids, size_t n)
{
    return comb_sql_blob(comb_str_of(ids, n * sizeof(*ids)));
}

static bool add_feed(struct comb_composed *to, struct comb_ctx *ctx, const struct comb_plan *plan,
                     size_t number, const struct comb_uuid *actor)
{
    const struct comb_feed_entry *entry = &plan->feed[number];
    size_t n = to->dialect->numbers_entries ? 12 : 11;
    const struct comb_sql_value params[] = {
        comb_sql_integer(plan->now_us),
        comb_sql_integer(entry->kind),
        comb_sql_uuid(&entry->subject),
        comb_sql_integer((int64_t)entry->revision),
        comb_sql_uuid(actor),
        comb_sql_uuid(&entry->old_parent),
        comb_sql_text(entry->old_name),
        packed_ids(entry->ancestors, entry->n_ancestors),
        packed_ids(entry->old_ancestors, entry->n_old_ancestors),
        comb_sql_integer(entry->bytes_delta),
        comb_sql_blob(entry->payload),
        comb_sql_integer((int64_t)number),
    };
    return add(to, ctx, to->dialect->feed_insert, params, n, false);
}

static bool add_request(struct comb_composed *to, struct comb_ctx *ctx,
                        const struct comb_request_key *key, const struct comb_plan *plan,
                        const struct comb_uuid *principal)
{
    const struct comb_sql_value params[] = {
        comb_sql_uuid(principal),     comb_sql_text(ctx->method),
        comb_sql_uuid(&key->id),      comb_sql_blob(comb_str_of(key->hash, sizeof key->hash)),
        comb_sql_blob(plan->outcome), comb_sql_integer(plan->now_us),
    };
    return add(to, ctx, to->dialect->request_insert, params, sizeof params / sizeof params[0],
               false);
}

/* Its record, which is there if and only if the change is. */
static enum comb_status add_audit(struct comb_composed *to, struct comb_ctx *ctx,
                                  const struct comb_request_key *key, const struct comb_plan *plan,
                                  struct comb_error *err)
{
    struct comb_uuid id;
    comb_str record;
    enum comb_status status = comb_audit_of_plan(ctx, key, plan, &id, &record, err);
    if (status != COMB_OK)
        return status;
    struct comb_uuid *kept = grpcc_arena_memdup(ctx->arena, &id, sizeof id);
    if (!kept)
        return comb_error_no_memory(err);
    const struct comb_sql_value params[] = {comb_sql_uuid(kept), comb_sql_blob(record)};
    return add(to, ctx, to->dialect->audit_insert, params, 2, false) ? COMB_OK
                                                                     : comb_error_no_memory(err);
}

static enum comb_status check(const struct comb_plan *plan, struct comb_error *err)
{
    if (plan->kind != COMB_SQL_WRITE && plan->kind != COMB_SQL_WRITE_LOCKED)
        return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                              "a plan that is no write");
    if (plan->n_statements > COMB_PLAN_STATEMENTS_MAX || plan->n_feed > COMB_PLAN_FEED_MAX ||
        plan->outcome.len > COMB_OUTCOME_MAX)
        return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                              "a plan of %zu statements, %zu feed entries, %zu bytes of outcome",
                              plan->n_statements, plan->n_feed, plan->outcome.len);
    return COMB_OK;
}

enum comb_status comb_compose(struct comb_ctx *ctx, const struct comb_request_key *key,
                              const struct comb_plan *plan, struct comb_composed *ret_composed,
                              struct comb_error *err)
{
    struct comb_composed *to = ret_composed;
    const struct comb_uuid *principal = comb_request_principal(ctx);
    enum comb_status status = check(plan, err);
    to->n = 0;
    if (status == COMB_OK)
        status = add_chain_guard(to, ctx, plan, err);
    if (status == COMB_OK)
        status = add_roles_guard(to, ctx, plan, err);
    if (status != COMB_OK)
        return status;
    to->area = to->n;
    for (size_t i = 0; i < plan->n_statements; i++)
        to->statements[to->n++] = plan->statements[i];
    bool ok = true;
    for (size_t i = 0; i < plan->n_feed; i++)
        ok &= add_feed(to, ctx, plan, i, principal);
    if (!plan->is_refusal)
        status = add_audit(to, ctx, key, plan, err);
    if (status != COMB_OK)
        return status;
    to->request = to->n;
    ok &= add_request(to, ctx, key, plan, principal);
    return ok ? COMB_OK : comb_error_no_memory(err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/permissions.h"

#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "server/core/memory.h"
#include "server/permissions/internal.h"
#include "server/tree/tree_message.h"

/* The outcome of a grant: node, role, granted_by, expire, create, rights, is_role. */
#define OUTCOME_SIZE (3 * 16 + 2 * 8 + 2)

/* A change of one entry on its way. */
struct change {
    struct comb_permissions *permissions;
    const struct comb_v1_node_ref *node;
    const struct comb_permissions_subject *subject;
    const struct comb_permissions_grant *grant; /* NULL: revoke */
};

/* --------------------------------------------------------------------------------- the outcome */

static void put_number(uint8_t **at, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8) {
        *(*at)++ = (uint8_t)(number >> shift);
    }
}

static uint64_t take_number(const uint8_t **at)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number = number << 8 | *(*at)++;
    }
    return number;
}

static void put_id(uint8_t **at, const struct comb_uuid *id)
{
    memcpy(*at, id->bytes, sizeof id->bytes);
    *at += sizeof id->bytes;
}

static struct comb_uuid take_id(const uint8_t **at)
{
    struct comb_uuid id;
    memcpy(id.bytes, *at, sizeof id.bytes);
    *at += sizeof id.bytes;
    return id;
}

static bool outcome_pack(struct grpcc_arena *arena, const struct comb_permission *permission,
                         comb_str *ret_outcome)
{
    const struct comb_entry *entry = &permission->entry;
    uint8_t *bytes = grpcc_arena_alloc(arena, OUTCOME_SIZE);
    if (bytes == NULL) {
        return false;
    }
    uint8_t *at = bytes;
    put_id(&at, &entry->node);
    put_id(&at, &entry->role);
    put_id(&at, &entry->granted_by);
    put_number(&at, (uint64_t)entry->expire_us);
    put_number(&at, (uint64_t)entry->create_us);
    *at++ = (uint8_t)entry->rights;
    *at++ = (uint8_t)(permission->is_group ? 2 : permission->is_role);
    *ret_outcome = comb_str_of(bytes, OUTCOME_SIZE);
    return true;
}

static enum comb_status outcome_read(comb_str outcome, struct comb_permission *ret_permission,
                                     struct comb_error *err)
{
    if (outcome.len != OUTCOME_SIZE) {
        return comb_error_set(err, COMB_INTERNAL, 0, "the outcome of a grant has %zu bytes",
                              outcome.len);
    }
    const uint8_t *at = (const uint8_t *)outcome.ptr;
    struct comb_permission permission = {0};
    permission.entry.node = take_id(&at);
    permission.entry.role = take_id(&at);
    permission.entry.granted_by = take_id(&at);
    permission.entry.expire_us = (int64_t)take_number(&at);
    permission.entry.create_us = (int64_t)take_number(&at);
    permission.entry.rights = *at++;
    permission.is_group = *at == 2;
    permission.is_role = *at++ == 1;
    *ret_permission = permission;
    return COMB_OK;
}

/* ---------------------------------------------------------------------------------- the changes */

static const struct comb_entry *find_entry(const struct comb_fact_link *link,
                                           const struct comb_uuid *role)
{
    for (size_t i = 0; i < link->n_entries; i++) {
        if (comb_uuid_equal(&link->entries[i].role, role)) {
            return &link->entries[i];
        }
    }
    return NULL;
}

static enum comb_status find_subject(const struct change *change, struct comb_ctx *ctx,
                                     struct comb_uuid *ret_role, struct comb_error *err)
{
    const struct comb_permissions_directory *directory = &change->permissions->parts.directory;
    if (change->subject->is_group) {
        return directory->find_group(directory->data, ctx, change->subject->name, ret_role, err);
    }
    return (change->subject->is_role ? directory->find_role : directory->find_user)(
        directory->data, ctx, change->subject->name, ret_role, err);
}

/* What both changes have in common: the lock, what was decided on, and the feed entry. */
static enum comb_status plan_frame(struct comb_ctx *ctx, const struct comb_access_node *node,
                                   struct comb_plan *plan, struct comb_error *err)
{
    const struct comb_fact_chain *chain = &node->chain;
    struct comb_uuid *ancestors = grpcc_arena_calloc(ctx->arena, chain->n_links, sizeof *ancestors);
    struct comb_decision *decision =
        grpcc_arena_memdup(ctx->arena, &node->decision, sizeof *decision);
    if (ancestors == NULL || decision == NULL) {
        return comb_error_no_memory(err);
    }
    for (size_t i = 1; i < chain->n_links; i++) {
        ancestors[i - 1] = chain->links[i].node->id;
    }
    struct comb_v1_node *message;
    enum comb_status status = comb_tree_node_message(ctx->arena, node->node, NULL, &message, err);
    if (status != COMB_OK) {
        return status;
    }
    size_t size;
    void *payload = grpcc_message_pack(ctx->arena, &message->base, &size);
    if (payload == NULL) {
        return comb_error_no_memory(err);
    }
    plan->kind = COMB_SQL_WRITE_LOCKED;
    plan->lock = COMB_LOCK_RIGHTS;
    plan->decisions = decision;
    plan->n_decisions = 1;
    plan->feed[plan->n_feed++] = (struct comb_feed_entry){
        .kind = COMB_FEED_NODE_PERMISSIONS,
        .subject = node->node->id,
        .revision = node->node->revision,
        .ancestors = ancestors,
        .n_ancestors = chain->n_links - 1,
        .payload = comb_str_of(payload, size),
    };
    return COMB_OK;
}

/* An entry for the audit trail: "user:ada read and write until 1790000000"; NULL: no room. */
static char *entry_text(const struct change *change, struct comb_ctx *ctx, int rights,
                        int64_t expire_us)
{
    static const char *const names[] = {
        [COMB_V1_RIGHTS_READ] = "read",
        [COMB_V1_RIGHTS_WRITE] = "write",
        [COMB_V1_RIGHTS_READ_WRITE] = "read and write",
        [COMB_V1_RIGHTS_DENY] = "deny",
    };
    const struct comb_permissions_subject *subject = change->subject;
    const char *name =
        rights > 0 && (size_t)rights < sizeof names / sizeof names[0] && names[rights] != NULL
            ? names[rights]
            : "?";
    const char *kind = subject->is_group ? "group" : subject->is_role ? "role" : "user";
    if (expire_us == 0) {
        return grpcc_arena_printf(ctx->arena, "%s:%.*s %s", kind, COMB_STR_ARG(subject->name),
                                  name);
    }
    return grpcc_arena_printf(ctx->arena, "%s:%.*s %s until %lld", kind,
                              COMB_STR_ARG(subject->name), name,
                              (long long)(expire_us / COMB_US_PER_S));
}

/* What the node's entry of the subject was and is, for the audit trail; NULL: there is none. */
static enum comb_status plan_record(const struct change *change, struct comb_ctx *ctx,
                                    const struct comb_entry *before,
                                    const struct comb_permissions_grant *after,
                                    struct comb_plan *plan, struct comb_error *err)
{
    const char *was =
        before != NULL ? entry_text(change, ctx, before->rights, before->expire_us) : "";
    const char *is = after != NULL ? entry_text(change, ctx, after->rights, after->expire_us) : "";
    if (was == NULL || is == NULL) {
        return comb_error_no_memory(err);
    }
    plan->before = comb_str_from(was);
    plan->after = comb_str_from(is);
    return COMB_OK;
}

static enum comb_status plan_grant(const struct change *change, struct comb_ctx *ctx,
                                   const struct comb_access_node *node,
                                   const struct comb_uuid *role, struct comb_plan *plan,
                                   struct comb_error *err)
{
    const struct comb_permissions_grant *grant = change->grant;
    const struct comb_fact_link *link = &node->chain.links[0];
    if (grant->expire_us != 0 && grant->expire_us <= plan->now_us) {
        return comb_error_field(err, "expire_time",
                                "has passed already: leave it out or name a later one");
    }
    if (link->n_entries >= COMB_NODE_ENTRIES_MAX && find_entry(link, role) == NULL) {
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "node",
                                      "the node has %d entries, which is the limit: grant to a "
                                      "role instead of to its members",
                                      COMB_NODE_ENTRIES_MAX);
    }
    struct comb_permission permission = {
        .entry = {.node = node->node->id,
                  .role = *role,
                  .granted_by = ctx->principal->user,
                  .rights = grant->rights,
                  .expire_us = grant->expire_us,
                  .create_us = plan->now_us},
        .is_role = change->subject->is_role,
        .is_group = change->subject->is_group,
    };
    if (!outcome_pack(ctx->arena, &permission, &plan->outcome)) {
        return comb_error_no_memory(err);
    }
    enum comb_status status = plan_record(change, ctx, find_entry(link, role), grant, plan, err);
    if (status != COMB_OK) {
        return status;
    }
    return comb_permissions_store_plan_grant(change->permissions->parts.store, ctx, plan,
                                             &permission.entry, node->node->acl_revision, err);
}

static enum comb_status plan_revoke(const struct change *change, struct comb_ctx *ctx,
                                    const struct comb_access_node *node,
                                    const struct comb_uuid *role, struct comb_plan *plan,
                                    struct comb_error *err)
{
    const struct comb_entry *before = find_entry(&node->chain.links[0], role);
    if (before == NULL) {
        return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_ENTRY_NOT_FOUND,
                                      "subject",
                                      "the node itself has no entry of this subject; it may have "
                                      "inherited rights from above, see Check with explain");
    }
    enum comb_status status = plan_record(change, ctx, before, NULL, plan, err);
    if (status != COMB_OK) {
        return status;
    }
    return comb_permissions_store_plan_revoke(change->permissions->parts.store, ctx, plan,
                                              &node->node->id, role, node->node->acl_revision, err);
}

/* Decided on facts that are not older than the call, whatever the caller asked for: nobody grants
 * by a right that was revoked before. */
static enum comb_status resolve_strong(const struct change *change, struct comb_ctx *ctx,
                                       struct comb_access_node *ret_node, struct comb_error *err)
{
    static const struct comb_access_options OPTIONS = {.need = COMB_V1_NEED_MANAGE,
                                                       .field = "node"};
    bool strong = ctx->strong;
    ctx->strong = true;
    enum comb_status status = comb_access_resolve(change->permissions->parts.access, ctx,
                                                  change->node, &OPTIONS, ret_node, err);
    ctx->strong = strong;
    return status;
}

static enum comb_status decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err)
{
    const struct change *change = data;
    struct comb_access_node node;
    struct comb_uuid role;
    enum comb_status status = resolve_strong(change, ctx, &node, err);
    if (status == COMB_OK) {
        status = find_subject(change, ctx, &role, err);
    }
    if (status == COMB_OK) {
        status = (change->grant != NULL ? plan_grant : plan_revoke)(change, ctx, &node, &role, plan,
                                                                    err);
    }
    return status == COMB_OK ? plan_frame(ctx, &node, plan, err) : status;
}

enum comb_status comb_permissions_grant(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_permissions_grant *grant,
                                        struct comb_permission *ret_permission,
                                        struct comb_error *err)
{
    struct change change = {.permissions = permissions,
                            .node = grant->node,
                            .subject = &grant->subject,
                            .grant = grant};
    struct comb_outcome outcome;
    enum comb_status status =
        comb_mutation_run(permissions->parts.mutations, ctx, key, decide, &change, &outcome, err);
    return status == COMB_OK ? outcome_read(outcome.bytes, ret_permission, err) : status;
}

enum comb_status comb_permissions_revoke(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                         const struct comb_request_key *key,
                                         const struct comb_v1_node_ref *node,
                                         const struct comb_permissions_subject *subject,
                                         struct comb_error *err)
{
    struct change change = {.permissions = permissions, .node = node, .subject = subject};
    struct comb_outcome outcome;
    return comb_mutation_run(permissions->parts.mutations, ctx, key, decide, &change, &outcome,
                             err);
}

/* ------------------------------------------------------------------------------------- the list */

enum comb_status comb_permissions_is_user(struct comb_permissions *permissions,
                                          struct comb_ctx *ctx, const struct comb_uuid *role,
                                          bool *ret_is_user, struct comb_error *err)
{
    struct comb_subjects subjects;
    enum comb_status status =
        comb_facts_subjects_wait(permissions->parts.facts, ctx, role, &subjects, err);
    if (status == COMB_OK) {
        *ret_is_user = subjects.exists;
    }
    return status;
}

/* Which of the entries that are not a user's are a group's. */
static enum comb_status tell_groups(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                    struct comb_permission *page, size_t n, struct comb_error *err)
{
    const struct comb_permissions_directory *directory = &permissions->parts.directory;
    struct comb_uuid *roles = grpcc_arena_calloc(ctx->arena, n, sizeof *roles);
    bool *are = grpcc_arena_calloc(ctx->arena, n, sizeof *are);
    size_t n_roles = 0;
    if (roles == NULL || are == NULL) {
        return comb_error_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        if (page[i].is_role && !comb_uuid_equal(&page[i].entry.role, &comb_role_everybody)) {
            roles[n_roles++] = page[i].entry.role;
        }
    }
    if (n_roles == 0) {
        return COMB_OK;
    }
    enum comb_status status = directory->are_groups(directory->data, ctx, roles, n_roles, are, err);
    for (size_t i = 0, role = 0; status == COMB_OK && i < n && role < n_roles; i++) {
        if (comb_uuid_equal(&page[i].entry.role, &roles[role])) {
            page[i].is_group = are[role];
            page[i].is_role = !are[role];
            role++;
        }
    }
    return status;
}

enum comb_status comb_permissions_list(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                       const struct comb_v1_node_ref *ref,
                                       const struct comb_uuid *after, size_t max,
                                       const struct comb_permission **ret_permissions,
                                       size_t *ret_n, bool *ret_more, struct comb_error *err)
{
    static const struct comb_access_options OPTIONS = {.need = COMB_V1_NEED_MANAGE,
                                                       .field = "node"};
    struct comb_access_node node;
    enum comb_status status =
        comb_access_resolve(permissions->parts.access, ctx, ref, &OPTIONS, &node, err);
    if (status != COMB_OK) {
        return status;
    }
    const struct comb_fact_link *link = &node.chain.links[0];
    size_t first = 0;
    while (first < link->n_entries &&
           memcmp(link->entries[first].role.bytes, after->bytes, sizeof after->bytes) <= 0) {
        first++; /* facts keep entries in the order of their roles */
    }
    size_t n = link->n_entries - first < max ? link->n_entries - first : max;
    struct comb_permission *page = grpcc_arena_calloc(ctx->arena, n, sizeof *page);
    if (page == NULL) {
        return comb_error_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        bool is_user;
        page[i].entry = link->entries[first + i];
        status = comb_permissions_is_user(permissions, ctx, &page[i].entry.role, &is_user, err);
        if (status != COMB_OK) {
            return status;
        }
        page[i].is_role = !is_user;
    }
    *ret_permissions = page;
    *ret_n = n;
    *ret_more = first + n < link->n_entries;
    return tell_groups(permissions, ctx, page, n, err);
}

enum comb_status comb_permissions_new(const struct comb_permissions_parts *parts,
                                      struct comb_permissions **ret_permissions,
                                      struct comb_error *err)
{
    struct comb_permissions *permissions = comb_memory_zalloc(sizeof *permissions);
    if (permissions == NULL) {
        return comb_error_no_memory(err);
    }
    permissions->parts = *parts;
    *ret_permissions = permissions;
    return COMB_OK;
}

void comb_permissions_free(struct comb_permissions *permissions)
{
    comb_memory_free(permissions);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: taken, refreshed, ended; and why a write was refused for one. */
#include <time.h>

#include "server/tree/internal.h"

/* An outcome: version, mode, token, times, then the note. */
#define OUTCOME_VERSION 1
#define OUTCOME_SIZE (2 + 3 * sizeof(int64_t))
_Static_assert(OUTCOME_SIZE + COMB_LOCK_NOTE_BYTES_MAX <= COMB_OUTCOME_MAX, "it is kept whole");

/* The locks of a node that hold. */
struct holding {
    struct comb_tree_lock *locks; /* with room for one more */
    size_t n;
    uint64_t fence;
    int64_t now_us;
};

static enum comb_status read_holding(struct comb_tree *tree, struct comb_ctx *ctx,
                                     const struct comb_uuid *id, struct holding *ret_holding,
                                     struct comb_error *err)
{
    struct comb_tree_lock_state state;
    struct holding holding = {0};
    enum comb_status status = tree->use.store->driver->locks(tree->use.store, ctx, id, &state, err);

    if (status != COMB_OK)
        return status;
    if (!state.found)
        return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                                      "node", "there is no such node");
    holding.fence = state.fence;
    holding.now_us = state.now_us;
    holding.locks = grpcc_arena_calloc(ctx->arena, state.n_locks + 1, sizeof *holding.locks);
    if (!holding.locks)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < state.n_locks; i++) {
        if (state.locks[i].expire_us > state.now_us)
            holding.locks[holding.n++] = state.locks[i];
    }
    *ret_holding = holding;
    return COMB_OK;
}

/* user NULL: whoever's it is. NULL: it does not hold. */
static struct comb_tree_lock *find(const struct holding *holding, uint64_t token,
                                   const struct comb_uuid *user)
{
    for (size_t i = 0; i < holding->n; i++) {
        struct comb_tree_lock *lock = &holding->locks[i];

        if (lock->token == token && (!user || comb_uuid_equal(&lock->user, user)))
            return lock;
    }
    return NULL;
}

/* ---- refusals ---- */

static enum comb_status lost(const char *field, struct comb_error *err)
{
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_LOCK_LOST,
                                  field,
                                  "the lock does not hold any more, so the node may have changed: "
                                  "read it again and lock it anew");
}

/* With the lock that ends last; who may not read the node is not told whose it is. */
static enum comb_status locked(const struct holding *holding, int rights, const char *field,
                               struct comb_error *err)
{
    const struct comb_tree_lock *last = &holding->locks[0];
    char until[sizeof "YYYYYYYYYYY-MM-DDThh:mm:ssZ"] = "";
    struct tm parts;
    time_t seconds;

    for (size_t i = 1; i < holding->n; i++) {
        if (holding->locks[i].expire_us > last->expire_us)
            last = &holding->locks[i];
    }
    seconds = (time_t)(last->expire_us / 1000000);
    if (gmtime_r(&seconds, &parts))
        strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if ((rights & COMB_V1_RIGHTS_READ) == 0)
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_NODE_LOCKED, field,
                                      "the node is locked until %s", until);
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_NODE_LOCKED,
                                  field, "the node is locked by \"%.*s\" until %s%s",
                                  COMB_STR_ARG(last->login), until,
                                  last->mode == COMB_V1_LOCK_MODE_SHARED ? ", shared" : "");
}

struct comb_tree_claim tree_claim_of(const struct comb_ctx *ctx, uint64_t token)
{
    struct comb_tree_claim claim = {.token = token};

    if (token && ctx->principal)
        claim.user = ctx->principal->user;
    return claim;
}

enum comb_status tree_claim_check(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_plan *plan, const struct comb_access_node *node,
                                  const struct comb_tree_claim *claim, const char *field,
                                  struct comb_error *err)
{
    struct holding holding;
    const struct comb_tree_lock *own = NULL;
    enum comb_status status;

    /* The statement that writes asks too, so that a write costs no question more. */
    if (plan->attempt == 0 || claim->unasked)
        return COMB_OK;
    status = read_holding(tree, ctx, &node->node->id, &holding, err);
    if (status != COMB_OK)
        return status;
    if (claim->token) {
        own = find(&holding, claim->token, &claim->user);
        if (!own)
            return lost(field, err);
    }
    if (holding.n > 0 && (!own || own->mode != COMB_V1_LOCK_MODE_EXCLUSIVE))
        return locked(&holding, node->rights, field, err);
    return COMB_OK;
}

/* ---- changes ---- */

struct locking;

/* Changes holding to what it will be, and says how; `changes` false: it is that already. */
typedef enum comb_status (*lock_decide)(struct locking *locking, struct comb_ctx *ctx,
                                        struct holding *holding,
                                        struct comb_tree_lock_change *change, bool *ret_changes,
                                        struct comb_error *err);

struct locking {
    struct comb_tree *tree;
    const struct comb_v1_node_ref *ref;
    struct comb_access_options options;
    lock_decide decide;
    enum comb_feed_kind kind;
    uint64_t token;
    int mode;
    int64_t lease_us;
    comb_str note;
    int rights;                 /* of the caller on the node */
    struct comb_tree_lock lock; /* taken or refreshed */
};

static enum comb_status decide_take(struct locking *locking, struct comb_ctx *ctx,
                                    struct holding *holding, struct comb_tree_lock_change *change,
                                    bool *ret_changes, struct comb_error *err)
{
    bool shared = locking->mode == COMB_V1_LOCK_MODE_SHARED;

    if (holding->n > 0 && (!shared || holding->locks[0].mode != COMB_V1_LOCK_MODE_SHARED))
        return locked(holding, locking->rights, "node", err);
    if (holding->n >= COMB_LOCK_HOLDERS_MAX)
        return comb_error_set_subject(
            err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE, "lock_holders_max",
            "a node has at most %d shared locks at once", COMB_LOCK_HOLDERS_MAX);
    locking->lock = (struct comb_tree_lock){.token = holding->fence + 1,
                                            .mode = locking->mode,
                                            .user = ctx->principal->user,
                                            .session = ctx->principal->token,
                                            .login = ctx->principal->login,
                                            .note = locking->note,
                                            .create_us = holding->now_us,
                                            .expire_us = holding->now_us + locking->lease_us};
    holding->locks[holding->n++] = locking->lock;
    change->taken = &locking->lock;
    *ret_changes = true;
    return COMB_OK;
}

static enum comb_status decide_refresh(struct locking *locking, struct comb_ctx *ctx,
                                       struct holding *holding,
                                       struct comb_tree_lock_change *change, bool *ret_changes,
                                       struct comb_error *err)
{
    struct comb_tree_lock *lock = find(holding, locking->token, &ctx->principal->user);

    if (!lock)
        return lost("lock_token", err);
    lock->expire_us = holding->now_us + locking->lease_us;
    locking->lock = *lock;
    change->refreshed = &locking->lock;
    *ret_changes = true;
    return COMB_OK;
}

static void drop(struct holding *holding, const struct comb_tree_lock *lock)
{
    holding->locks[lock - holding->locks] = holding->locks[--holding->n];
}

static enum comb_status decide_end(struct locking *locking, struct comb_ctx *ctx,
                                   struct holding *holding, struct comb_tree_lock_change *change,
                                   bool *ret_changes, struct comb_error *err)
{
    const struct comb_tree_lock *lock = find(holding, locking->token, &ctx->principal->user);

    if (!lock)
        return lost("lock_token", err);
    drop(holding, lock);
    change->ends = true;
    change->ended = locking->token;
    *ret_changes = true;
    return COMB_OK;
}

static enum comb_status decide_break(struct locking *locking, struct comb_ctx *ctx,
                                     struct holding *holding, struct comb_tree_lock_change *change,
                                     bool *ret_changes, struct comb_error *err)
{
    const struct comb_tree_lock *lock =
        locking->token ? find(holding, locking->token, NULL) : &holding->locks[0];

    (void)ctx;
    (void)err;
    *ret_changes = lock && holding->n > 0;
    if (!*ret_changes)
        return COMB_OK;
    change->ends = true;
    change->ended = locking->token;
    if (locking->token)
        drop(holding, lock);
    else
        holding->n = 0;
    return COMB_OK;
}

/* What the node's row says of the locks that hold then. */
static void sum_up(const struct holding *holding, struct comb_tree_lock_change *change)
{
    for (size_t i = 0; i < holding->n; i++) {
        const struct comb_tree_lock *lock = &holding->locks[i];

        if (lock->expire_us > change->until_us)
            change->until_us = lock->expire_us;
        if (lock->mode == COMB_V1_LOCK_MODE_EXCLUSIVE) {
            change->holder = lock->token;
            change->user = lock->user;
        }
    }
}

static void put_number(uint8_t *bytes, uint64_t value)
{
    for (size_t i = 0; i < sizeof value; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof value; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static enum comb_status pack(struct comb_ctx *ctx, const struct comb_tree_lock *lock,
                             comb_str *ret_outcome, struct comb_error *err)
{
    uint8_t *bytes = grpcc_arena_alloc(ctx->arena, OUTCOME_SIZE + lock->note.len);

    if (!bytes)
        return comb_error_no_memory(err);
    bytes[0] = OUTCOME_VERSION;
    bytes[1] = (uint8_t)lock->mode;
    put_number(bytes + 2, lock->token);
    put_number(bytes + 2 + sizeof(int64_t), (uint64_t)lock->create_us);
    put_number(bytes + 2 + 2 * sizeof(int64_t), (uint64_t)lock->expire_us);
    if (lock->note.len > 0)
        memcpy(bytes + OUTCOME_SIZE, lock->note.ptr, lock->note.len);
    *ret_outcome = comb_str_of(bytes, OUTCOME_SIZE + lock->note.len);
    return COMB_OK;
}

/* The lock as a repeated request got it at its first time. */
static enum comb_status unpack(struct comb_ctx *ctx, comb_str outcome,
                               struct comb_tree_lock *ret_lock, struct comb_error *err)
{
    const uint8_t *bytes = (const uint8_t *)outcome.ptr;

    if (outcome.len < OUTCOME_SIZE || bytes[0] != OUTCOME_VERSION)
        return comb_error_set(err, COMB_INTERNAL, 0, "the stored outcome cannot be read");
    *ret_lock = (struct comb_tree_lock){
        .mode = bytes[1],
        .token = get_number(bytes + 2),
        .user = ctx->principal->user,
        .session = ctx->principal->token,
        .login = ctx->principal->login,
        .note = comb_str_of(bytes + OUTCOME_SIZE, outcome.len - OUTCOME_SIZE),
        .create_us = (int64_t)get_number(bytes + 2 + sizeof(int64_t)),
        .expire_us = (int64_t)get_number(bytes + 2 + 2 * sizeof(int64_t))};
    return COMB_OK;
}

static enum comb_status plan_change(struct locking *locking, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_access_node *node,
                                    const struct holding *holding,
                                    const struct comb_tree_lock_change *change,
                                    struct comb_error *err)
{
    struct comb_tree_store *store = locking->tree->use.store;
    const struct tree_feed feed = {
        .kind = locking->kind,
        .node = node->node,
        .ancestors = tree_chain_ids(ctx->arena, node->chain.links + 1, node->chain.n_links - 1),
        .n_ancestors = node->chain.n_links - 1,
        .locks = holding->locks,
        .n_locks = holding->n};
    enum comb_status status;

    if (!feed.ancestors)
        return comb_error_no_memory(err);
    plan->kind = COMB_SQL_WRITE;
    status = comb_tree_plan_decision(ctx, plan, &node->decision, err);
    if (status == COMB_OK)
        status = store->driver->plan_lock(store, ctx, plan, change, err);
    if (status == COMB_OK)
        status = tree_plan_feed(ctx, plan, &feed, err);
    if (status == COMB_OK)
        status = pack(ctx, &locking->lock, &plan->outcome, err);
    return status;
}

static enum comb_status decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err)
{
    struct locking *locking = data;
    struct comb_tree_lock_change change = {.ends = false};
    struct comb_access_node node;
    struct holding holding;
    bool changes = false;
    enum comb_status status = comb_access_resolve(locking->tree->use.access, ctx, locking->ref,
                                                  &locking->options, &node, err);

    if (status == COMB_OK)
        status = read_holding(locking->tree, ctx, &node.node->id, &holding, err);
    if (status != COMB_OK)
        return status;
    locking->rights = node.rights;
    change.node = node.node->id;
    change.revision = node.node->revision;
    change.fence = holding.fence;
    status = locking->decide(locking, ctx, &holding, &change, &changes, err);
    if (status != COMB_OK || !changes)
        return status;
    sum_up(&holding, &change);
    return plan_change(locking, ctx, plan, &node, &holding, &change, err);
}

static enum comb_status decide_fresh(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    struct locking *locking = data;

    return comb_tree_decide(locking->tree, decide, locking, ctx, plan, err);
}

static enum comb_status run(struct locking *locking, struct comb_ctx *ctx,
                            const struct comb_request_key *key, struct comb_tree_lock *ret_lock,
                            struct comb_error *err)
{
    struct comb_outcome outcome;
    enum comb_status status;

    locking->options.field = "node";
    if (!locking->ref)
        return comb_error_field(err, "node", "the node is missing");
    status = comb_mutation_run(locking->tree->use.mutations, ctx, key, decide_fresh, locking,
                               &outcome, err);
    if (status != COMB_OK || !ret_lock)
        return status;
    if (outcome.replayed)
        return unpack(ctx, outcome.bytes, ret_lock, err);
    *ret_lock = locking->lock;
    return COMB_OK;
}

static enum comb_status read_lease(uint32_t seconds, int64_t *ret_us, struct comb_error *err)
{
    if (seconds == 0)
        seconds = COMB_LOCK_LEASE_S_DEFAULT;
    if (seconds > COMB_LOCK_LEASE_S_MAX)
        return comb_error_field(err, "lease_seconds",
                                "a lock holds %d to %d seconds: refresh it to keep it longer",
                                COMB_LOCK_LEASE_S_MIN, COMB_LOCK_LEASE_S_MAX);
    *ret_us = (int64_t)seconds * 1000000;
    return COMB_OK;
}

static enum comb_status need_token(uint64_t token, struct comb_error *err)
{
    return token ? COMB_OK : comb_error_field(err, "lock_token", "the lock's token is missing");
}

enum comb_status comb_tree_lock(struct comb_tree *tree, struct comb_ctx *ctx,
                                const struct comb_request_key *key,
                                const struct comb_v1_tree_lock_request *request,
                                struct comb_tree_lock *ret_lock, struct comb_error *err)
{
    struct locking locking = {.tree = tree,
                              .ref = request->node,
                              .options = {.need = COMB_V1_NEED_WRITE},
                              .decide = decide_take,
                              .kind = COMB_FEED_NODE_LOCKED,
                              .mode = request->mode == COMB_V1_LOCK_MODE_UNSPECIFIED
                                          ? COMB_V1_LOCK_MODE_EXCLUSIVE
                                          : (int)request->mode,
                              .note = comb_str_from(request->note)};
    enum comb_status status = read_lease(request->lease_seconds, &locking.lease_us, err);

    if (status != COMB_OK)
        return status;
    if (locking.mode != COMB_V1_LOCK_MODE_EXCLUSIVE && locking.mode != COMB_V1_LOCK_MODE_SHARED)
        return comb_error_field(err, "mode", "%d is not known: use EXCLUSIVE or SHARED",
                                locking.mode);
    if (locking.note.len > COMB_LOCK_NOTE_BYTES_MAX)
        return comb_error_field(err, "note", "a note has at most %d bytes",
                                COMB_LOCK_NOTE_BYTES_MAX);
    return run(&locking, ctx, key, ret_lock, err);
}

enum comb_status comb_tree_refresh_lock(struct comb_tree *tree, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_v1_tree_refresh_lock_request *request,
                                        struct comb_tree_lock *ret_lock, struct comb_error *err)
{
    struct locking locking = {.tree = tree,
                              .ref = request->node,
                              .options = {.need = COMB_V1_NEED_WRITE, .allow_recycled = true},
                              .decide = decide_refresh,
                              .kind = COMB_FEED_NODE_LOCKED,
                              .token = request->lock_token};
    enum comb_status status = read_lease(request->lease_seconds, &locking.lease_us, err);

    if (status == COMB_OK)
        status = need_token(locking.token, err);
    return status == COMB_OK ? run(&locking, ctx, key, ret_lock, err) : status;
}

enum comb_status comb_tree_unlock(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_request_key *key,
                                  const struct comb_v1_tree_unlock_request *request,
                                  struct comb_error *err)
{
    struct locking locking = {.tree = tree,
                              .ref = request->node,
                              .options = {.need = COMB_V1_NEED_WRITE, .allow_recycled = true},
                              .decide = decide_end,
                              .kind = COMB_FEED_NODE_UNLOCKED,
                              .token = request->lock_token};
    enum comb_status status = need_token(locking.token, err);

    return status == COMB_OK ? run(&locking, ctx, key, NULL, err) : status;
}

enum comb_status comb_tree_break_lock(struct comb_tree *tree, struct comb_ctx *ctx,
                                      const struct comb_request_key *key,
                                      const struct comb_v1_tree_break_lock_request *request,
                                      struct comb_error *err)
{
    struct locking locking = {.tree = tree,
                              .ref = request->node,
                              .options = {.need = COMB_V1_NEED_MANAGE, .allow_recycled = true},
                              .decide = decide_break,
                              .kind = COMB_FEED_NODE_UNLOCKED,
                              .token = request->lock_token};

    return run(&locking, ctx, key, NULL, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory has not, from the store: one request, whose statements share a snapshot with the
 * feed's head. So each value is remembered with the position that it is as new as.
 */

#include "server/facts/fact.h"
#include "server/facts/lookup.h"

/* head, subjects, workspace, chain, end */
#define STATEMENTS_MAX 5
#define PARAMS_MAX 3

/* The place of each answer among the statements of the request; -1: not asked. */
struct fetch {
    struct comb_lookup *lookup;
    int position, subjects, workspace, chain, end;
    size_t n_asked; /* parts of the path that the chain's statement looks for, known ones too */
    struct comb_sql_statement statements[STATEMENTS_MAX];
    struct comb_sql_value params[STATEMENTS_MAX][PARAMS_MAX];
    size_t n;
};

/* ------------------------------------------------------------------------------- the request */

static int add(struct fetch *fetch, const char *text, size_t n_params)
{
    fetch->statements[fetch->n] = (struct comb_sql_statement){
        .text = text, .params = fetch->params[fetch->n], .n_params = n_params};
    return (int)fetch->n++;
}

/* The rest of the path, each part with "/" behind it. False: no room. */
static bool rest_of_path(struct fetch *fetch, comb_str *ret_path)
{
    struct comb_lookup *lookup = fetch->lookup;
    size_t first = lookup->down.n, end = first, len = 0;
    while (end < lookup->n_parts && comb_lookup_name_is_possible(lookup->parts[end])) {
        len += lookup->parts[end++].len + 1;
    }
    char *path = grpcc_arena_alloc(lookup->ctx->arena, len);
    if (path == NULL) {
        return false;
    }
    char *at = path;
    for (size_t i = first; i < end; i++) {
        memcpy(at, lookup->parts[i].ptr, lookup->parts[i].len);
        at += lookup->parts[i].len;
        *at++ = '/';
    }
    fetch->n_asked = end;
    *ret_path = comb_str_of(path, len);
    return true;
}

static void ask_child(struct fetch *fetch)
{
    struct comb_lookup *lookup = fetch->lookup;
    fetch->chain = add(fetch, lookup->facts->dialect->child, 2);
    fetch->params[fetch->chain][0] = comb_sql_uuid(comb_lookup_deepest(lookup));
    fetch->params[fetch->chain][1] = comb_sql_text(lookup->parts[lookup->down.n]);
    fetch->n_asked = lookup->n_parts;
}

static bool ask_chain(struct fetch *fetch)
{
    struct comb_lookup *lookup = fetch->lookup;
    const struct comb_facts_dialect *dialect = lookup->facts->dialect;
    const struct comb_uuid *start = comb_lookup_deepest(lookup);
    const char *text = dialect->chain_of_node;
    struct comb_sql_value from;
    comb_str path;
    if (comb_lookup_misses_child_only(lookup)) {
        ask_child(fetch);
        return true;
    }
    if (!rest_of_path(fetch, &path)) {
        return false;
    }
    if (start != NULL) {
        from = comb_sql_uuid(start);
    } else if (lookup->personal) {
        text = dialect->chain_of_user;
        from = comb_sql_uuid(&lookup->user);
    } else {
        text = dialect->chain_of_slug;
        from = comb_sql_text(lookup->slug);
    }
    fetch->chain = add(fetch, text, 3);
    fetch->params[fetch->chain][0] = from;
    fetch->params[fetch->chain][1] = comb_sql_text(path);
    fetch->params[fetch->chain][2] = comb_sql_integer(lookup->missing_above);
    return true;
}

static bool ask(struct fetch *fetch)
{
    struct comb_lookup *lookup = fetch->lookup;
    const struct comb_facts_dialect *dialect = lookup->facts->dialect;
    if (!dialect->child_tells_position || !comb_lookup_misses_child_only(lookup)) {
        fetch->position = add(fetch, comb_position_sql(lookup->facts->sql), 0);
    }
    if (lookup->missing & COMB_LOOKUP_SUBJECTS) {
        fetch->subjects = add(fetch, dialect->subjects, 1);
        fetch->params[fetch->subjects][0] = comb_sql_uuid(&lookup->user);
    }
    if (lookup->missing & COMB_LOOKUP_WORKSPACE) {
        fetch->workspace = add(
            fetch, lookup->personal ? dialect->workspace_of_user : dialect->workspace_of_slug, 1);
        fetch->params[fetch->workspace][0] =
            lookup->personal ? comb_sql_uuid(&lookup->user) : comb_sql_text(lookup->slug);
    }
    if ((lookup->missing_above || lookup->missing_below) && !ask_chain(fetch)) {
        return false;
    }
    if (lookup->missing_end) {
        fetch->end = add(fetch, dialect->workspace_of_node, 1);
        fetch->params[fetch->end][0] = comb_sql_uuid(&lookup->start);
    }
    return true;
}

/* --------------------------------------------------------------------------------- the answer */

static uint64_t to_unsigned(const struct comb_sql_value *value)
{
    return (uint64_t)value->integer;
}

static struct comb_uuid to_uuid(const struct comb_sql_value *value)
{
    struct comb_uuid id = {{0}};
    if (value->bytes.len == sizeof id.bytes) {
        memcpy(id.bytes, value->bytes.ptr, sizeof id.bytes);
    }
    return id;
}

static void put(struct comb_lookup *lookup, const struct comb_facts_memory_key *key,
                const void *block, size_t size, bool cheap)
{
    if (!comb_facts_memory_put(lookup->facts->memory, key, block, size, lookup->snapshot,
                               lookup->tick, cheap)) {
        atomic_fetch_add(&lookup->facts->counters.dropped_fills, 1);
    }
}

/* A user's roles in the order in which the last one wins: everybody, those of his groups, those
 * assigned to him, himself, then those marked override. */
static void order_roles(const struct comb_sql_rows *rows, struct comb_subjects *subjects,
                        struct comb_uuid *roles)
{
    size_t n = 0;
    roles[n++] = comb_role_everybody;
    for (int override = 0; override <= 1; override++) {
        for (size_t i = 0; i < rows->n_rows; i++) {
            struct comb_uuid role = to_uuid(comb_sql_at(rows, i, COMB_FACTS_SUBJECTS_ROLE));
            bool late = comb_sql_at(rows, i, COMB_FACTS_SUBJECTS_OVERRIDE)->integer != 0;
            if (comb_uuid_is_nil(&role) || late != (override == 1) ||
                comb_uuid_equal(&role, &comb_role_everybody)) {
                continue;
            }
            roles[n++] = role;
            if (comb_sql_at(rows, i, COMB_FACTS_SUBJECTS_IS_GROUP)->integer != 0) {
                subjects->n_groups++;
            }
            if (comb_uuid_equal(&role, &comb_role_administrators)) {
                subjects->administrator = true;
            }
        }
        if (override == 0) {
            roles[n++] = subjects->user;
        }
    }
    subjects->roles = roles;
    subjects->n_roles = n;
}

static bool take_subjects(struct comb_lookup *lookup, const struct comb_sql_rows *rows)
{
    struct comb_subjects subjects = {.user = lookup->user, .exists = rows->n_rows > 0};
    if (subjects.exists) {
        struct comb_uuid *roles =
            grpcc_arena_calloc(lookup->ctx->arena, rows->n_rows + 2, sizeof *roles);
        if (roles == NULL) {
            return false;
        }
        subjects.disabled = comb_sql_at(rows, 0, COMB_FACTS_SUBJECTS_DISABLED)->integer != 0;
        subjects.roles_revision = to_unsigned(comb_sql_at(rows, 0, COMB_FACTS_SUBJECTS_ROLES_REV));
        subjects.generation = to_unsigned(comb_sql_at(rows, 0, COMB_FACTS_SUBJECTS_GENERATION));
        order_roles(rows, &subjects, roles);
    }
    struct comb_facts_memory_key key;
    size_t size;
    void *block = comb_fact_subjects_pack(lookup->ctx->arena, &subjects, &size);
    if (block == NULL) {
        return false;
    }
    if (comb_facts_key_of_subjects(&key, &lookup->user)) {
        put(lookup, &key, block, size, !subjects.exists);
    }
    lookup->subjects = *comb_fact_subjects_repair(block);
    return true;
}

/* The workspace of the rows; zero where there is none. NULL: no room. */
static void *workspace_block(struct comb_lookup *lookup, const struct comb_sql_rows *rows,
                             size_t *ret_size)
{
    struct comb_workspace_fact workspace = {0};
    if (rows->n_rows > 0) {
        struct comb_uuid *roots =
            grpcc_arena_calloc(lookup->ctx->arena, rows->n_rows, sizeof *roots);
        if (roots == NULL) {
            return NULL;
        }
        for (size_t i = 0; i < rows->n_rows; i++) {
            const struct comb_sql_value *root = comb_sql_at(rows, i, COMB_FACTS_WORKSPACE_ROOT);
            if (root->type == COMB_SQL_BLOB) {
                roots[workspace.n_roots++] = to_uuid(root);
            }
        }
        workspace.roots = roots;
        workspace.id = to_uuid(comb_sql_at(rows, 0, COMB_FACTS_WORKSPACE_ID));
        workspace.owner = to_uuid(comb_sql_at(rows, 0, COMB_FACTS_WORKSPACE_OWNER));
        workspace.bin = to_uuid(comb_sql_at(rows, 0, COMB_FACTS_WORKSPACE_BIN));
        workspace.slug = comb_sql_at(rows, 0, COMB_FACTS_WORKSPACE_SLUG)->bytes;
        workspace.kind = (int)comb_sql_at(rows, 0, COMB_FACTS_WORKSPACE_KIND)->integer;
    }
    return comb_fact_workspace_pack(lookup->ctx->arena, &workspace, ret_size);
}

/* The same under each node in which a chain of it can end. */
static void put_ends(struct comb_lookup *lookup, void *block, size_t size)
{
    struct comb_facts_memory_key key;
    const struct comb_workspace_fact *workspace = comb_fact_workspace_repair(block);
    for (size_t i = 0; i < workspace->n_roots; i++) {
        if (comb_facts_key_of_end(&key, &workspace->roots[i])) {
            put(lookup, &key, block, size, false);
        }
    }
    if (!comb_uuid_is_nil(&workspace->id) && comb_facts_key_of_end(&key, &workspace->bin)) {
        put(lookup, &key, block, size, false);
    }
}

static bool take_workspace(struct comb_lookup *lookup, const struct comb_sql_rows *rows)
{
    size_t size;
    void *block = workspace_block(lookup, rows, &size);
    if (block == NULL) {
        return false;
    }
    struct comb_facts_memory_key key;
    if (lookup->personal ? comb_facts_key_of_personal(&key, &lookup->user)
                         : comb_facts_key_of_slug(&key, lookup->slug)) {
        put(lookup, &key, block, size, rows->n_rows == 0);
    }
    put_ends(lookup, block, size);
    lookup->workspace = *comb_fact_workspace_repair(block);
    return true;
}

/* The workspace in which the chain ends, by its end. */
static bool take_end(struct comb_lookup *lookup, const struct comb_sql_rows *rows)
{
    size_t size;
    void *block = workspace_block(lookup, rows, &size);
    if (block == NULL) {
        return false;
    }
    struct comb_facts_memory_key key;
    if (rows->n_rows == 0 && lookup->up.n > 0 &&
        comb_facts_key_of_end(&key, &lookup->up.links[lookup->up.n - 1].node->id)) {
        put(lookup, &key, block, size, true);
    }
    put_ends(lookup, block, size);
    lookup->end = *comb_fact_workspace_repair(block);
    return true;
}

static struct comb_node to_node(const struct comb_sql_rows *rows, size_t i)
{
    return (struct comb_node){
        .id = to_uuid(comb_sql_at(rows, i, COMB_FACTS_CHAIN_ID)),
        .parent = to_uuid(comb_sql_at(rows, i, COMB_FACTS_CHAIN_PARENT)),
        .name = comb_sql_at(rows, i, COMB_FACTS_CHAIN_NAME)->bytes,
        .kind = (int)comb_sql_at(rows, i, COMB_FACTS_CHAIN_KIND)->integer,
        .revision = to_unsigned(comb_sql_at(rows, i, COMB_FACTS_CHAIN_REV)),
        .acl_revision = to_unsigned(comb_sql_at(rows, i, COMB_FACTS_CHAIN_ACL_REV)),
        .size = to_unsigned(comb_sql_at(rows, i, COMB_FACTS_CHAIN_SIZE)),
        .blob = to_uuid(comb_sql_at(rows, i, COMB_FACTS_CHAIN_BLOB)),
        .sha256 = comb_sql_at(rows, i, COMB_FACTS_CHAIN_SHA256)->bytes,
        .media_type = comb_sql_at(rows, i, COMB_FACTS_CHAIN_MEDIA_TYPE)->bytes,
        .create_us = comb_sql_at(rows, i, COMB_FACTS_CHAIN_CREATE_US)->integer,
        .update_us = comb_sql_at(rows, i, COMB_FACTS_CHAIN_UPDATE_US)->integer,
        .trash_parent = to_uuid(comb_sql_at(rows, i, COMB_FACTS_CHAIN_TRASH_PARENT)),
        .trash_by = to_uuid(comb_sql_at(rows, i, COMB_FACTS_CHAIN_TRASH_BY)),
        .trash_name = comb_sql_at(rows, i, COMB_FACTS_CHAIN_TRASH_NAME)->bytes,
        .trash_us = comb_sql_at(rows, i, COMB_FACTS_CHAIN_TRASH_US)->integer,
    };
}

/* The node of row *at and its entries, remembered; *at goes behind its rows. NULL: no room. */
static const struct comb_fact_node *take_node(struct comb_lookup *lookup,
                                              const struct comb_sql_rows *rows, size_t *at)
{
    struct comb_fact_node fact = {.exists = true, .node = to_node(rows, *at)};
    size_t end = *at;
    int64_t depth = comb_sql_at(rows, *at, COMB_FACTS_CHAIN_DEPTH)->integer;
    while (end < rows->n_rows && comb_sql_at(rows, end, COMB_FACTS_CHAIN_DEPTH)->integer == depth) {
        end++;
    }
    struct comb_entry *entries = grpcc_arena_calloc(lookup->ctx->arena, end - *at, sizeof *entries);
    if (entries == NULL) {
        return NULL;
    }
    for (size_t i = *at; i < end; i++) {
        const struct comb_sql_value *role = comb_sql_at(rows, i, COMB_FACTS_CHAIN_ROLE);
        if (role->type != COMB_SQL_NULL) {
            entries[fact.n_entries++] = (struct comb_entry){
                .node = fact.node.id,
                .role = to_uuid(role),
                .granted_by = to_uuid(comb_sql_at(rows, i, COMB_FACTS_CHAIN_GRANTED_BY)),
                .rights = (int)comb_sql_at(rows, i, COMB_FACTS_CHAIN_RIGHTS)->integer,
                .expire_us = comb_sql_at(rows, i, COMB_FACTS_CHAIN_EXPIRE_US)->integer,
                .create_us = comb_sql_at(rows, i, COMB_FACTS_CHAIN_ENTRY_CREATE_US)->integer,
            };
        }
    }
    fact.entries = entries;
    *at = end;
    struct comb_facts_memory_key key;
    size_t size;
    void *block = comb_fact_node_pack(lookup->ctx->arena, &fact, &size);
    if (block != NULL && comb_facts_key_of_node(&key, &fact.node.id)) {
        put(lookup, &key, block, size, false);
    }
    return block == NULL ? NULL : comb_fact_node_repair(block);
}

static void remember_child(struct comb_lookup *lookup, const struct comb_uuid *parent,
                           comb_str name, const struct comb_uuid *id)
{
    struct comb_facts_memory_key key;
    struct comb_fact_child child = {0};
    if (id != NULL) {
        child.id = *id;
    }
    if (comb_facts_key_of_child(&key, parent, name)) {
        put(lookup, &key, &child, sizeof child, id == NULL);
    }
}

/* The node is known not to exist. */
static void remember_nothing(struct comb_lookup *lookup, const struct comb_uuid *id)
{
    struct comb_facts_memory_key key;
    struct comb_fact_node nothing = {.exists = false};
    if (comb_facts_key_of_node(&key, id)) {
        put(lookup, &key, &nothing, sizeof nothing, true);
    }
}

/* Rows come deepest first, so what is below the start is put in order here. */
static bool take_below(struct comb_lookup *lookup, const struct comb_fact_node **below, size_t n)
{
    while (n > 0) {
        const struct comb_fact_node *fact = below[--n];
        remember_child(lookup, &fact->node.parent, fact->node.name, &fact->node.id);
        if (!comb_lookup_push(lookup, &lookup->down, fact)) {
            return false;
        }
    }
    return true;
}

static bool take_chain(struct fetch *fetch, const struct comb_sql_rows *rows)
{
    struct comb_lookup *lookup = fetch->lookup;
    const struct comb_fact_node **below =
        grpcc_arena_calloc(lookup->ctx->arena, rows->n_rows, sizeof *below);
    size_t n_below = 0, n_rows = rows->n_rows;
    if (below == NULL) {
        return false;
    }
    if (n_rows > 0 && comb_sql_at(rows, 0, COMB_FACTS_CHAIN_ID)->type == COMB_SQL_NULL) {
        n_rows = 0; /* there is no such child */
    }
    for (size_t at = 0; at < n_rows;) {
        int64_t depth = comb_sql_at(rows, at, COMB_FACTS_CHAIN_DEPTH)->integer;
        const struct comb_fact_node *fact = take_node(lookup, rows, &at);
        if (fact == NULL) {
            return false;
        }
        if (depth > 0) {
            below[n_below++] = fact;
        } else if (!comb_lookup_push(lookup, &lookup->up, fact)) {
            return false;
        }
    }
    if (lookup->up.n == 0) { /* the start does not exist */
        if (!comb_uuid_is_nil(&lookup->start)) {
            remember_nothing(lookup, &lookup->start);
        }
        return true;
    }
    lookup->start = lookup->up.links[0].node->id;
    if (!take_below(lookup, below, n_below)) {
        return false;
    }
    if (lookup->down.n < fetch->n_asked) { /* the name that stopped the walk is free */
        remember_child(lookup, comb_lookup_deepest(lookup), lookup->parts[lookup->down.n], NULL);
    }
    return true;
}

/* The chain went up to a root, not only to the bound of the recursion. */
static void check_top(struct comb_lookup *lookup)
{
    if (lookup->up.n > 0 &&
        !comb_uuid_equal(&lookup->up.links[lookup->up.n - 1].node->parent, &comb_node_super_root)) {
        lookup->up.n = 0;
    }
}

/* The feed's head, of the snapshot of all of the answer; NULL: it does not say. */
static const struct comb_sql_value *position_in(const struct fetch *fetch,
                                                const struct comb_sql_rows *rows)
{
    if (fetch->position >= 0) {
        return rows[fetch->position].n_rows == 1 ? comb_sql_at(&rows[fetch->position], 0, 0) : NULL;
    }
    const struct comb_sql_rows *child = &rows[fetch->chain];
    return child->n_rows > 0 ? comb_sql_at(child, 0, COMB_FACTS_CHAIN_COLUMNS) : NULL;
}

static enum comb_status take(struct fetch *fetch, const struct comb_sql_result *result,
                             struct comb_error *err)
{
    struct comb_lookup *lookup = fetch->lookup;
    const struct comb_sql_rows *rows = result->rows;
    const struct comb_sql_value *position = position_in(fetch, rows);
    if (position == NULL) {
        return comb_error_set(err, COMB_INTERNAL, 0, "the feed's head cannot be read");
    }
    lookup->snapshot = to_unsigned(position);
    uint64_t incarnation = comb_sql_incarnation(lookup->facts->sql);
    if (lookup->incarnation != incarnation) { /* another server has taken over */
        lookup->incarnation = incarnation;
        lookup->sequence = lookup->snapshot;
    }
    if (lookup->sequence < lookup->snapshot) {
        lookup->sequence = lookup->snapshot;
    }
    bool room = true;
    if (fetch->subjects >= 0) {
        room = take_subjects(lookup, &rows[fetch->subjects]);
    }
    if (room && fetch->workspace >= 0) {
        room = take_workspace(lookup, &rows[fetch->workspace]);
    }
    if (room && fetch->chain >= 0) {
        room = take_chain(fetch, &rows[fetch->chain]);
        check_top(lookup);
    }
    if (room && fetch->end >= 0) {
        room = take_end(lookup, &rows[fetch->end]);
    } else if (fetch->workspace >= 0) { /* the chain began at a root of it */
        lookup->end = lookup->workspace;
    }
    return room ? COMB_OK : comb_error_no_memory(err);
}

static void fetched(void *data, enum comb_status status, const struct comb_sql_result *result,
                    const struct comb_error *err)
{
    struct fetch *fetch = data;
    struct comb_lookup *lookup = fetch->lookup;
    struct comb_error taken;
    if (status == COMB_OK) {
        status = take(fetch, result, &taken);
        err = &taken;
    }
    comb_lookup_end(lookup, status, err);
}

void comb_lookup_fetch(struct comb_lookup *lookup)
{
    struct fetch *fetch = grpcc_arena_zalloc(lookup->ctx->arena, sizeof *fetch);
    struct comb_error err;
    if (fetch != NULL) {
        fetch->lookup = lookup;
        fetch->position = fetch->subjects = fetch->workspace = fetch->chain = fetch->end = -1;
    }
    if (fetch == NULL || !ask(fetch)) {
        comb_lookup_end(lookup, comb_error_no_memory(&err), &err);
        return;
    }
    struct comb_sql_request request = {
        .kind = COMB_SQL_READ, .statements = fetch->statements, .n_statements = fetch->n};
    atomic_fetch_add(&lookup->facts->counters.misses, 1);
    lookup->tick = atomic_load_explicit(&lookup->facts->tick, memory_order_acquire);
    comb_sql_submit(lookup->facts->sql, lookup->ctx, &request, fetched, fetch);
}

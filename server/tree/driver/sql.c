/* SPDX-License-Identifier: Apache-2.0 */
/* The store over the sql row: values, rows, construction. */
#include "server/tree/driver/sql.h"

#include "server/core/memory.h"

struct comb_sql_value comb_tree_sql_id(const struct comb_uuid *id)
{
    return comb_uuid_is_nil(id) ? comb_sql_null() : comb_sql_uuid(id);
}

struct comb_sql_value comb_tree_sql_text(comb_str text)
{
    return comb_str_is_empty(text) ? comb_sql_null() : comb_sql_text(text);
}

struct comb_sql_value comb_tree_sql_blob(comb_str bytes)
{
    return comb_str_is_empty(bytes) ? comb_sql_null() : comb_sql_blob(bytes);
}

bool comb_tree_sql_bytes(struct grpcc_arena *arena, const struct comb_sql_value *value,
                         comb_str *ret_bytes)
{
    char *copy;

    if (value->type == COMB_SQL_NULL || value->bytes.len == 0) {
        *ret_bytes = (comb_str){0};
        return true;
    }
    copy = grpcc_arena_memdup(arena, value->bytes.ptr, value->bytes.len);
    if (!copy)
        return false;
    *ret_bytes = comb_str_of(copy, value->bytes.len);
    return true;
}

struct comb_uuid comb_tree_sql_uuid(const struct comb_sql_value *value)
{
    struct comb_uuid id = {{0}};

    if (value->type == COMB_SQL_BLOB && value->bytes.len == sizeof id.bytes)
        memcpy(id.bytes, value->bytes.ptr, sizeof id.bytes);
    return id;
}

enum comb_status comb_tree_sql_node(struct grpcc_arena *arena, const struct comb_sql_value *row,
                                    struct comb_node *ret_node, struct comb_error *err)
{
    struct comb_node node = {
        .id = comb_tree_sql_uuid(&row[0]),
        .parent = comb_tree_sql_uuid(&row[1]),
        .kind = (int)row[3].integer,
        .revision = (uint64_t)row[4].integer,
        .acl_revision = (uint64_t)row[5].integer,
        .size = (uint64_t)row[6].integer,
        .blob = comb_tree_sql_uuid(&row[7]),
        .create_us = row[10].integer,
        .update_us = row[11].integer,
        .trash_parent = comb_tree_sql_uuid(&row[12]),
        .trash_us = row[14].integer,
        .trash_by = comb_tree_sql_uuid(&row[15]),
    };

    if (comb_uuid_is_nil(&node.id) || comb_uuid_is_nil(&node.parent))
        return comb_error_set(err, COMB_INTERNAL, 0, "a row of node has no id or parent");
    if (!comb_tree_sql_bytes(arena, &row[2], &node.name) ||
        !comb_tree_sql_bytes(arena, &row[8], &node.sha256) ||
        !comb_tree_sql_bytes(arena, &row[9], &node.media_type) ||
        !comb_tree_sql_bytes(arena, &row[13], &node.trash_name))
        return comb_error_no_memory(err);
    *ret_node = node;
    return COMB_OK;
}

struct comb_position comb_tree_sql_head(const struct comb_tree_sql *store,
                                        const struct comb_sql_rows *rows)
{
    struct comb_position head = {.incarnation = comb_sql_incarnation(store->sql)};

    if (rows->n_rows > 0)
        head.sequence = (uint64_t)comb_sql_at(rows, 0, 0)->integer;
    return head;
}

static void tree_sql_close(struct comb_tree_store *base)
{
    comb_memory_free(base);
}

static const struct comb_tree_store_driver driver = {
    .name = "sql",
    .children = comb_tree_sql_children,
    .details = comb_tree_sql_details,
    .locks = comb_tree_sql_locks,
    .walk = comb_tree_sql_walk,
    .below = comb_tree_sql_below,
    .plan_insert = comb_tree_sql_plan_insert,
    .plan_content = comb_tree_sql_plan_content,
    .plan_place = comb_tree_sql_plan_place,
    .plan_meta = comb_tree_sql_plan_meta,
    .plan_lock = comb_tree_sql_plan_lock,
    .totals_position = comb_tree_sql_totals_position,
    .totals_apply = comb_tree_sql_totals_apply,
    .totals_rebuild = comb_tree_sql_totals_rebuild,
    .purgeable = comb_tree_sql_purgeable,
    .purge = comb_tree_sql_purge,
    .close = tree_sql_close,
};

const struct comb_sql_schema *const comb_tree_schemas[] = {
    &comb_tree_schema_sqlite,
    &comb_tree_schema_postgres,
    NULL,
};

enum comb_status comb_tree_store_open(struct comb_sql *sql, struct comb_tree_store **ret_store,
                                      struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_tree_schemas, err);
    struct comb_tree_sql *store;

    if (!schema)
        return COMB_INTERNAL;
    store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->sql = sql;
    store->dialect = schema->dialect;
    *ret_store = &store->base;
    return COMB_OK;
}

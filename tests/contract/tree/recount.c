/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/tree/recount.h"

#include <stdlib.h>

struct row {
    struct comb_uuid id, parent;
    bool is_file;
    int64_t size;
    struct comb_tree_totals counted, stored;
};

static const char all_rows[] =
    "SELECT n.id, n.parent, n.kind, n.size, coalesce(t.bytes, 0), coalesce(t.files, 0),"
    " coalesce(t.folders, 0) FROM node n LEFT JOIN folder_total t ON t.node = n.id";

static struct comb_uuid id_at(const struct comb_sql_rows *rows, size_t row, size_t column)
{
    struct comb_uuid id;

    memcpy(id.bytes, comb_sql_at(rows, row, column)->bytes.ptr, sizeof id.bytes);
    return id;
}

static struct row *read_rows(struct fixture *f, size_t *ret_n)
{
    const struct comb_sql_statement statement = {.text = all_rows};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_SCAN, .statements = &statement, .n_statements = 1};
    const struct comb_sql_result *result;
    const struct comb_sql_rows *rows;
    struct row *all;

    must_ok(comb_sql_run(f->sql, more(f), &request, &result, &f->test.err), &f->test.err);
    rows = &result->rows[0];
    all = calloc(rows->n_rows, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < rows->n_rows; i++)
        all[i] = (struct row){.id = id_at(rows, i, 0),
                              .parent = id_at(rows, i, 1),
                              .is_file = comb_sql_at(rows, i, 2)->integer == 1,
                              .size = comb_sql_at(rows, i, 3)->integer,
                              .stored = {.bytes = comb_sql_at(rows, i, 4)->integer,
                                         .files = comb_sql_at(rows, i, 5)->integer,
                                         .folders = comb_sql_at(rows, i, 6)->integer}};
    *ret_n = rows->n_rows;
    return all;
}

static struct row *find(struct row *rows, size_t n, const struct comb_uuid *id)
{
    for (size_t i = 0; i < n; i++) {
        if (comb_uuid_equal(&rows[i].id, id))
            return &rows[i];
    }
    fail_msg("a node's parent does not exist");
    return NULL;
}

void must_be_recounted(struct fixture *f)
{
    struct row *rows;
    size_t n;

    must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
    rows = read_rows(f, &n);
    for (size_t i = 0; i < n; i++) {
        struct comb_uuid above = rows[i].parent;
        int depth = 0;

        while (!comb_uuid_equal(&above, &comb_node_super_root)) {
            struct row *folder = find(rows, n, &above);

            assert_false(folder->is_file);
            folder->counted.bytes += rows[i].size;
            folder->counted.files += rows[i].is_file;
            folder->counted.folders += !rows[i].is_file;
            above = folder->parent;
            assert_true(++depth < 1000);
        }
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].stored.bytes, rows[i].counted.bytes);
        assert_int_equal(rows[i].stored.files, rows[i].counted.files);
        assert_int_equal(rows[i].stored.folders, rows[i].counted.folders);
    }
    free(rows);
}

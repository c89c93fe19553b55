/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages as callers get them: the domains of search and activities, over the index and the items of
 * docs.c and a tree with the same files, whose entries say who may read what. Facts are remembered
 * as in a server, in 64 MiB, so most of a million files are not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/activity.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "grpcc/wkt.h"
#include "server/activities/activities.h"
#include "server/search/search.h"
#include "tests/bench/docs.h"
#include "tests/support/areas.h"
#include "tests/support/letters.h"

/* The file of a number lies in the folder that is left when it is divided by FOLDERS. */
enum { FOLDERS = 10000, ROWS_MAX = 500 };
/* Calls that ask SQL for thousands of files are not made as often. */
enum { ROUNDS = 20 };
/* Above the numbers of all entries, and below those of the items' keys. */
static const unsigned folders_begin = 3000000000u;

struct rights_bench {
    struct docs_bench *bench;
    struct test_areas areas;
    struct comb_search *search;
    struct comb_activities *activities;
    struct test_ctx admin;
    struct comb_uuid top;
};

/* A user who may read one of so many files. */
struct reader {
    const char *login;
    unsigned one_of;
    struct test_ctx as;
};

/* ---- what is put ---- */

comb_str docs_body_of(struct docs_bench *bench, unsigned number)
{
    const struct comb_uuid id = letter_id(number);
    const struct timespec time = {.tv_sec = 1700000000 + number};
    struct grpcc_arena *arena = bench->ctx.arena;
    struct comb_v1_activity *activity = comb_v1_activity_new(arena);
    if (!activity)
        exit(1);
    activity->type = COMB_V1_ACTIVITY_TYPE_UPDATE;
    activity->change = COMB_V1_CHANGE_KIND_CONTENT;
    activity->published = grpcc_timestamp_new(arena, &time);
    activity->object = comb_v1_activity_object_new(arena);
    if (!activity->object)
        exit(1);
    activity->object->kind = COMB_V1_NODE_KIND_FILE;
    comb_v1_activity_object_set_id(activity->object, comb_uuid_text(arena, &id));
    comb_v1_activity_object_set_name(activity->object,
                                     grpcc_arena_printf(arena, "letter %u", number));
    comb_v1_activity_object_set_media_type(activity->object, "text/plain");
    size_t size = protobuf_c_message_get_packed_size(&activity->base);
    uint8_t *bytes = grpcc_arena_alloc(arena, size);
    if (!bytes)
        exit(1);
    return comb_str_of(bytes, protobuf_c_message_pack(&activity->base, bytes));
}

static void write_rows(struct rights_bench *rights, const char *text,
                       const struct comb_sql_value *params, size_t n)
{
    const struct comb_sql_statement statement = {text, params, n, false};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct test_ctx *t = &rights->admin;
    test_areas_next(t);
    docs_must(rights->bench,
              comb_sql_run(rights->areas.sql, &t->ctx, &request, &result, &rights->bench->err));
}

/* Rows as the tree has them, without its feed: nobody has asked for any of them yet. */
static void put_nodes(struct rights_bench *rights, const struct comb_uuid *ids,
                      const struct comb_uuid *parents, size_t n, int kind)
{
    static const char insert[] =
        "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, media_type, create_us,"
        " update_us) WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers"
        " WHERE i + 1 < ?3) SELECT substr(?1, i * 16 + 1, 16), substr(?2, i * 16 + 1, 16),"
        " hex(substr(?1, i * 16 + 1, 16)), ?4, 1, 1, 10, 'text/plain', 1, 1 FROM numbers";
    const struct comb_sql_value params[] = {
        comb_sql_blob(comb_str_of(ids, n * sizeof *ids)),
        comb_sql_blob(comb_str_of(parents, n * sizeof *parents)), comb_sql_integer((int64_t)n),
        comb_sql_integer(kind)};
    write_rows(rights, insert, params, 4);
}

static struct comb_uuid folder_of(unsigned number)
{
    return letter_id(folders_begin + number % FOLDERS);
}

static void put_tree(struct rights_bench *rights)
{
    struct comb_uuid ids[ROWS_MAX], parents[ROWS_MAX];
    for (unsigned at = 0; at < FOLDERS; at += ROWS_MAX) {
        for (unsigned i = 0; i < ROWS_MAX; i++) {
            ids[i] = folder_of(at + i);
            parents[i] = rights->top;
        }
        put_nodes(rights, ids, parents, ROWS_MAX, COMB_V1_NODE_KIND_FOLDER);
    }
    for (unsigned at = 0; at < rights->bench->entries; at += ROWS_MAX) {
        unsigned n =
            rights->bench->entries - at < ROWS_MAX ? rights->bench->entries - at : ROWS_MAX;
        for (unsigned i = 0; i < n; i++) {
            ids[i] = letter_id(at + i + 1);
            parents[i] = folder_of(at + i + 1);
        }
        put_nodes(rights, ids, parents, n, COMB_V1_NODE_KIND_FILE);
    }
}

static void let_read(struct rights_bench *rights, const struct comb_uuid *node,
                     const struct comb_uuid *user)
{
    static const char insert[] = "INSERT INTO entry (node, role, rights, expire_us, create_us,"
                                 " granted_by) VALUES (?1, ?2, 1, 0, 1, ?2)";
    const struct comb_sql_value params[] = {comb_sql_uuid(node), comb_sql_uuid(user)};
    write_rows(rights, insert, params, 2);
}

static void make_reader(struct rights_bench *rights, struct reader *reader)
{
    test_areas_next(&rights->admin);
    struct comb_user user = test_areas_user(&rights->areas, &rights->admin, reader->login);
    if (reader->one_of == 1)
        let_read(rights, &rights->top, &user.id);
    for (unsigned i = 0; i < FOLDERS && reader->one_of > 1; i += reader->one_of) {
        struct comb_uuid folder = folder_of(i);
        let_read(rights, &folder, &user.id);
    }
    test_areas_ctx(&rights->areas, &reader->as, reader->login);
}

/* ---- what is measured ---- */

static struct test_ctx *call_as(struct rights_bench *rights, struct test_ctx *as)
{
    test_areas_next(as);
    as->ctx.deadline_ns = rights->bench->ctx.deadline_ns;
    return as;
}

struct asking {
    struct rights_bench *rights;
    struct reader *reader;
    const char *query;
    const struct comb_uuid *in;
};

/* A page that goes on from *state, which is that of the next page then. */
static size_t ask(const struct asking *asking, char state[COMB_SEARCH_STATE_MAX], size_t *state_len)
{
    struct docs_bench *bench = asking->rights->bench;
    struct test_ctx *as = call_as(asking->rights, &asking->reader->as);
    struct comb_v1_search_query_response *response =
        comb_v1_search_query_response_new(as->ctx.arena);
    struct comb_v1_node_ref *in = comb_v1_node_ref_new(as->ctx.arena);
    struct comb_search_question question = {.text = comb_str_from(asking->query)};
    comb_str next = STR("");
    if (!response || !in)
        exit(1);
    if (asking->in) {
        comb_v1_node_ref_set_id(in, comb_uuid_text(as->ctx.arena, asking->in));
        question.in = in;
    }
    docs_must(bench,
              comb_search_query(asking->rights->search, &as->ctx, &question, DOCS_PAGE, 0,
                                comb_str_of(state, *state_len), response, &next, &bench->err));
    memcpy(state, next.len ? next.ptr : "", next.len);
    *state_len = next.len;
    return response->n_hits;
}

static size_t search_call(struct docs_bench *bench, const void *data, unsigned before)
{
    char state[COMB_SEARCH_STATE_MAX] = {1}; /* behind the names */
    size_t len = 0;
    (void)bench;
    if (before) {
        const struct comb_uuid id = letter_id(before);
        memcpy(state + 1, id.bytes, sizeof id.bytes);
        len = 1 + sizeof id.bytes;
    }
    return ask(data, state, &len);
}

static size_t count_call(struct docs_bench *bench, const void *data, unsigned before)
{
    const struct asking *asking = data;
    struct test_ctx *as = call_as(asking->rights, &asking->reader->as);
    struct comb_v1_search_facets_response *response =
        comb_v1_search_facets_response_new(as->ctx.arena);
    const struct comb_search_question question = {.text = comb_str_from(asking->query)};
    (void)before;
    if (!response)
        exit(1);
    docs_must(bench, comb_search_facets(asking->rights->search, &as->ctx, &question, response,
                                        &bench->err));
    return response->hits;
}

static void measure_search(struct rights_bench *rights, struct reader *reader,
                           const struct comb_uuid *in)
{
    const struct asking asking = {rights, reader, "common", in};
    char state[COMB_SEARCH_STATE_MAX], what[128];
    size_t n = 0, len = 0;
    struct docs_row row = {.what = what};
    do {
        n += ask(&asking, state, &len);
        row.calls++;
    } while (len > 0 && n < DOCS_PAGE);
    unsigned one_of = in ? FOLDERS : reader->one_of;
    size_t least = rights->bench->entries / one_of;
    least = least < DOCS_PAGE ? least : DOCS_PAGE;
    if (n != least) {
        fprintf(stderr, "docs_bench: %s finds %zu of %zu\n", reader->login, n, least);
        exit(1);
    }
    snprintf(what, sizeof what, "`Search.Query` `common`%s, reads %g %%", in ? " in a folder" : "",
             100.0 / reader->one_of);
    docs_measure(rights->bench, search_call, &asking, &row);
    if (in)
        return;
    snprintf(what, sizeof what, "`Search.Facets` `common`, reads %g %%", 100.0 / reader->one_of);
    row.calls = 0;
    docs_measure(rights->bench, count_call, &asking, &row);
}

static size_t feed_call(struct docs_bench *bench, const void *data, unsigned before)
{
    const struct asking *asking = data;
    struct test_ctx *as = call_as(asking->rights, &asking->reader->as);
    struct comb_activity_query query = {.max = DOCS_PAGE};
    struct comb_activity_page page;
    if (before)
        query.before = docs_place_of(bench, before);
    docs_must(bench, comb_activities_feed(asking->rights->activities, &as->ctx, &query, &page,
                                          &bench->err));
    return page.n;
}

static void measure_feed(struct rights_bench *rights, struct reader *reader)
{
    const struct asking asking = {.rights = rights, .reader = reader};
    char what[128];
    struct docs_row row = {.what = what};
    for (unsigned i = 0; i < DOCS_KEYS; i++) {
        const struct comb_uuid node = docs_key_node(i);
        struct comb_v1_activity_follow *follow;
        struct test_ctx *as = call_as(rights, &reader->as);
        docs_must(rights->bench, comb_activities_follow(rights->activities, &as->ctx, &node, NULL,
                                                        &follow, &rights->bench->err));
    }
    snprintf(what, sizeof what, "`Activities.Feed` of 100 followed, reads %g %%",
             100.0 / reader->one_of);
    docs_measure(rights->bench, feed_call, &asking, &row);
}

static enum comb_status find_user(void *data, struct comb_ctx *ctx, comb_str login,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    return comb_identity_find_user(data, ctx, login, ret_id, err);
}

static void open_rights(struct rights_bench *rights, const char *folder)
{
    struct docs_bench *bench = rights->bench;
    struct test_areas *areas = &rights->areas;
    bool created = false;
    test_areas_open(areas, strdup(folder));
    test_ctx_init(&rights->admin);
    rights->admin.ctx.principal = NULL;
    docs_must(bench, comb_identity_bootstrap(areas->identity, &rights->admin.ctx, STR("admin"),
                                             STR(TEST_ADMIN_PASSWORD), &created, &bench->err));
    test_ctx_done(&rights->admin);
    test_areas_ctx(areas, &rights->admin, "admin");
    const struct comb_search_parts search = {
        .store = bench->search,
        .access = areas->access,
        .reach = {areas->facts, areas->permissions, areas->tree_store},
        .patience = COMB_SEARCH_PATIENCE,
        .find_user = find_user,
        .data = areas->identity};
    const struct comb_activities_parts activities = {
        .store = bench->items, .sql = areas->sql, .facts = areas->facts, .access = areas->access};
    docs_must(bench, comb_search_new(&search, &rights->search, &bench->err));
    docs_must(bench, comb_activities_new(&activities, &rights->activities, &bench->err));
}

/* The folder of all files: below a workspace's root, which is known already. */
static void make_top(struct rights_bench *rights)
{
    const struct comb_request_key key = test_key();
    const struct comb_workspaces_new_workspace input = {.slug = STR("all")};
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    struct comb_ctx *ctx = &rights->admin.ctx;
    struct comb_error *err = &rights->bench->err;
    struct comb_workspace_view view;
    struct comb_access_node root;
    test_areas_next(&rights->admin);
    docs_must(rights->bench,
              comb_workspaces_create(rights->areas.workspaces, ctx, &key, &input, &view, err));
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(ctx->arena);
    if (!ref)
        exit(1);
    comb_v1_node_ref_set_path(ref, "/all");
    ctx->strong = true;
    docs_must(rights->bench,
              comb_access_resolve(rights->areas.access, ctx, ref, &options, &root, err));
    const struct comb_uuid parent = root.node->id;
    rights->top = letter_id(folders_begin - 1);
    put_nodes(rights, &rights->top, &parent, 1, COMB_V1_NODE_KIND_FOLDER);
}

void docs_measure_rights(struct docs_bench *bench, const char *folder)
{
    struct rights_bench rights = {.bench = bench};
    struct reader readers[] = {{.login = "all", .one_of = 1},
                               {.login = "some", .one_of = 100},
                               {.login = "few", .one_of = FOLDERS}};
    const struct comb_uuid first = folder_of(0);
    bench->rounds = bench->rounds < ROUNDS ? bench->rounds : ROUNDS;
    open_rights(&rights, folder);
    make_top(&rights);
    put_tree(&rights);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        make_reader(&rights, &readers[i]);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        measure_search(&rights, &readers[i], NULL);
    measure_search(&rights, &readers[0], &first);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        measure_feed(&rights, &readers[i]);
        test_ctx_done(&readers[i].as);
    }
    comb_activities_free(rights.activities);
    comb_search_free(rights.search);
    test_ctx_done(&rights.admin);
    test_areas_done(&rights.areas);
}

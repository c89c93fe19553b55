/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/activities/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/docs_row.h"

static struct comb_v1_node_ref *ref_of(struct test_ctx *as, const struct comb_uuid *node)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(as->ctx.arena);
    comb_v1_node_ref_set_id(ref, comb_uuid_text(as->ctx.arena, node));
    return ref;
}

static struct comb_v1_node_ref *path_of(struct fixture *f, struct test_ctx *as, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(as->ctx.arena);
    comb_v1_node_ref_set_path(
        ref, grpcc_arena_printf(as->ctx.arena, "/%s%s%s", f->slug, path[0] ? "/" : "", path));
    return ref;
}

static enum comb_status find_user(void *data, struct comb_ctx *ctx, comb_str login,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    return comb_identity_find_user(data, ctx, login, ret_id, err);
}

static enum comb_status find_role(void *data, struct comb_ctx *ctx, comb_str name,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    return comb_identity_find_role(data, ctx, name, ret_id, err);
}

void start_consuming(struct fixture *f)
{
    const struct comb_consumers_options options = {
        .sql = f->areas.sql, .store = f->leases, .lease_ms = 60000, .poll_ms = 20};
    const struct comb_consumer consumer = comb_activities_consumer(f->activities);
    struct comb_error err;
    must_ok(comb_consumers_new(&options, &f->consumers, &err), &err);
    must_ok(comb_consumers_add(f->consumers, &consumer, &err), &err);
    must_ok(comb_consumers_start(f->consumers, &err), &err);
}

static void open_activities(struct fixture *f)
{
    struct comb_error err;
    must_ok(comb_sql_migrate_schema(f->areas.sql, comb_consumers_schemas, &err), &err);
    must_ok(comb_consumers_store_open(f->areas.sql, &f->leases, &err), &err);
    f->docs = test_docs_row_open();
    must_ok(comb_items_store_open(f->docs, COMB_ITEMS_ACTIVITIES, &f->store, &err), &err);
    const struct comb_activities_parts parts = {
        .store = f->store, .sql = f->areas.sql, .facts = f->areas.facts, .access = f->areas.access};
    must_ok(comb_activities_new(&parts, &f->activities, &err), &err);
}

int fixture_setup_all(void **state)
{
    static struct fixture f;
    struct comb_error err;
    test_areas_init(&f.areas);
    test_areas_ctx(&f.areas, &f.admin, "admin");
    test_areas_user(&f.areas, &f.admin, "anna");
    test_areas_user(&f.areas, &f.admin, "bert");
    test_areas_ctx(&f.areas, &f.anna, "anna");
    test_areas_ctx(&f.areas, &f.bert, "bert");
    const struct comb_permissions_parts permissions = {
        .store = f.areas.permissions,
        .access = f.areas.access,
        .facts = f.areas.facts,
        .mutations = f.areas.mutations,
        .directory = {.find_user = find_user, .find_role = find_role, .data = f.areas.identity},
    };
    must_ok(comb_permissions_new(&permissions, &f.permissions, &err), &err);
    open_activities(&f);
    start_consuming(&f);
    *state = &f;
    return 0;
}

int fixture_teardown_all(void **state)
{
    struct fixture *f = *state;
    comb_consumers_stop(f->consumers);
    comb_consumers_free(f->consumers);
    comb_activities_free(f->activities);
    comb_items_store_close(f->store);
    test_docs_row_close(f->docs);
    comb_consumers_store_close(f->leases);
    comb_permissions_free(f->permissions);
    test_ctx_done(&f->admin);
    test_ctx_done(&f->anna);
    test_ctx_done(&f->bert);
    test_areas_done(&f->areas);
    return 0;
}

int fixture_setup(void **state)
{
    static int number;
    struct fixture *f = *state;
    const struct comb_request_key key = test_key();
    struct comb_workspace_view view;
    snprintf(f->slug, sizeof f->slug, "team-%d", ++number);
    const struct comb_workspaces_new_workspace input = {
        .slug = comb_str_from(f->slug), .default_rights = COMB_V1_RIGHTS_READ_WRITE};
    test_areas_next(&f->admin);
    must_ok(comb_workspaces_create(f->areas.workspaces, &f->admin.ctx, &key, &input, &view,
                                   &f->admin.err),
            &f->admin.err);
    return 0;
}

void await_consumed(struct fixture *f)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 60 * 50; i++) {
        const struct comb_consumer_status *status;
        size_t n = 0;
        test_areas_next(&f->admin);
        must_ok(comb_consumers_status(f->consumers, &f->admin.ctx, &status, &n, &f->admin.err),
                &f->admin.err);
        if (n == 1 && status[0].n_behind == 0 && status[0].lease.place.rebuild == COMB_REBUILD_NONE)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("the activities do not catch up");
}

/* ---- changes ---- */

struct comb_uuid node_at(struct fixture *f, const char *path)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    struct comb_access_node node;
    test_areas_next(&f->admin);
    f->admin.ctx.strong = true;
    must_ok(comb_access_resolve(f->areas.access, &f->admin.ctx, path_of(f, &f->admin, path),
                                &options, &node, &f->admin.err),
            &f->admin.err);
    f->admin.ctx.strong = false;
    return node.node->id;
}

struct comb_uuid make_folder(struct fixture *f, struct test_ctx *as, const char *path)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    test_areas_next(as);
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(as->ctx.arena);
    const char *slash = strrchr(path, '/');
    request->parent = path_of(
        f, as, slash ? grpcc_arena_strndup(as->ctx.arena, path, (size_t)(slash - path)) : "");
    comb_v1_tree_create_folder_request_set_name(request, slash ? slash + 1 : path);
    must_ok(comb_tree_create_folder(f->areas.tree, &as->ctx, &key, request, &changed, &as->err),
            &as->err);
    return changed.view.node.id;
}

void move_to(struct fixture *f, struct test_ctx *as, const char *path, const char *parent,
             const char *name)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    test_areas_next(as);
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(as->ctx.arena);
    request->node = path_of(f, as, path);
    request->target_parent = path_of(f, as, parent);
    comb_v1_tree_move_request_set_target_name(request, name);
    must_ok(comb_tree_move(f->areas.tree, &as->ctx, &key, request, &changed, &as->err), &as->err);
}

void set_label(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node,
               const char *label)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    test_areas_next(as);
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(as->ctx.arena);
    struct comb_v1_metadata *metadata = comb_v1_metadata_new(as->ctx.arena);
    request->node = ref_of(as, node);
    comb_v1_metadata_set_namespace(metadata, "test");
    comb_v1_metadata_set_name(metadata, "label");
    metadata->value = comb_v1_metadata_value_new(as->ctx.arena);
    comb_v1_metadata_value_set_text(metadata->value, label);
    assert_true(comb_v1_tree_set_metadata_request_add_set(as->ctx.arena, request, metadata));
    must_ok(comb_tree_set_metadata(f->areas.tree, &as->ctx, &key, request, &changed, &as->err),
            &as->err);
}

static void delete_node(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node,
                        bool for_good)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    test_areas_next(as);
    struct comb_v1_tree_delete_request *request = comb_v1_tree_delete_request_new(as->ctx.arena);
    request->node = ref_of(as, node);
    request->permanently = for_good;
    must_ok(comb_tree_delete(f->areas.tree, &as->ctx, &key, request, &changed, &as->err), &as->err);
}

void recycle(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node)
{
    delete_node(f, as, node, false);
}

void delete_for_good(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node)
{
    delete_node(f, as, node, true);
    test_areas_next(as);
    must_ok(comb_tree_settle(f->areas.tree, &as->ctx, &as->err), &as->err);
}

void grant(struct fixture *f, const struct comb_uuid *node, const char *login, int rights)
{
    const struct comb_request_key key = test_key();
    struct comb_permission permission;
    test_areas_next(&f->admin);
    const struct comb_permissions_grant one = {.node = ref_of(&f->admin, node),
                                               .subject = {.name = comb_str_from(login)},
                                               .rights = rights};
    must_ok(comb_permissions_grant(f->permissions, &f->admin.ctx, &key, &one, &permission,
                                   &f->admin.err),
            &f->admin.err);
}

/* ---- feeds ---- */

const char *feed_text(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node,
                      const struct comb_uuid *user, size_t max)
{
    static const char *const types[] = {"?", "create", "update", "move", "delete", "undo"};
    static char text[8192];
    char before[128] = "";
    size_t len = 0;
    text[0] = '\0';
    do {
        struct comb_activity_query query = {
            .scope = {node, user, false}, .before = comb_str_from(before), .max = max};
        struct comb_activity_page page;
        test_areas_next(as);
        as->ctx.strong = true;
        must_ok(comb_activities_feed(f->activities, &as->ctx, &query, &page, &as->err), &as->err);
        for (size_t i = 0; i < page.n; i++) {
            const struct comb_v1_activity *activity = page.activities[i];
            if (strcmp(activity->object->name, f->slug) == 0)
                continue;
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %s", len ? ", " : "",
                                    types[activity->type], activity->object->name);
            if (activity->count > 1)
                len += (size_t)snprintf(text + len, sizeof text - len, " x%u", activity->count);
            assert_true(len < sizeof text);
        }
        assert_true(page.next.len < sizeof before);
        memcpy(before, page.next.ptr ? page.next.ptr : "", page.next.len);
        before[page.next.len] = '\0';
    } while (before[0]);
    as->ctx.strong = false;
    return text;
}

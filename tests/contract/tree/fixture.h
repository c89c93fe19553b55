/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree over a real store: a workspace "work" of a user who calls, and a second user without
 * rights. Whoever calls reads what he wrote: each call carries the position of the one before.
 */
#ifndef COMB_TESTS_TREE_FIXTURE_H
#define COMB_TESTS_TREE_FIXTURE_H

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/mutation/feed.h"
#include "server/tree/tree.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx test;
    struct comb_sql *sql;
    struct comb_facts *facts;
    struct comb_access *access;
    struct comb_mutations *mutations;
    struct comb_tree_store *store;
    struct comb_tree *tree;
    struct comb_uuid owner, stranger;
    struct comb_workspace_fact workspace; /* slug "work" */
    struct comb_uuid root;
    struct comb_position seen;
    uint64_t lock_token, replaced_lock_token; /* that calls of any outcome give; 0: none */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Over any empty row, which it takes and closes in the end. */
struct fixture *fixture_new(struct comb_sql *sql);
void fixture_free(struct fixture *f);
/* All but the tree, and the tree again: the server was restarted. */
void fixture_restart(struct fixture *f);

/* A new ctx for the next call; what the last one returned is gone. */
struct comb_ctx *next(struct fixture *f);
/* The same, keeping what was returned. */
struct comb_ctx *more(struct fixture *f);
/* From now on that user calls. */
void become(struct fixture *f, const struct comb_uuid *user);
/* A third user, and more. */
void add_user(struct fixture *f, const struct comb_uuid *user);
/* An entry on a node; rights UNSPECIFIED takes it away. */
void grant(struct fixture *f, const struct comb_uuid *node, const struct comb_uuid *role,
           enum comb_v1_rights rights);

/* Rows that a statement returns; its first value, for counting. */
int64_t sql_number(struct fixture *f, const char *text, const struct comb_uuid *id);

struct comb_v1_node_ref *ref_path(struct fixture *f, const char *path);
struct comb_v1_node_ref *ref_id(struct fixture *f, const struct comb_uuid *id);
struct comb_request_key new_key(void);

/* Calls that must succeed; strings live until next(). */
struct comb_node mkdir_at(struct fixture *f, const char *parent, const char *name);
struct comb_node put(struct fixture *f, const char *parent, const char *name, uint64_t size);
struct comb_node stat_path(struct fixture *f, const char *path);
struct comb_node move_to(struct fixture *f, const char *from, const char *to_parent,
                         const char *name);
struct comb_node recycle(struct fixture *f, const char *path);
void delete_for_good(struct fixture *f, const char *path);

/* Calls with any outcome. */
enum comb_status try_stat(struct fixture *f, const struct comb_v1_node_ref *ref, uint32_t with,
                          struct comb_tree_view *ret_view);
enum comb_status try_mkdir(struct fixture *f, const char *parent, const char *name, bool parents,
                           bool exist_ok, struct comb_tree_changed *ret_changed);
enum comb_status try_put(struct fixture *f, const char *parent, const char *name, uint64_t size,
                         enum comb_tree_condition condition, const char *etag,
                         struct comb_node *ret_node);
enum comb_status try_move(struct fixture *f, const char *from, const char *to_parent,
                          const char *name, enum comb_v1_move_conflict conflict,
                          struct comb_tree_changed *ret_changed);
enum comb_status try_delete(struct fixture *f, const struct comb_v1_node_ref *ref, bool permanently,
                            struct comb_tree_changed *ret_changed);
enum comb_status try_restore(struct fixture *f, const struct comb_uuid *id, const char *to_parent,
                             const char *name, struct comb_tree_changed *ret_changed);

/* Times that a test of what a call costs is made at most: on a machine so busy that memory gets old
 * meanwhile the call has to ask again, and the least counts. */
#define TRIES_MAX 10

/* The call fails with that status and that reason. */
#define must_refuse(expected_status, expected_reason, call)                                        \
    do {                                                                                           \
        must_fail(expected_status, call, &f->test.err);                                            \
        assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_##expected_reason);              \
    } while (0)

#endif

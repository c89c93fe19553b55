/* SPDX-License-Identifier: Apache-2.0 */
/* Access and permissions over facts over a store. Names are ids here: the directory knows two more,
 * "anna" (the workspace's owner) and "ben" (somebody else). */
#ifndef COMB_TESTS_PERMISSIONS_FIXTURE_H
#define COMB_TESTS_PERMISSIONS_FIXTURE_H

#include "server/permissions/permissions.h"
#include "tests/contract/facts/fixture.h"

struct rights_fixture {
    struct fixture *f;
    struct comb_access *access;
    struct comb_mutations *mutations;
    struct comb_permissions_store *store;
    struct comb_permissions *permissions;
    struct comb_uuid group; /* "/staff"; nil until the test says which */
};

int rights_setup(void **state);
int rights_teardown(void **state);

/* The next call is of that user, and sees all that was written before. */
struct comb_ctx *call_as(struct rights_fixture *fixture, const struct comb_uuid *user);
/* The same with a token of these scopes. */
struct comb_ctx *call_scoped(struct rights_fixture *fixture, const struct comb_uuid *user,
                             const struct comb_scope *scopes, size_t n_scopes);

/* References, in the arena of the call. */
struct comb_v1_node_ref *by_path(struct comb_ctx *ctx, const char *path);
struct comb_v1_node_ref *by_id(struct comb_ctx *ctx, const struct comb_uuid *id);
struct comb_v1_node_ref *by_both(struct comb_ctx *ctx, const struct comb_uuid *id,
                                 const char *path);

struct comb_request_key new_key(void);

#define RIGHTS_TEST(function)                                                                      \
    cmocka_unit_test_setup_teardown(function, rights_setup, rights_teardown)

/* Each returns the number of tests that failed. */
int run_suite_access(void);
int run_suite_changes(void);
int run_suite_check(void);
int run_suite_reach(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An installation without a server: all areas over an empty sql row (sql_row.h) and a json vault,
 * put together as main does, for tests that call domains. The administrator "admin" is there.
 */
#ifndef COMB_TESTS_AREAS_H
#define COMB_TESTS_AREAS_H

#include "server/auth/auth.h"
#include "server/backend/sql/sql.h"
#include "server/facts/facts.h"
#include "server/identity/identity.h"
#include "server/permissions/access.h"
#include "server/tree/tree.h"
#include "server/vault/vault_driver.h"
#include "server/workspaces/workspaces.h"
#include "tests/support/support.h"

#define TEST_ADMIN_PASSWORD "correct horse"

struct test_areas {
    char *folder;
    struct comb_sql *sql;
    struct comb_vault *vault;
    struct comb_mutations *mutations;
    struct comb_facts *facts;
    struct comb_access *access;
    struct comb_permissions_store *permissions;
    struct comb_tree_store *tree_store;
    struct comb_identity_store *identity_store;
    struct comb_workspaces_store *workspaces_store;
    struct comb_auth_store *auth_store;
    struct comb_throttle *throttle;
    struct comb_tree *tree;
    struct comb_identity *identity;
    struct comb_auth *auth;
    struct comb_workspaces *workspaces;
};

/* Fails the test where anything cannot be made. folder NULL: a new, empty one. Without the
 * administrator. */
void test_areas_open(struct test_areas *areas, char *folder);
/* The same, with the administrator. */
void test_areas_init(struct test_areas *areas);
void test_areas_done(struct test_areas *areas);

/* A call's context, made as the user with that login. */
void test_areas_ctx(struct test_areas *areas, struct test_ctx *test, const char *login);
/* The next call with the same principal: a new arena, and a context that has seen nothing. */
void test_areas_next(struct test_ctx *test);
/* A request key that nobody has used. */
struct comb_request_key test_key(void);
/* A new user with a password; must succeed. */
struct comb_user test_areas_user(struct test_areas *areas, struct test_ctx *as, const char *login);

#endif

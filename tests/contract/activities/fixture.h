/* SPDX-License-Identifier: Apache-2.0 */
/* Activities over a docs row of the driver that the test is linked with, of an installation without
 * a server: folders are made, moved and deleted by calls of the tree, and consumed as in combd. */
#ifndef TESTS_CONTRACT_ACTIVITIES_FIXTURE_H
#define TESTS_CONTRACT_ACTIVITIES_FIXTURE_H

#include "comb/v1/tree.grpcc.h"
#include "server/activities/activities.h"
#include "server/permissions/permissions.h"
#include "tests/support/areas.h"

struct fixture {
    struct test_areas areas;
    struct comb_permissions *permissions;
    struct comb_docs *docs;
    struct comb_items_store *store;
    struct comb_activities *activities;
    struct comb_consumers_store *leases;
    struct comb_consumers *consumers;
    struct test_ctx admin, anna, bert;
    char slug[32]; /* a workspace that no other test has; anna and bert may write in it */
};

/* cmocka's; state: the fixture. */
int fixture_setup_all(void **state);
int fixture_teardown_all(void **state);
int fixture_setup(void **state);

/* The consumer anew, as behind a restart. */
void start_consuming(struct fixture *f);
/* Until everything that the feed has is consumed, or 60 s are over. */
void await_consumed(struct fixture *f);

/* path: below the workspace ("" is its root). Must succeed; the node's id. */
struct comb_uuid make_folder(struct fixture *f, struct test_ctx *as, const char *path);
void move_to(struct fixture *f, struct test_ctx *as, const char *path, const char *parent,
             const char *name);
void set_label(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node,
               const char *label);
void recycle(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node);
void delete_for_good(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node);
/* rights: comb.v1.Rights. */
void grant(struct fixture *f, const struct comb_uuid *node, const char *login, int rights);
struct comb_uuid node_at(struct fixture *f, const char *path);

/* The whole feed as "TYPE name, …", newest first, by pages of max; without the making of
 * the workspace. node NULL and user NULL: mine.
 */
const char *feed_text(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node,
                      const struct comb_uuid *user, size_t max);

#endif

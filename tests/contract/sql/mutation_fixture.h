/* SPDX-License-Identifier: Apache-2.0 */
/* Mutations on small tables of the shape that the guards of decisions look at. */
#ifndef COMB_CONTRACT_SQL_MUTATION_FIXTURE_H
#define COMB_CONTRACT_SQL_MUTATION_FIXTURE_H

#include "server/mutation/feed.h"
#include "server/mutation/mutation.h"
#include "tests/contract/sql/fixture.h"
#include "tests/support/fault_sql.h"

struct mutation_fixture {
    struct fixture *f;
    struct test_fault_sql sql; /* what the mutations run on */
    struct comb_mutations *mutations;
    _Atomic int committed, refreshed;
    struct comb_uuid root, folder, other; /* nodes: folder is in root, other beside it */
};

int mutation_setup(void **state);
int mutation_teardown(void **state);
#define MUTATION_TEST(name) cmocka_unit_test_setup_teardown(name, mutation_setup, mutation_teardown)

/* A new request id, and the hash of content. */
struct comb_request_key new_key(const char *content);

/* A mutation that creates a node in `folder`, decided on folder's chain and the caller's roles as
 * they were read in decide, and what happens behind its back. */
struct create {
    struct mutation_fixture *m;
    const char *name;
    comb_str outcome;
    int attempts;
    int disturb_until; /* attempts that are disturbed after they have read */
    void (*disturb)(struct mutation_fixture *m);
    bool unmapped;   /* no on_constraint */
    bool must_allow; /* refuse with PERMISSION_DENIED where folder's acl_rev is not 1 */
    bool nothing;    /* an empty plan */
};
enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err);
enum comb_status run_create(struct create *create, struct test_ctx *t,
                            const struct comb_request_key *key, struct comb_outcome *ret_outcome);
int64_t count_nodes(struct mutation_fixture *m);
/* comb_position.sequence of a snapshot that is taken now. */
uint64_t position_now(struct mutation_fixture *m);
void insert_user(struct mutation_fixture *m, const struct comb_uuid *user);
/* Runs a write outside of mutations. */
void write_text(struct mutation_fixture *m, const char *text);

int run_suite_mutation(void);
int run_suite_replay(void);
int run_suite_feed(void);

#endif

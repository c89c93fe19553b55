/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with the tables that facts read, writers for them that leave feed entries as the real
 * ones do, and a memory of facts above.
 */
#ifndef COMB_TESTS_FACTS_FIXTURE_H
#define COMB_TESTS_FACTS_FIXTURE_H

#include "comb/v1/node.grpcc.h"
#include "server/facts/facts.h"
#include "server/mutation/mutation.h"
#include "tests/contract/facts/gate.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx test;
    struct comb_sql *store;
    struct comb_mutations *writes;
    struct gate *gate;
    struct comb_facts *facts; /* NULL before fixture_start() */
    /* A workspace "work" of `owner`, with a root folder and a bin; `user` is somebody else. */
    struct comb_uuid workspace, root, bin, owner, user;
    struct comb_position written; /* by the newest write */
};

/* setup and teardown of a test; _setup starts facts with default options. */
int fixture_setup(void **state);
int fixture_setup_unstarted(void **state);
int fixture_teardown(void **state);
/* Facts anew. */
void fixture_start(struct fixture *fixture, const struct comb_facts_options *options);

/* The next call of the same client: fresh arena and deadline; tokens are kept only if he sends them
 * himself. */
struct comb_ctx *fixture_call(struct fixture *fixture);
/* The same, which must see the newest write. */
struct comb_ctx *fixture_call_after_write(struct fixture *fixture);

/* ---- writes; each waits until it is durable ---- */

struct fixture_node {
    struct comb_uuid id, parent;
    const char *name;
};
struct fixture_node fixture_create(struct fixture *fixture, const struct comb_uuid *parent,
                                   const char *name, enum comb_v1_node_kind kind);
void fixture_move(struct fixture *fixture, struct fixture_node *node,
                  const struct comb_uuid *parent, const char *name);
/* To the bin, and back. */
void fixture_recycle(struct fixture *fixture, struct fixture_node *node);
void fixture_recycle_as(struct fixture *fixture, struct fixture_node *node, const char *name);
void fixture_restore(struct fixture *fixture, struct fixture_node *node,
                     const struct comb_uuid *parent, const char *name);
/* New content: the revision grows; gives the new one. Threads: any. */
uint64_t fixture_touch(struct fixture *fixture, const struct comb_uuid *id,
                       struct comb_position *ret_position);
/* The row goes, as when it is purged; deleted: with the feed entry of the deletion. */
void fixture_purge(struct fixture *fixture, const struct comb_uuid *id, bool deleted);
/* rights 0: revokes. */
void fixture_grant(struct fixture *fixture, const struct comb_uuid *node,
                   const struct comb_uuid *role, int rights);
void fixture_user(struct fixture *fixture, const struct comb_uuid *id, bool disabled);
struct comb_uuid fixture_role(struct fixture *fixture, const char *name, bool override);
void fixture_override(struct fixture *fixture, const struct comb_uuid *role, bool override);
void fixture_add_role(struct fixture *fixture, const struct comb_uuid *user,
                      const struct comb_uuid *role, int position);
void fixture_make_administrator(struct fixture *fixture, const struct comb_uuid *user);
void fixture_drop_role(struct fixture *fixture, const struct comb_uuid *user,
                       const struct comb_uuid *role);
/* Below another group; comb_role_everybody: the root. */
struct comb_uuid fixture_group(struct fixture *fixture, const struct comb_uuid *parent,
                               const char *name);
void fixture_move_group(struct fixture *fixture, const struct comb_uuid *group,
                        const struct comb_uuid *parent);
void fixture_put_into_group(struct fixture *fixture, const struct comb_uuid *user,
                            const struct comb_uuid *group);
/* Entries of n roles that nobody has. */
void fixture_fill_entries(struct fixture *fixture, const struct comb_uuid *node, size_t n);
/* Makes the workspace the user's own where user is given. */
struct comb_uuid fixture_workspace(struct fixture *fixture, const char *slug,
                                   const struct comb_uuid *owner, const struct comb_uuid *root,
                                   const struct comb_uuid *bin, const struct comb_uuid *user);
/* Feed entries that mean nothing to anybody, as few transactions as can be. */
void fixture_noise(struct fixture *fixture, size_t n);
/* Deletes all feed entries up to now, as retention does. */
void fixture_trim(struct fixture *fixture);

/* ---- reads ---- */

/* The chain of a path below start ("a/b"); the call must succeed. */
struct comb_fact_chain fixture_path(struct fixture *fixture, struct comb_ctx *ctx,
                                    const struct comb_uuid *start, const char *path);
struct comb_fact_chain fixture_chain(struct fixture *fixture, struct comb_ctx *ctx,
                                     const struct comb_uuid *id);
struct comb_facts_stats fixture_stats(struct fixture *fixture);

/* A read under way. */
struct fixture_read;
struct fixture_read *fixture_read_start(struct fixture *fixture, const struct comb_uuid *id,
                                        bool strong, struct comb_position seen);
bool fixture_read_is_done(struct fixture_read *read);
/* Waits for the end. */
enum comb_status fixture_read_end(struct fixture_read *read, struct comb_fact_chain *ret_chain,
                                  struct comb_error *ret_err);
void fixture_read_free(struct fixture_read *read);

#endif

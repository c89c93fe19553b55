/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements by which facts are read, one set per dialect of SQL. They read tables of other
 * areas: the one exception to "a driver reaches only its own" (a chain with its entries must come
 * in one snapshot and one round trip).
 */
#ifndef COMB_FACTS_DIALECT_H
#define COMB_FACTS_DIALECT_H

#include <stdbool.h>

/* A chain is never longer: COMB_PATH_DEPTH_MAX parts, the workspace's root, and room. */
#define COMB_FACTS_CHAIN_MAX 128

struct comb_facts_dialect {
    const char *driver; /* comb_sql_info.driver */

    /* ?1 user. A row for each role of his, groups first, in order, one with role NULL where he has
     * none; no row: there is no such user. Columns: COMB_FACTS_SUBJECTS_*. */
    const char *subjects;

    /* ?1 slug, user (his own workspace), or any node of it. A row for each root, in order; no row:
     * none. Columns: COMB_FACTS_WORKSPACE_*. */
    const char *workspace_of_slug;
    const char *workspace_of_user;
    const char *workspace_of_node;

    /*
     * A chain: from ?1 down the path ?2, whose parts each end with "/" ("a/b/"), as far as it
     * exists. ?1: a node; a slug, for the first root of its workspace; a user, for that of his own
     * workspace. ?3: 1: the start itself and what is above it too; 0: only what is below.
     * A row for each entry of each node, one with role NULL where it has none, deepest node first.
     * Columns: COMB_FACTS_CHAIN_*.
     */
    const char *chain_of_node;
    /* The same for ?1 a node and ?2 a path of one part, without what is above: what is asked most,
     * as a look-up by key. ?2 has no "/" here. child_tells_position: one more column behind those
     * of a chain is the position, and where the child does not exist, one row has no id. */
    const char *child;
    bool child_tells_position;
    const char *chain_of_slug;
    const char *chain_of_user;
};

enum comb_facts_subjects_column {
    COMB_FACTS_SUBJECTS_DISABLED = 0,
    COMB_FACTS_SUBJECTS_ROLES_REV,
    COMB_FACTS_SUBJECTS_GENERATION,
    COMB_FACTS_SUBJECTS_ROLE,
    COMB_FACTS_SUBJECTS_OVERRIDE,
    COMB_FACTS_SUBJECTS_IS_GROUP,
    COMB_FACTS_SUBJECTS_COLUMNS
};

enum comb_facts_workspace_column {
    COMB_FACTS_WORKSPACE_ID = 0,
    COMB_FACTS_WORKSPACE_OWNER,
    COMB_FACTS_WORKSPACE_BIN,
    COMB_FACTS_WORKSPACE_SLUG,
    COMB_FACTS_WORKSPACE_KIND,
    COMB_FACTS_WORKSPACE_ROOT,
    COMB_FACTS_WORKSPACE_COLUMNS
};

enum comb_facts_chain_column {
    COMB_FACTS_CHAIN_DEPTH = 0, /* 0: the start; negative above it */
    COMB_FACTS_CHAIN_ID,
    COMB_FACTS_CHAIN_PARENT,
    COMB_FACTS_CHAIN_NAME,
    COMB_FACTS_CHAIN_KIND,
    COMB_FACTS_CHAIN_REV,
    COMB_FACTS_CHAIN_ACL_REV,
    COMB_FACTS_CHAIN_SIZE,
    COMB_FACTS_CHAIN_BLOB,
    COMB_FACTS_CHAIN_SHA256,
    COMB_FACTS_CHAIN_MEDIA_TYPE,
    COMB_FACTS_CHAIN_CREATE_US,
    COMB_FACTS_CHAIN_UPDATE_US,
    COMB_FACTS_CHAIN_TRASH_PARENT,
    COMB_FACTS_CHAIN_TRASH_NAME,
    COMB_FACTS_CHAIN_TRASH_US,
    COMB_FACTS_CHAIN_TRASH_BY,
    COMB_FACTS_CHAIN_ROLE,
    COMB_FACTS_CHAIN_RIGHTS,
    COMB_FACTS_CHAIN_EXPIRE_US,
    COMB_FACTS_CHAIN_ENTRY_CREATE_US,
    COMB_FACTS_CHAIN_GRANTED_BY,
    COMB_FACTS_CHAIN_COLUMNS
};

extern const struct comb_facts_dialect comb_facts_dialect_sqlite, comb_facts_dialect_postgres;

#endif

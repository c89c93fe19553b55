/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks on nodes, as stored. What a guarded write has to look at stands in the node's own row: how
 * many changes its locks have had (the fence), until when the last of them holds, and, of an
 * exclusive one, its token and whose it is. So a write finds out in the statement that writes, and
 * one that waited for the row sees what was written meanwhile. The rest is a row for each lock.
 */
#ifndef COMB_TREE_LOCK_STORE_H
#define COMB_TREE_LOCK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/str.h"
#include "server/core/uuid.h"

/* Seconds that a lock holds: each refresh is a write, and who died keeps others off so long. */
#define COMB_LOCK_LEASE_S_MIN 1
#define COMB_LOCK_LEASE_S_DEFAULT 60
#define COMB_LOCK_LEASE_S_MAX 3600
/* Shared locks on one node: as many rows as a page of nodes may bring beside the nodes. */
#define COMB_LOCK_HOLDERS_MAX 8
/* What a holder says: it goes into every change of the lock that is told. */
#define COMB_LOCK_NOTE_BYTES_MAX 256

struct comb_tree_lock {
    uint64_t token; /* the node's fence when it was taken */
    int mode;       /* comb.v1.LockMode, EXCLUSIVE or SHARED */
    struct comb_uuid user, session;
    comb_str login, note;
    int64_t create_us, expire_us; /* by the store's clock */
};

/* The locks of one node, those too that have expired. */
struct comb_tree_lock_state {
    bool found; /* there is such a node */
    uint64_t fence;
    int64_t now_us; /* the store's clock, when they were read */
    const struct comb_tree_lock *locks;
    size_t n_locks;
};

/* One change of a node's locks. */
struct comb_tree_lock_change {
    struct comb_uuid node;
    uint64_t revision; /* the node's, which stays */
    uint64_t fence;    /* as it was: it grows by one */
    /* What the node's row says then. */
    uint64_t holder;       /* token of the exclusive lock; 0: none */
    struct comb_uuid user; /* whose that is */
    int64_t until_us;      /* when the last lock ends; 0: there is none */
    /* What becomes of the locks' rows. */
    const struct comb_tree_lock *taken; /* a new one; NULL: none */
    const struct comb_tree_lock
        *refreshed; /* one that must still hold, and holds to its expire_us; NULL: none */
    bool ends;      /* the lock `ended`, or with 0 all of them */
    uint64_t ended;
};

/* What a write knows of the lock on its node. */
struct comb_tree_claim {
    uint64_t token;        /* 0: none; then there must be no lock that holds */
    struct comb_uuid user; /* else his lock of that token must hold */
    bool unasked;          /* locks do not count */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context of one call: what every function on its way needs, passed as an argument, never kept.
 * One thread at a time. All that a call returns lives in `arena`.
 */
#ifndef COMB_CORE_CTX_H
#define COMB_CORE_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "server/core/error.h"
#include "server/core/str.h"
#include "server/core/uuid.h"

/* A part of the tree that a token reaches; node nil: all of it. rights: comb.v1.Rights READ, WRITE
 * or both. */
struct comb_scope {
    struct comb_uuid node;
    uint32_t rights;
};

/* Who calls. Immutable; lives at least as long as the ctx. */
struct comb_principal {
    struct comb_uuid user;
    comb_str login;
    bool administrator;     /* and the token has no scopes */
    struct comb_uuid token; /* session or personal access token */
    int64_t expire_us;      /* wall clock, microseconds since 1970; 0: never */
    const struct comb_scope *scopes;
    size_t n_scopes; /* 0: not narrowed */
};

/* A position in the order of all changes of one installation. On SQLite: the number of the newest
 * feed entry. */
struct comb_position {
    uint64_t incarnation;
    uint64_t sequence;
};

struct comb_ctx {
    struct grpcc_arena *arena;
    int64_t deadline_ns;                    /* CLOCK_MONOTONIC; INT64_MAX: none */
    const struct comb_principal *principal; /* NULL: nobody has logged in */
    char trace_id[33];                      /* 32 hex digits; "" outside of calls */
    comb_str peer;                          /* "ipv4:127.0.0.1:4711" */
    comb_str method;                        /* "/comb.v1.Tree/Stat" */
    comb_str claimed_login;                 /* of a log-in: whose it is said to be; else "" */
    bool strong;                            /* the caller wants a linearizable read */
    bool repeated; /* the caller has sent this request before, and was not answered */
    struct comb_position
        seen; /* of the caller's comb-token: what he must see at least; sequence 0: nothing */
    struct comb_position reached; /* set on the way: what the answer rests on or made; becomes the
                                     answer's comb-token */
    bool replayed; /* set by the mutation: an outcome from before is answered, authorised then */
    bool hidden;   /* set on the way: the caller is told that a node is not there which he only may
                      not see; for the audit trail alone */
    uint32_t authorised; /* bits 1 << comb.v1.Need that have been decided in the caller's favour */
};

/* Milliseconds until the deadline, at least 0, at most INT_MAX. */
int comb_ctx_left_ms(const struct comb_ctx *ctx);
/* DEADLINE_EXCEEDED once the deadline has passed, else OK. */
enum comb_status comb_ctx_check(const struct comb_ctx *ctx, struct comb_error *err) COMB_MUST_CHECK;
/* Raises ctx->reached to position, never lowers it. */
void comb_ctx_reach(struct comb_ctx *ctx, struct comb_position position);
/* What has been reached is new enough for the rest of the call: it must be seen from here on. */
void comb_ctx_see_reached(struct comb_ctx *ctx);
/* The same behind a question of a strong call, which has asked the store: the call does not ask it
 * once more for each of its further questions. Of others nothing changes. */
void comb_ctx_asked(struct comb_ctx *ctx);

#endif

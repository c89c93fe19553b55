/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client has done, and what it thinks of its replicas: for a program's own metrics, and for
 * who looks into why calls are slow. Since 0.4.0.
 */
#ifndef COMB_STATISTICS_H
#define COMB_STATISTICS_H

#include "comb/client.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All count from comb_client_open() on, but for those marked "now". */
struct comb_statistics {
    size_t size;                 /* sizeof(struct comb_statistics), set by the caller */
    uint64_t calls, streams;     /* that were begun; the library's own too */
    uint64_t attempts;           /* of calls; hedges too */
    uint64_t retries;            /* of calls, whatever for */
    uint64_t refreshes;          /* of tokens, because a call needed it */
    uint64_t budget_empty;       /* retries that were not made: too many of them lately */
    uint64_t silences;           /* attempts and streams taken from a replica that said nothing */
    uint64_t hedges, hedges_won; /* reads sent a second time; those answered so */
    uint64_t ejections;          /* a replica failed, and got no calls until it was well */
    uint64_t discoveries;        /* how often the list of replicas was asked for */
    uint64_t discoveries_failed; /* without an answer */
    uint64_t replicas_joined;    /* that were found so */
    uint64_t replicas_left;      /* that were found so, and were gone later */
    uint32_t replicas;           /* now */
    uint32_t replicas_good;      /* now: connected, and not ejected */
    uint32_t retry_tokens;       /* now: what is left of the budget */
    int64_t hedge_delay_us;      /* now: after which reads are hedged; 0: not */
};
/* Any thread; never blocks. Members that the caller's size does not reach are left out. */
void comb_client_statistics(struct comb_client *client, struct comb_statistics *statistics);

/* One replica, now; may grow at its end. */
struct comb_replica_state {
    const char *target; /* "127.0.0.1:7070" */
    bool named;         /* by the program, when it opened the client */
    bool listed; /* by the registry, when it was last asked: it is there and does not drain */
    bool connected;
    bool ejected; /* it failed or is silent: no calls while there are others, until it is well */
    uint32_t calls_in_flight, streams;
    uint64_t attempts; /* streams too */
    uint64_t failures, ejections;
    uint64_t questions; /* after its health */
    int64_t latency_us; /* of calls that went well, smoothed; 0: none yet */
};
/* All, in arena, ended by NULL; NULL: no room. */
struct comb_replica_state **comb_client_replicas(struct comb_client *client,
                                                 struct grpcc_arena *arena);

/* All of that as JSON, for people who ask for support: no tokens, no contents. In arena; NULL: no
 * room. */
const char *comb_client_dump(struct comb_client *client, struct grpcc_arena *arena);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's insides. What one layer offers to the next, from below: ids and time, replicas,
 * budget, seen, session, calls, keeper. Locks are leaves: none is held while another is taken, but
 * session.refresh_lock, which is taken first, and client -> call -> replicas.
 */
#ifndef COMB_LIB_INTERNAL_H
#define COMB_LIB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>

#include "client/lib/seen.h"
#include "client/lib/session.h"
#include "comb/client.h"
#include "comb/v1/errors.grpcc.h"
#include "comb/v1/options.grpcc.h"

#define COMB_NS_PER_US INT64_C(1000)
#define COMB_NS_PER_MS INT64_C(1000000)
#define COMB_NS_PER_S INT64_C(1000000000)

enum {
    COMB_REPLICAS_MAX = 64,
    COMB_TIMEOUT_MS_DEFAULT = 30000,
    COMB_ATTEMPTS_DEFAULT = 5,
    COMB_RETRY_TOKENS_DEFAULT = 100,
    COMB_SILENCE_MS_DEFAULT = 1000,
    COMB_RULES_MAX = 256 /* methods whose rule a client remembers; a power of two */
};

/* ---- ids, time, threads (ids.c) ---- */

enum { COMB_ID_LENGTH = 36 };
void comb_id_new(char ret_text[COMB_ID_LENGTH + 1]);
uint32_t comb_random32(void);
/* CLOCK_MONOTONIC; CLOCK_REALTIME in whole seconds. */
int64_t comb_now_ns(void);
int64_t comb_wall_s(void);

/* A thread with all signals blocked: signals belong to the program. */
bool comb_thread_start(pthread_t *ret_thread, void *(*function)(void *data),
                       void *data) GRPCC_MUST_CHECK;

/* ---- replicas (replica.c: one; replicas.c: all, and the choice among them) ---- */

/* References: the list's, one per attempt, stream and question after its health. */
struct comb_replica {
    atomic_uint refs;
    char *target;
    struct grpcc_channel *channel;
    unsigned slot; /* its place in the list, while it is in it */
    bool named;    /* by the program */
    bool listed;   /* by the registry when it was last asked; the list's lock */
    bool connects; /* its connection has been asked for; the list's lock */

    atomic_uint in_flight; /* unary attempts */
    atomic_uint streams;
    atomic_uint failures; /* in a row */
    /* It failed, or does not answer: no calls while there are others, until it has answered a
     * question after its health, which it is asked from that time on. */
    atomic_bool ejected;
    _Atomic int64_t ask_after_ns;
    atomic_bool suspect; /* an attempt has been waiting for long, and it is being asked */
    atomic_bool asking;
    _Atomic int64_t asked_ns;   /* when it was asked last */
    _Atomic int64_t latency_us; /* of calls that went well, smoothed; 0: none yet */
    atomic_uint_fast64_t n_attempts, n_failures, n_ejections, n_questions;
};

/* A reference of the caller's; NULL and err. */
struct comb_replica *comb_replica_new(const char *target,
                                      const struct grpcc_channel_options *options,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;
struct comb_replica *comb_replica_ref(struct comb_replica *replica);
void comb_replica_unref(struct comb_replica *replica);
/* How an attempt ended: it answered, after so long (0: not known), or it failed. */
void comb_replica_works(struct comb_replica *replica, int64_t took_ns);
void comb_replica_fails(struct comb_client *client, struct comb_replica *replica);
/* Asks after its health, once at a time; what it says, or its silence, counts as above. Never
 * blocks. */
void comb_replica_ask(struct comb_client *client, struct comb_replica *replica);

/* How long an attempt waits before its replica is asked after its health. */
int64_t comb_silence_suspect_ns(const struct comb_client *client);

struct comb_replicas {
    struct grpcc_channel_options channel; /* of each; its strings live in the client's arena */
    pthread_mutex_t lock;                 /* all below; a leaf */
    struct comb_replica *slots[COMB_REPLICAS_MAX]; /* NULL: free */
    size_t n;                                      /* that are not */
    unsigned turn;
    bool any_listed;
    uint64_t joined, left;
};

/* Makes the replicas of "a:1,b:2"; what exists already is freed by comb_replicas_done(). */
enum grpcc_status comb_replicas_open(struct comb_client *client, const char *servers,
                                     const struct comb_client_options *options,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;
void comb_replicas_done(struct comb_replicas *replicas);
size_t comb_replicas_count(struct comb_client *client);
/*
 * One that is not in tried (a bit per slot), a reference of the caller's: in turn among the best,
 * which are those that are connected, did not fail lately and are listed; of the next two in turn
 * the less busy. The worst where nothing else is left; NULL: all have been tried.
 */
struct comb_replica *comb_replicas_pick(struct comb_client *client, uint64_t tried);
/* Whether another one than `than` could take a call now. */
bool comb_replicas_has_other(struct comb_client *client, const struct comb_replica *than);
/* What the registry said: n targets. partial: there may be others, so that nobody leaves. */
void comb_replicas_update(struct comb_client *client, const char *const *targets, size_t n,
                          bool partial);
/* Up to COMB_REPLICAS_MAX, each a reference of the caller's. */
size_t comb_replicas_all(struct comb_client *client,
                         struct comb_replica *ret_replicas[COMB_REPLICAS_MAX]);

/* ---- discovery (discovery.c): the list is asked for through any one replica ---- */

struct comb_discovery {
    bool on;
    int64_t interval_ns;
    atomic_bool running;  /* a call */
    atomic_uint failures; /* in a row */
    _Atomic int64_t next_ns;
};
void comb_discovery_init(struct comb_client *client, const struct comb_client_options *options);
/* Asks where it is time to. Never blocks. */
void comb_discovery_tick(struct comb_client *client, int64_t now_ns);
/* Somebody failed: ask soon. */
void comb_discovery_hurry(struct comb_client *client);

/* ---- the keeper (keeper.c): a thread that looks after calls, replicas and list while there are
 * calls, and sleeps while there are none ---- */

struct comb_keeper {
    pthread_t thread;
    bool started; /* the client's lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopped;
    bool orphaned; /* nobody joins: the thread has the program's reference to the client */
    bool asleep;
    int64_t wake_ns;   /* next look */
    atomic_uint users; /* calls and streams under way */
};
void comb_keeper_init(struct comb_keeper *keeper);
/* A call or stream begins, and ends. */
void comb_keeper_enter(struct comb_client *client);
void comb_keeper_leave(struct comb_client *client);
/* There is something to do at that time. */
void comb_keeper_expect(struct comb_client *client, int64_t due_ns);
/* Waits for the thread's end. True: that is this thread, which takes over the reference that the
 * caller has to the client. */
bool comb_keeper_stop(struct comb_client *client);
void comb_keeper_done(struct comb_keeper *keeper);

/* ---- hedges (hedge.c): when a read is sent a second time, to another replica ---- */

enum { COMB_HEDGE_BUCKETS = 64 };
struct comb_hedging {
    int64_t fixed_ns; /* 0: by the 95th percentile */
    bool on;
    int percent;            /* of calls, at most */
    atomic_int budget;      /* hundredths of a hedge */
    _Atomic int64_t p95_ns; /* 0: too few calls yet */
    atomic_uint counts[COMB_HEDGE_BUCKETS];
    atomic_uint n;
};
void comb_hedging_init(struct comb_client *client, const struct comb_client_options *options);
/* How long to wait for the first answer; 0: no hedges now. */
int64_t comb_hedging_delay_ns(struct comb_client *client);
/* A read that went well took so long; gives to the budget. */
void comb_hedging_note(struct comb_client *client, int64_t took_ns);
bool comb_hedging_take(struct comb_client *client);

/* ---- rules (rule.c) ---- */

/* What comb.v1.rpc says about a method, and where its request keeps the request id. */
struct comb_rule {
    bool open; /* needs no token */
    enum comb_v1_repetition repetition;
    unsigned request_id_offset; /* 0: none */
};
struct comb_rule_slot {
    const struct grpcc_method *method;
    struct comb_rule rule;
};
struct comb_rule comb_rule_of(struct comb_client *client, const struct grpcc_method *method);

/* ---- the client (client.c) ---- */

struct comb_call;
struct comb_stream;
struct comb_timer;

/* What comb_client_statistics() tells; see there. */
struct comb_counters {
    atomic_uint_fast64_t calls, streams, attempts, retries, refreshes, hedges, hedges_won, silences;
    atomic_uint_fast64_t budget_empty, discoveries, discoveries_failed, ejections;
};

/* References: the program's, and one per call, stream. */
struct comb_client {
    atomic_uint refs;
    pid_t pid;
    struct grpcc_arena *arena; /* options and targets; not touched after open */
    struct grpcc_channel *channel;
    const char *servers;
    int64_t timeout_ms;
    unsigned attempts_max;
    bool strong;
    int64_t silence_ns;     /* after which a replica that says nothing is left */
    int64_t unreachable_ns; /* INT64_MAX: calls wait for a server until their end */
    struct comb_replicas replicas;
    struct comb_discovery discovery;
    struct comb_keeper keeper;
    struct comb_hedging hedging;
    struct comb_counters counters;
    atomic_int budget; /* thousandths of a retry */
    int budget_max;
    struct comb_session session;
    struct comb_seen seen;

    pthread_mutex_t lock; /* all below */
    bool closed;
    struct comb_call *calls;
    struct comb_stream *streams;
    struct comb_timer *timer; /* made when it is first needed */
    struct comb_rule_slot rules[COMB_RULES_MAX];
};

/* Copies an options struct, which begins with its size, from one of an older or newer header; size
 * 0: of this one. given NULL: only sets the size. */
void comb_options_copy(void *options, size_t size, const void *given);
struct comb_client *comb_client_ref(struct comb_client *client);
void comb_client_unref(struct comb_client *client);
/* FAILED_PRECONDITION after a fork. */
enum grpcc_status comb_client_check(const struct comb_client *client,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;

/* ---- calls (call.c, stream.c): the slots of the policy ---- */

extern const struct grpcc_channel_policy comb_policy;
enum grpcc_status comb_call_unary(void *self, const struct grpcc_method *method,
                                  struct grpcc_arena *arena,
                                  const struct grpcc_call_options *options,
                                  const ProtobufCMessage *request, void **ret_response,
                                  struct grpcc_error *err);
void comb_call_unary_start(void *self, const struct grpcc_method *method, struct grpcc_arena *arena,
                           const struct grpcc_call_options *options,
                           const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                           struct grpcc_client_call **ret_call);
struct grpcc_client_call *comb_stream_open(void *self, const struct grpcc_method *method,
                                           const struct grpcc_call_options *options,
                                           const ProtobufCMessage *request,
                                           struct grpcc_error *err);
/* End all that is under way; the client's lock is held. */
void comb_calls_cancel_locked(struct comb_client *client);
void comb_streams_cancel_locked(struct comb_client *client);
/* The replica is silent: what is under way there and may be repeated goes on elsewhere. */
void comb_calls_leave(struct comb_client *client, const struct comb_replica *replica);
void comb_streams_leave(struct comb_client *client, const struct comb_replica *replica);
/* Asks after the replicas of calls that wait for long, and hedges those that are due. The time of
 * the next hedge, INT64_MAX: none. */
int64_t comb_calls_look(struct comb_client *client, int64_t now_ns);

/* ---- headers (headers.c) ---- */

struct comb_headers {
    struct grpcc_metadata *items;
    size_t n;
    unsigned generation; /* of the session's tokens */
    char *secret;        /* to be wiped, NULL: none */
};
/* The caller's metadata and ours, in arena. repeated: the request has been sent before. */
enum grpcc_status comb_headers_make(struct comb_client *client, const struct comb_rule *rule,
                                    const char *request_id, bool repeated,
                                    const struct grpcc_call_options *given,
                                    struct grpcc_arena *arena, struct comb_headers *ret_headers,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;
void comb_headers_wipe(struct comb_headers *headers);

/* ---- errors (error.c) ---- */

bool comb_error_has_reason(const struct grpcc_error *err, enum comb_v1_error_reason reason);
/* RetryInfo: when the server wants the call to be tried again; -1: it does not say. */
int64_t comb_error_retry_ms(const struct grpcc_error *err);
enum grpcc_status comb_error_memory(struct grpcc_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's insides. What one layer offers to the next, from below: ids and time, replicas,
 * budget, seen, session, calls. Locks are leaves: none is held while another is taken, but
 * session.refresh_lock, which is taken first.
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

#define COMB_NS_PER_MS INT64_C(1000000)
#define COMB_NS_PER_S INT64_C(1000000000)

enum {
    COMB_REPLICAS_MAX = 64,
    COMB_TIMEOUT_MS_DEFAULT = 30000,
    COMB_ATTEMPTS_DEFAULT = 5,
    COMB_RETRY_TOKENS_DEFAULT = 100,
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

/* ---- replicas (replica.c) ---- */

struct comb_replica {
    char *target; /* in the client's arena */
    struct grpcc_channel *channel;
    _Atomic int64_t avoid_until_ns;
    atomic_uint failures; /* in a row */
};

/* Makes the replicas of "a:1,b:2"; what exists already is freed by comb_replicas_close(). */
enum grpcc_status comb_replicas_open(struct comb_client *client, const char *servers,
                                     const struct comb_client_options *options,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;
void comb_replicas_close(struct comb_client *client);
/* The next one in turn that did not fail lately and is not in tried (a bit per replica); one that
 * did where all others have been tried; NULL: all have been. */
struct comb_replica *comb_replica_pick(struct comb_client *client, uint64_t tried);
void comb_replica_note(struct comb_replica *replica, bool works);

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
    struct comb_replica *replicas;
    size_t n_replicas;
    atomic_uint turn;
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

/* ---- headers (headers.c) ---- */

struct comb_headers {
    struct grpcc_metadata *items;
    size_t n;
    unsigned generation; /* of the session's tokens */
    char *secret;        /* to be wiped, NULL: none */
};
/* The caller's metadata and ours, in arena. */
enum grpcc_status comb_headers_make(struct comb_client *client, const struct comb_rule *rule,
                                    const char *request_id, const struct grpcc_call_options *given,
                                    struct grpcc_arena *arena, struct comb_headers *ret_headers,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;
void comb_headers_wipe(struct comb_headers *headers);

/* ---- errors (error.c) ---- */

bool comb_error_has_reason(const struct grpcc_error *err, enum comb_v1_error_reason reason);
enum grpcc_status comb_error_memory(struct grpcc_error *err);

#endif

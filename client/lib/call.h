/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unary call with all its attempts. Two drivers stand on the same steps (prepare, attempt,
 * judge): the blocking one in call.c waits where it is, the one of the callback form, in
 * call_start.c, goes on where an attempt or the timer ends.
 */
#ifndef COMB_LIB_CALL_H
#define COMB_LIB_CALL_H

#include "client/lib/internal.h"
#include "client/lib/retry.h"

/* A header or trailer of the attempt, kept until it is known to be the last one. */
struct comb_call_header {
    struct comb_call_header *next;
    bool trailing;
    const char *key;
    const void *value;
    size_t length;
};

/*
 * One way of a call, to one replica. The first one answers into the program's arena; a hedge, which
 * may be under way beside it, into its own, from where what it brought is copied if it wins.
 */
struct comb_attempt {
    struct comb_call *call;
    struct comb_replica *replica; /* a reference; NULL: there was none */
    struct grpcc_arena *scratch;  /* of a hedge also the answer */
    unsigned generation;          /* of the token */
    struct comb_call_header *headers;
    struct comb_call_header **headers_end;
    int64_t begin_ns;

    /* the call's lock */
    bool running;
    unsigned serial; /* of the attempts of the call: the way is used again */
    bool silent;     /* ended by us: the replica does not answer */
    bool lost;       /* ended by us: the other one has answered */
    struct grpcc_client_call *handle;

    /* how it ended */
    int64_t took_ns;
    enum grpcc_status status;
    void *response;
    struct grpcc_error err;
};
enum { COMB_FIRST, COMB_HEDGE, COMB_WAYS };

/* References: the driver, an attempt under way, the program's handle. */
struct comb_call {
    atomic_uint refs;
    struct comb_client *client;
    struct comb_call *next, **link; /* in the client's list; its lock */
    const struct grpcc_method *method;
    struct comb_rule rule;
    struct grpcc_arena *arena; /* the program's: response and details */
    struct grpcc_arena *kept;  /* copies of what the program gave, and of a hedge's answer where
                                  it waits for it itself */
    struct grpcc_call_options options;
    const ProtobufCMessage *request;
    char request_id[COMB_ID_LENGTH + 1];
    int64_t begin_ns, deadline_ns;
    struct comb_retry retry;
    uint64_t tried;
    bool wait_for_connection;
    bool unconnected_only; /* no attempt ever reached a server */
    struct comb_attempt ways[COMB_WAYS];

    /* how the last attempt ended: that of the way that counts */
    struct comb_attempt *decisive;
    enum grpcc_status status;
    void *response;
    struct grpcc_error err;
    char cause[256]; /* why the last connection failed, "" */

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool cancelled;
    unsigned n_running; /* ways */
    unsigned serial;    /* of the attempt that began last */
    int64_t hedge_ns;   /* when the second way is due; 0: never */

    /* the callback form */
    void (*attempt_done)(struct comb_call *call); /* NULL: somebody waits for `changed` */
    grpcc_unary_done done;
    void *data;
    struct comb_call *timer_next;
    int64_t due_ns;
    bool wants_refresh;
    unsigned stale_generation; /* of the token that is to be replaced before the first attempt */
};

/* A call that has not begun; NULL and err. keep: the program does not wait, so that request and
 * options are copied. */
struct comb_call *comb_call_new(struct comb_client *client, const struct grpcc_method *method,
                                struct grpcc_arena *arena, const struct grpcc_call_options *options,
                                const ProtobufCMessage *request, bool keep,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;
struct comb_call *comb_call_ref(struct comb_call *call);
void comb_call_unref(struct comb_call *call);
/* Ends the attempt, the waiting, and all further ones. Any thread. */
void comb_call_cancel(struct comb_call *call);

/* Whether it may be sent again where nobody knows whether it was done. */
bool comb_call_may_repeat(const struct comb_call *call);

/* ---- attempt.c ---- */

/* Begins an attempt. `attempt_done` runs on the poller, or before this returns. */
void comb_call_attempt(struct comb_call *call);
/* Frees what attempts left. */
void comb_call_ways_done(struct comb_call *call);
void comb_call_cancel_locked(struct comb_call *call);

/* ---- call.c ---- */

/* After an attempt: what to do, and how long to wait before; wait_ms never reaches beyond the
 * deadline. */
struct comb_retry_verdict comb_call_judge(struct comb_call *call);
/* How long a refresh may take of the call's time. */
int64_t comb_call_refresh_deadline(const struct comb_call *call);
/* After a refresh that failed: the call ends so. */
void comb_call_fail(struct comb_call *call, enum grpcc_status status,
                    const struct grpcc_error *err);
/* Words the error of a call that ends, and shows the program its headers. */
void comb_call_conclude(struct comb_call *call);

/* ---- timer.c: calls of the callback form that wait, on one thread with all signals blocked ----
 */

/* Runs the call's next attempt, after a refresh where it wants one, when due_ns has come or the
 * call is cancelled. Takes over a reference. False: no thread could be made. */
bool comb_timer_add(struct comb_client *client, struct comb_call *call) GRPCC_MUST_CHECK;
void comb_timer_wake(struct comb_client *client);
/* Any thread, the timer's own too. NULL is fine. */
void comb_timer_free(struct comb_timer *timer);
/* call_start.c: goes on with a call that the timer kept. */
void comb_call_resume(struct comb_call *call);

#endif

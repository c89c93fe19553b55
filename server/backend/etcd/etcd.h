/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd for the rows that live in it: calls over several members, leases that are kept, watches that
 * notice what they missed. Knows no domain; messages are the generated ones (etcd.proto).
 *
 * A call goes to one member after the other in turn. A member that failed or kept silent is left
 * alone for a while, then one single call tries it; while no member is left, calls end at once with
 * UNAVAILABLE. So a frozen etcd costs each caller at most COMB_ETCD_ATTEMPT_MS a member, and holds
 * no more than COMB_ETCD_IN_FLIGHT_MAX threads.
 *
 * Threads: any, several at once, unless said otherwise. What blocks says so; the others never do.
 */
#ifndef COMB_ETCD_H
#define COMB_ETCD_H

#include "server/backend/etcd/etcd.grpcc.h"
#include "server/core/store.h"

/* How long one member may take for one call before the next one is asked. */
enum { COMB_ETCD_ATTEMPT_MS = 3000 };
/* Calls at the same time; more are refused with UNAVAILABLE. */
enum { COMB_ETCD_IN_FLIGHT_MAX = 64 };
/* etcd's own limits unless it is told otherwise: operations of a transaction, bytes of a request.
 */
enum { COMB_ETCD_OPERATIONS_MAX = 128, COMB_ETCD_REQUEST_BYTES_MAX = 1536 * 1024 };

struct comb_etcd;

/*
 * "etcd://HOST[:2379][,HOST…][/PREFIX][?ca=FILE][&cert=FILE&key=FILE][&tls=on]": all keys begin
 * with "PREFIX/" ["comb/"]. ca, cert or tls=on: TLS, the system's CAs without ca; cert and key: the
 * client's own certificate. credentials: "user:password", or empty.
 *
 * Asks nothing yet. INVALID_ARGUMENT says what is wrong with the URL, the credentials or a file.
 * Pairs with comb_etcd_close().
 */
enum comb_status comb_etcd_open(const struct comb_store_options *options,
                                struct comb_etcd **ret_etcd,
                                struct comb_error *err) COMB_MUST_CHECK;
/* No call, lease or watch of it may be left. NULL is fine. */
void comb_etcd_close(struct comb_etcd *etcd);

/* Asks for what the rows need: a read and a write below the prefix (the write is never done).
 * Blocks. err says what the operator has to do. */
enum comb_status comb_etcd_check(struct comb_etcd *etcd, struct comb_ctx *ctx,
                                 struct comb_error *err) COMB_MUST_CHECK;
void comb_etcd_status(struct comb_etcd *etcd, struct comb_store_status *ret_status);

/* ---- keys ---- */

/* PREFIX/NAME in arena; data is NULL where there is no room. */
ProtobufCBinaryData comb_etcd_key(const struct comb_etcd *etcd, struct grpcc_arena *arena,
                                  comb_str name);
/* The end of the range of all keys that begin with key, which is not empty; data NULL: no room. */
ProtobufCBinaryData comb_etcd_key_end(struct grpcc_arena *arena, ProtobufCBinaryData key);
/* What follows "PREFIX/" in a key that etcd answered with. */
comb_str comb_etcd_key_name(const struct comb_etcd *etcd, ProtobufCBinaryData key);

static inline ProtobufCBinaryData comb_etcd_bytes(comb_str s)
{
    return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)(uintptr_t)s.ptr};
}
static inline comb_str comb_etcd_str(ProtobufCBinaryData bytes)
{
    return comb_str_of(bytes.data, bytes.len);
}

/* ---- calls: they block, until ctx's deadline at most ---- */

/*
 * Answers live in ctx->arena. Errors: UNAVAILABLE (no member answers; err->ambiguous where a write
 * may have been done), DEADLINE_EXCEEDED, OUT_OF_RANGE (the revision has been compacted, or is yet
 * to come), NOT_FOUND (no such lease), RESOURCE_EXHAUSTED (etcd is full, or the request too large),
 * FAILED_PRECONDITION (login or rights: the operator has to act).
 */
enum comb_status comb_etcd_range(struct comb_etcd *etcd, struct comb_ctx *ctx,
                                 const struct etcdserverpb_range_request *request,
                                 struct etcdserverpb_range_response **ret_response,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* repeatable: doing it twice does no harm, since its conditions see to it; then another member is
 * asked where the first one's answer is lost. */
enum comb_status comb_etcd_txn(struct comb_etcd *etcd, struct comb_ctx *ctx,
                               const struct etcdserverpb_txn_request *request, bool repeatable,
                               struct etcdserverpb_txn_response **ret_response,
                               struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_etcd_compact(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t revision,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* A lease that nobody prolongs; *ret_ttl_s may be more than asked for. */
enum comb_status comb_etcd_lease_grant(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t ttl_s,
                                       int64_t *ret_lease, int64_t *ret_ttl_s,
                                       struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_etcd_lease_revoke(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t lease,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* Prolongs a lease once, to its whole time: *ret_ttl_s is 0 where it is gone. err: not NULL. */
enum comb_status comb_etcd_lease_keep(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t lease,
                                      int64_t *ret_ttl_s, struct comb_error *err) COMB_MUST_CHECK;

/* Parts of a transaction, appended to it, all in arena. False: no room. */
enum comb_etcd_target { COMB_ETCD_VERSION = 0, COMB_ETCD_CREATED = 1, COMB_ETCD_MODIFIED = 2 };
/* The number of key equals number; of a key that is missing all are 0. */
bool comb_etcd_txn_compare(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                           ProtobufCBinaryData key, enum comb_etcd_target target,
                           int64_t number) COMB_MUST_CHECK;
bool comb_etcd_txn_put(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                       ProtobufCBinaryData key, comb_str value, int64_t lease) COMB_MUST_CHECK;
bool comb_etcd_txn_delete(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                          ProtobufCBinaryData key) COMB_MUST_CHECK;
/* Reads key where the conditions do not hold. */
bool comb_etcd_txn_else_get(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                            ProtobufCBinaryData key) COMB_MUST_CHECK;

/* ---- a lease that is kept ---- */

struct comb_etcd_lease;

/* Called on the lease's own thread, one after the other; may block, but the lease is not prolonged
 * meanwhile: much less than the TTL. */
struct comb_etcd_lease_owner {
    /* There is a lease, the first one or a new one after a loss: put what stands under it. */
    void (*held)(void *self, int64_t lease);
    /* It may be gone, by our own clock (CLOCK_BOOTTIME) or because etcd says so: act as one who has
     * nothing any more. A new one is granted as soon as etcd answers. */
    void (*lost)(void *self, int64_t lease);
    void *self;
};

/* Grants and prolongs (every third of the TTL) on a thread of its own. ttl_s: at least 2. Pairs
 * with comb_etcd_lease_close(). RESOURCE_EXHAUSTED: no memory or no thread. */
enum comb_status comb_etcd_lease_open(struct comb_etcd *etcd, int64_t ttl_s,
                                      const struct comb_etcd_lease_owner *owner,
                                      struct comb_etcd_lease **ret_lease,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Revokes, where etcd answers within a second; nothing is called after it has returned. Blocks. Not
 * on the lease's thread. NULL is fine. */
void comb_etcd_lease_close(struct comb_etcd_lease *lease);

/* ---- a watch ---- */

struct comb_etcd_watch;

/*
 * Called on the watch's own thread, one after the other; what they are given lives until they
 * return. `everything` comes first, and again whenever the watch cannot say what happened
 * meanwhile: history compacted, events missing, another cluster or an older state of it behind the
 * same address. What is not in `everything` does not exist any more. Both return false where they
 * have no memory for what they are told: then everything is told again a little later.
 */
struct comb_etcd_watcher {
    bool (*everything)(void *self, struct etcdserverpb_key_value *const *kvs, size_t n,
                       int64_t revision);
    /* In the order of their revisions, each once. revision: of the last one. */
    bool (*changed)(void *self, struct etcdserverpb_event *const *events, size_t n,
                    int64_t revision);
    /* NULL: in touch with etcd, what was told is current. Else why not; it goes on trying. */
    void (*state)(void *self, const struct comb_error *err);
    void *self;
};

/* Keys that a watch may have, each of which it remembers the version of. */
enum { COMB_ETCD_WATCH_KEYS_MAX = 1000000 };
/* A sign of life is asked for so often, and a member silent for so long is given up. */
enum { COMB_ETCD_PROGRESS_MS = 1000, COMB_ETCD_SILENCE_MS = 4000 };

/* All keys below PREFIX/name. Pairs with comb_etcd_watch_close(). RESOURCE_EXHAUSTED: no memory or
 * no thread. */
enum comb_status comb_etcd_watch_open(struct comb_etcd *etcd, comb_str name,
                                      const struct comb_etcd_watcher *watcher,
                                      struct comb_etcd_watch **ret_watch,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Nothing is called after it has returned. Blocks, at most COMB_ETCD_ATTEMPT_MS a member. Not on
 * the watch's thread. NULL is fine. */
void comb_etcd_watch_close(struct comb_etcd_watch *watch);

#endif

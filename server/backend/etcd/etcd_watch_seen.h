/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a watch knows of its range without its values: whether an event follows from what came
 * before it. Knows no connection. One thread at a time.
 */
#ifndef COMB_ETCD_WATCH_SEEN_H
#define COMB_ETCD_WATCH_SEEN_H

#include "server/backend/etcd/etcd.h"
#include "server/core/buf.h"
#include "server/core/map.h"

struct etcd_seen {
    struct comb_map versions; /* key -> its version, as a pointer's number */
    int64_t revision;         /* all up to it has been taken */
    int64_t newest;           /* of the events taken since the last _advance */
    uint64_t cluster;
    /* The last change that was taken; 0: none. */
    int64_t last_revision;
    struct comb_buf last_key;
    bool last_was_delete;
};

enum etcd_seen_verdict {
    ETCD_SEEN_NEW,
    ETCD_SEEN_BEFORE, /* a duplicate: taken already */
    ETCD_SEEN_GAP     /* something before it is missing, or it cannot be remembered */
};

void etcd_seen_init(struct etcd_seen *seen);
void etcd_seen_done(struct etcd_seen *seen);
/* Begins anew with a whole range. */
enum comb_status etcd_seen_reset(struct etcd_seen *seen, struct etcdserverpb_key_value *const *kvs,
                                 size_t n, int64_t revision, uint64_t cluster,
                                 struct comb_error *err) COMB_MUST_CHECK;
enum etcd_seen_verdict etcd_seen_take(struct etcd_seen *seen,
                                      const struct etcdserverpb_event *event);
/* All events of the newest revision that was taken have been: several may have the same one. */
void etcd_seen_advance(struct etcd_seen *seen);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef COMB_ETCD_INTERNAL_H
#define COMB_ETCD_INTERNAL_H

#include <pthread.h>

#include "grpcc/channel.h"
#include "server/backend/etcd/etcd.h"
#include "server/core/backoff.h"
#include "server/core/url.h"

extern const char comb_etcd_domain[];

struct comb_etcd_member {
    char name[300]; /* "host:port" */
    struct comb_url_host host;
    struct grpcc_channel *channel;
    /* under comb_etcd.lock */
    int64_t bad_until_ns; /* 0: good */
    bool trying;          /* one call is finding out whether it is good again */
    struct comb_backoff backoff;
};

struct comb_etcd {
    struct grpcc_arena *arena; /* of the URL's parts */
    comb_str prefix;           /* with the "/" at its end */
    comb_str user, password;   /* of options; empty: none */
    comb_str ca;               /* PEM file of the URL; ptr NULL: none */
    struct comb_etcd_member members[COMB_URL_HOSTS_MAX];
    size_t n_members;

    pthread_mutex_t lock; /* of what follows, and of the members */
    size_t next;
    char *token; /* NULL: none */
    struct comb_store_status status;
};

/* What a failed call means for those that come after it. */
enum comb_etcd_verdict {
    COMB_ETCD_FAIL,   /* the call is at fault, or the cluster as a whole */
    COMB_ETCD_MEMBER, /* the member is at fault: another one may do it */
    COMB_ETCD_LOGIN   /* not done; the token is not good any more */
};
/* Fills err from what gRPC says of a call to member. */
enum comb_etcd_verdict comb_etcd_judge(const struct comb_etcd_member *member,
                                       const struct grpcc_error *native, struct comb_error *err);

/* The member whose turn it is; NULL and err: none is left to ask. Pairs with _give. */
struct comb_etcd_member *comb_etcd_take(struct comb_etcd *etcd, struct comb_error *err);
/* good: it has answered. Else err says how it failed. */
void comb_etcd_give(struct comb_etcd *etcd, struct comb_etcd_member *member, bool good,
                    const struct comb_error *err);

/* The login's token as a header, in arena: *ret_n is 1, or 0 where there is no login. Blocks. */
enum comb_etcd_verdict comb_etcd_login(struct comb_etcd *etcd, struct comb_etcd_member *member,
                                       struct grpcc_arena *arena, int64_t timeout_ms,
                                       struct grpcc_metadata *ret_header, size_t *ret_n,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* The token was refused. */
void comb_etcd_forget_login(struct comb_etcd *etcd);

#endif

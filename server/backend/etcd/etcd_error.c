/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of etcd's errors. They have a gRPC status and a text, and it is the text that tells
 * them apart. Source: etcd 3.4 and 3.6, api/v3rpc/rpctypes/error.go, and what gRPC core says of
 * connections that fail.
 */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/etcd/etcd_internal.h"

const char comb_etcd_domain[] = "etcd";

enum {
    DOWN = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
    FULL = COMB_V1_ERROR_REASON_STORE_FULL,
    LARGE = COMB_V1_ERROR_REASON_TOO_LARGE
};

/* The first row that fits counts. */
static const struct row {
    enum grpcc_status native;
    const char *part; /* of the message */
    enum comb_etcd_verdict verdict;
    enum comb_status status;
    int reason;
    const char *text; /* NULL: the store's own words */
} table[] = {
    {GRPCC_UNAUTHENTICATED, "", COMB_ETCD_LOGIN, COMB_FAILED_PRECONDITION, 0,
     "etcd refuses the token of the login that it gave out itself"},
    {GRPCC_INVALID_ARGUMENT, "revision of auth store is old", COMB_ETCD_LOGIN, COMB_UNAVAILABLE,
     DOWN, NULL},
    {GRPCC_INVALID_ARGUMENT, "authentication failed", COMB_ETCD_FAIL, COMB_FAILED_PRECONDITION, 0,
     "etcd refuses the user or the password: correct the credentials file"},
    {GRPCC_INVALID_ARGUMENT, "user name is empty", COMB_ETCD_FAIL, COMB_FAILED_PRECONDITION, 0,
     "etcd wants a login: name a credentials file with user:password"},
    {GRPCC_PERMISSION_DENIED, "", COMB_ETCD_FAIL, COMB_FAILED_PRECONDITION, 0,
     "etcd's user may not use these keys: grant it a role with readwrite on the URL's prefix"},
    {GRPCC_OUT_OF_RANGE, "", COMB_ETCD_FAIL, COMB_OUT_OF_RANGE, 0, NULL},
    {GRPCC_NOT_FOUND, "", COMB_ETCD_FAIL, COMB_NOT_FOUND, 0, NULL},
    {GRPCC_RESOURCE_EXHAUSTED, "database space exceeded", COMB_ETCD_FAIL, COMB_RESOURCE_EXHAUSTED,
     FULL, "etcd's space is used up: compact and defragment it, then disarm its alarm NOSPACE"},
    {GRPCC_RESOURCE_EXHAUSTED, "too many requests", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN, NULL},
    {GRPCC_RESOURCE_EXHAUSTED, "", COMB_ETCD_FAIL, COMB_RESOURCE_EXHAUSTED, LARGE, NULL},
    {GRPCC_INVALID_ARGUMENT, "request is too large", COMB_ETCD_FAIL, COMB_RESOURCE_EXHAUSTED, LARGE,
     "the change is larger than etcd takes (--max-request-bytes)"},
    {GRPCC_INVALID_ARGUMENT, "too many operations", COMB_ETCD_FAIL, COMB_RESOURCE_EXHAUSTED, LARGE,
     "the change has more parts than etcd takes (--max-txn-ops)"},
    {GRPCC_DATA_LOSS, "", COMB_ETCD_FAIL, COMB_DATA_LOSS, 0, "etcd's data are damaged: restore it"},
    {GRPCC_UNIMPLEMENTED, "", COMB_ETCD_FAIL, COMB_FAILED_PRECONDITION, 0,
     "what answers is not etcd 3.4 or newer: correct the URL"},
    {GRPCC_UNAVAILABLE, "certificate has expired", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN,
     "the certificate of etcd has expired: renew it"},
    {GRPCC_UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN,
     "the certificate of etcd has expired or is not by a known CA: renew it, or correct ca="},
    {GRPCC_UNAVAILABLE, "DNS resolution failed", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN,
     "the host is unknown: correct the URL or the name service"},
    {GRPCC_UNAVAILABLE, "no leader", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN,
     "etcd has no leader: most of its members are down"},
    {GRPCC_UNAVAILABLE, "Connection refused", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN,
     "nothing listens there: start etcd, or correct the URL"},
    {GRPCC_UNAVAILABLE, "", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN, NULL},
    {GRPCC_DEADLINE_EXCEEDED, "", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN,
     "it does not answer in time"},
    {GRPCC_CANCELLED, "", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN, NULL},
    {GRPCC_UNKNOWN, "", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN, NULL},
    {GRPCC_INTERNAL, "", COMB_ETCD_MEMBER, COMB_UNAVAILABLE, DOWN, NULL},
};

enum comb_etcd_verdict comb_etcd_judge(const struct comb_etcd_member *member,
                                       const struct grpcc_error *native, struct comb_error *err)
{
    const struct row *row = NULL;

    for (size_t i = 0; i < sizeof table / sizeof table[0] && !row; i++) {
        if (table[i].native == native->status && strstr(native->message, table[i].part))
            row = &table[i];
    }
    if (!row)
        comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, "etcd at %s: %s",
                       member->name, native->message);
    else
        comb_error_set(err, row->status, row->reason, "etcd at %s: %s", member->name,
                       row->text ? row->text : native->message);
    if (err) {
        err->domain = comb_etcd_domain;
        err->native = native->status;
        err->retryable = row && row->status == COMB_UNAVAILABLE;
    }
    return row ? row->verdict : COMB_ETCD_FAIL;
}

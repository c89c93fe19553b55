/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all rows have in common: how one is opened, and what it tells of itself. Each row's contract
 * (server/AREA/…_driver.h, server/backend/sql/sql.h) has a slot `status`, and a slot `check`.
 *
 * Opening looks at the URL and the credentials only: a store that is away is found again in the
 * background, and calls meanwhile end as DESIGN §7 says. `check` asks the store a question that
 * needs a connection, the credentials and the rights that the driver works with; its error says in
 * one line what the operator has to do.
 */
#ifndef COMB_CORE_STORE_H
#define COMB_CORE_STORE_H

#include "server/core/ctx.h"

/* What the driver of a row is opened with. All strings live as long as the row is open. */
struct comb_store_options {
    comb_str url; /* in full: "redis://cache-1:6379/0?ca=/etc/comb/ca.pem"; never with a password */
    /* What --ROW-credentials-file names, without the line's end: "user:password", a key pair
     * "id:secret" or a token, as the driver's README says. Empty: none. Secret: never in a log, an
     * error or a status. */
    comb_str credentials;
};

enum comb_store_state {
    COMB_STORE_STARTING = 0, /* no answer yet */
    COMB_STORE_UP,
    COMB_STORE_DOWN /* the newest attempt failed */
};

/* One row at one moment, for Admin.Stores, health, metrics and `combd --check`. */
struct comb_store_status {
    const char *driver; /* the URL's scheme: "redis" */
    char server[64];    /* "Redis 7.0.15"; "" before the first answer */
    bool shared;        /* other processes may use the store at the same time */
    enum comb_store_state state;
    int64_t since_us;                   /* wall clock: since when state is so */
    char error[COMB_ERROR_MESSAGE_MAX]; /* why it is DOWN; no secrets */
    uint32_t connections, in_flight;    /* now */
    /* since start */
    uint64_t requests, failures, reconnects;
};

const char *comb_store_state_name(enum comb_store_state state);

/* The driver's own record of its state, which it keeps under a lock of its own. Says whether the
 * state changed, which is worth a line in the log. err: why, where state is DOWN, else NULL. */
bool comb_store_status_set(struct comb_store_status *status, enum comb_store_state state,
                           const struct comb_error *err);

#endif

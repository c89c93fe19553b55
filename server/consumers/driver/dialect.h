/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the stores of the SQL family: the texts of the statements. */
#ifndef COMB_CONSUMERS_DRIVER_DIALECT_H
#define COMB_CONSUMERS_DRIVER_DIALECT_H

#include "server/consumers/consumers_store.h"

/* In all of them a time is the store's own, and a lease is given in microseconds. HELD: ?1 name ?2
 * fence, and the lease has not run out. PLACE: ?4 incarnation ?5 sequence ?6 rebuild ?7 state
 * ?8 epoch. */
struct consumers_dialect {
    const char *is_held; /* ?1 name: a row if somebody holds it */
    const char *make;    /* ?1 name */
    const char *take;    /* ?1 name ?2 holder ?3 lease: fence, attempts, PLACE */
    const char *renew;   /* HELD ?3 lease: a row */
    const char *release; /* HELD: a row */
    const char *bury;
    const char *place;       /* ?1 name: PLACE */
    const char *advance;     /* HELD ?3 lease PLACE: a row */
    const char *aside;       /* ?1 name ?2 incarnation ?3 sequence ?4 kind ?5 subject ?6 revision
                                ?7 time ?8 code ?9 message */
    const char *aside_trim;  /* ?1 name ?2 max: leaves the newest, and those that are wanted */
    const char *aside_clear; /* HELD */
    const char *anew;        /* ?1 name: a place that says REQUESTED, and nobody's lease */
    const char *note;        /* HELD ?3 code ?4 message: a row */
    const char *held;        /* HELD: locks it until the transaction ends */
    /* name, fence, attempts, 1: held, holder, PLACE, advance_us, code, message, fail_us, expire_us,
     * n_aside, n_wanted, wanted_us */
    const char *list;
    /* ASIDE: incarnation, sequence, kind, subject, revision, time, aside time, code, message,
     * wanted. ONE: ?1 name ?2 incarnation ?3 sequence. */
    const char *list_aside;     /* ONE: behind it; ?4 max: ASIDE */
    const char *want_aside;     /* ONE */
    const char *want_all_aside; /* ?1 name */
    const char *wanted_aside;   /* ?1 name: ASIDE of the first */
    const char *count_wanted;   /* ?1 name: how many */
    const char *mark_aside;     /* ONE ?4 wanted */
    const char *note_aside;     /* ONE ?4 wanted ?5 code ?6 message */
    const char *forget_aside;   /* ONE */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_consumers_schema_sqlite;
extern const struct comb_sql_schema comb_consumers_schema_postgres;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the stores of the SQL family: the texts of the statements. */
#ifndef COMB_OPERATIONS_DRIVER_DIALECT_H
#define COMB_OPERATIONS_DRIVER_DIALECT_H

#include "server/operations/operations_store.h"

/* In all of them a time is the store's own, and a lease, a delay or an age is given in
 * microseconds. HELD: ?1 id ?2 fence, and the lease has not run out. */
struct operations_dialect {
    /* id, kind, owner, state, cancel, done, total, unit, message, result, code, reason, why, rev,
     * attempts, fence, holder, create_us, start_us, update_us, end_us */
    const char *get;        /* ?1 id */
    const char *list;       /* ?1 before ?2 kind ?3 states ?4 max */
    const char *list_of;    /* ... ?5 owner */
    const char *count_open; /* ?1 owner */
    const char *count;      /* state, number */
    const char *insert;     /* ?1 id ?2 owner ?3 kind ?4 arguments ?5 key or NULL ?6 open_max */
    const char *cancel;     /* ?1 id ?2 revision */
    const char *delete_one; /* ?1 id; it has ended */
    const char *make_due;   /* ?1 id ?2 owner ?3 kind ?4 arguments ?5 key or NULL ?6 interval: a row
                               if it was made */
    const char *is_ready;   /* ?1 kinds: a row if there is one to take */
    const char *poison;     /* ?1 attempts_max ?2 message */
    /* ?1 kinds ?2 holder ?3 lease: id, owner, kind, arguments, resume, done, total, unit, message,
     * fence, attempts, cancel */
    const char *take;
    const char *renew; /* HELD ?3 lease: cancel */
    const char *save;  /* HELD ?3 lease ?4 resume ?5 done ?6 total ?7 unit ?8 message: cancel */
    const char *bury;
    const char *release; /* HELD ?3 delay ?4 1: counted ?5 code ?6 reason ?7 why: a row */
    const char *end;   /* HELD ?3 state ?4 result ?5 code ?6 reason ?7 why ?8 done ?9 total ?10 unit
                          ?11 message: a row */
    const char *held;  /* HELD: locks it until the transaction ends */
    const char *purge; /* ?1 keep ?2 keep of the server's own ?3 nil ?4 max */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_operations_schema_sqlite;
extern const struct comb_sql_schema comb_operations_schema_postgres;

#endif

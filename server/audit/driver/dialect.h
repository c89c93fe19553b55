/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the stores of the SQL family: the texts of the statements. */
#ifndef COMB_AUDIT_DRIVER_DIALECT_H
#define COMB_AUDIT_DRIVER_DIALECT_H

#include "server/audit/audit_store.h"

/* HIT: n, time_us, number_us, record, code of the outcome or NULL. LINE: n, number_us, record,
 * before, hash, time_us, who, node, intent, code. KEY: ?1 before_us ?2 before_n ?3 since_us ?4 max.
 */
struct audit_dialect {
    const char *put;     /* ?1 id ?2 record */
    const char *pending; /* ?1 max: id, record */
    const char *waiting; /* ?1 max: how many */
    const char *end;     /* n, number_us, hash */
    /* ?1 n ?2 hash: as it is; ?3 n ?4 number_us ?5 hash: as it will be. */
    const char *move_end;
    /*
     * ?1 n of the line in front ?2 number_us ?3 ids, 16 bytes each ?4 hashes, 32 bytes each, that
     * of the line in front first ?5 user, node and intent, 48 bytes each; zeros: none ?6 a JSON
     * array of [time_us, code]. A record that is not in the intake fails it.
     */
    const char *append;
    const char *take;          /* ?1 ids ?2 the array: out of the intake */
    const char *seal_put;      /* ?1 kind ?2 n ?3 time_us ?4 key ?5 hash ?6 signature */
    const char *seal;          /* ?1 kind: n, time_us, key, hash, signature */
    const char *trim;          /* ?1 n */
    const char *lines;         /* ?1 after ?2 max: LINE */
    const char *follow;        /* ?1 after ?2 max: HIT */
    const char *search_all;    /* KEY: HIT */
    const char *by_number;     /* ?1 a JSON array of n: HIT */
    const char *search_user;   /* KEY ?5 id: HIT */
    const char *search_failed; /* KEY: HIT */
    const char *old;           /* ?1 number_us ?2 max: n, number_us, hash */
};

extern const struct comb_sql_schema comb_audit_schema_sqlite;
extern const struct comb_sql_schema comb_audit_schema_postgres;

#endif

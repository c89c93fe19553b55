/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the stores of the SQL family: the texts of the statements. */
#ifndef COMB_AUTH_DRIVER_DIALECT_H
#define COMB_AUTH_DRIVER_DIALECT_H

#include "server/auth/auth_store.h"

/* Columns of both: id, user, label, generation, create_us, expire_us, revoked; of a session then
 * the serial, of a token hash and scopes. */
struct auth_dialect {
    const char *session;         /* ?1 id */
    const char *token;           /* ?1 id */
    const char *insert_session;  /* ?1 id ?2 user ?3 label ?4 generation ?5 create_us ?6 expire_us
                                    ?7 serial */
    const char *forget_sessions; /* ?1 ended before */
    const char *refresh_session; /* ?1 id ?2 serial before ?3 expire_us */
    const char *keep_session;    /* ?1 id ?2 generation */
    const char *keep_token;      /* ?1 id ?2 generation */
    const char *revoke_session;  /* ?1 id */
    const char *insert_token;    /* ?1 id ?2 user ?3 label ?4 generation ?5 create_us ?6 expire_us
                                    ?7 hash ?8 scopes */
    const char *forget_tokens;   /* ?1 ended before */
    const char *revoke_token;    /* ?1 id */
    const char *delete_sessions; /* ?1 user */
    const char *delete_tokens;   /* ?1 user */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_auth_schema_sqlite;
extern const struct comb_sql_schema comb_auth_schema_postgres;

#endif

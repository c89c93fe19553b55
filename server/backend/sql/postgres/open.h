/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_POSTGRES_OPEN_H
#define COMB_POSTGRES_OPEN_H

#include "server/backend/sql/sql.h"

/*
 * Opens "postgres://user@host:port,host:port/database?options", of which rest is what follows
 * "postgres:": libpq's URL, of one server or of several, of which the one that takes writes is
 * used. The first session is made before this returns, so that what is wrong with the URL shows
 * here: FAILED_PRECONDITION (password, user, database, rights), UNAVAILABLE (nobody there).
 */
enum comb_status comb_sql_postgres_open(comb_str rest, struct comb_sql **ret_sql,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif

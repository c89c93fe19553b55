/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_POSTGRES_OPEN_H
#define COMB_POSTGRES_OPEN_H

#include "server/backend/sql/sql.h"

/*
 * Opens "postgres://user@host:port,host:port/database?options": libpq's URL, of one server or of
 * several, of which the one that takes writes is used. credentials: "user:password", the user's
 * name before the first colon; empty: as the URL and libpq's own files say. The first session is
 * made before this returns, since nothing can be known of an installation without one, so what is
 * wrong shows here: INVALID_ARGUMENT (the URL), FAILED_PRECONDITION (password, user, database,
 * rights), UNAVAILABLE (nobody there).
 */
enum comb_status comb_sql_postgres_open(const struct comb_store_options *options,
                                        struct comb_sql **ret_sql,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif

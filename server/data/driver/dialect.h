/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of contents in one SQL dialect; the code around them (store.c) is the same for
 * all. Texts are static: their address is the key of the prepared statement.
 */
#ifndef COMB_DATA_DRIVER_DIALECT_H
#define COMB_DATA_DRIVER_DIALECT_H

#include "server/data/data_store.h"

/* ?now is always the first parameter of those that know time. */
struct comb_data_dialect {
    const char *session_insert;  /* ?1 now ?2 id ?3 expire */
    const char *session_end_all; /* ?1 now ?2 but this id */
    const char *session_renew;   /* ?1 expire ?2 id; changes a row if it lives */
    const char *session_alive;   /* ?1 id; a row if it lives */
    const char *session_expired; /* ?1 now; a row if there is one to end */
    const char *session_expire;  /* ?1 now: ends them */
    const char *session_next;    /* ?1 now ?2 resweep: id of a dead one to be swept */
    const char *session_swept;   /* ?1 now ?2 id */
    const char *session_forget;  /* ?1 now ?2 id ?3 resweep: after the second sweep */

    const char *blob_get;     /* ?1 id: session size sha256 */
    const char *blob_insert;  /* ?1 now ?2 id ?3 session ?4 size ?5 sha256 */
    const char *blob_window;  /* ?1 after ?2 max ?3 incarnation: last id, rows, rows to change */
    const char *blob_condemn; /* ?1 now ?2 after ?3 last ?4 incarnation */
    const char *blob_lift;    /* ?1 after ?2 last ?3 incarnation */
    const char *blob_ripe;    /* ?1 condemned before ?2 incarnation: a row if there is one */
    const char *blob_doom;    /* ?1 condemned before ?2 incarnation ?3 max */
    const char *blob_doomed;  /* id session size sha256 of one */
    const char *blob_delete;  /* ?1 id: a doomed one without parts */

    const char *part_list;    /* ?1 id ?2 from ?3 max: offset size sha256 session object */
    const char *part_insert;  /* ?1 id ?2 offset ?3 size ?4 sha256 ?5 session ?6 object; no row
                                 where one overlaps */
    const char *part_delete;  /* ?1 id ?2 from offset ?3 to offset, both included */
    const char *object_named; /* ?1 object: a row if it has one */

    const char *upload_get;    /* ?1 now ?2 id: owner target size sha256 expire parts received
                                  hashed state */
    const char *upload_insert; /* ?1 now ?2 id ?3 owner ?4 target ?5 size ?6 sha256 ?7 expire */
    const char *upload_extend; /* ?1 now ?2 id ?3 expire ?4 offset ?5 size ?6 state or NULL
                                  ?7 parts at most */
    const char *upload_commit; /* ?1 now ?2 id ?3 parts ?4 received: the row goes */
    const char *upload_end;    /* ?1 now ?2 id */
    const char *upload_next;   /* ?1 now: id, ended of one that has ended or expired */
    const char *upload_expire; /* ?1 now ?2 id: ends it if it has expired */
    const char *upload_delete; /* ?1 id: an ended one without parts */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_data_schema_sqlite;
extern const struct comb_sql_schema comb_data_schema_postgres;

#endif

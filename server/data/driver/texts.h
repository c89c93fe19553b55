/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of contents that are the same in all SQL dialects; those that differ are in
 * dialect.h. The first parameter of those that know time is the time now. For store.c.
 */
#ifndef COMB_DATA_DRIVER_TEXTS_H
#define COMB_DATA_DRIVER_TEXTS_H

#include "server/data/driver/dialect.h"

/* ?1 now ?2 id ?3 expire */
static const char SESSION_INSERT[] =
    "INSERT INTO blob_session (id, create_us, expire_us) VALUES (?2, ?1, ?3)";
/* ?1 now ?2 but this id */
static const char SESSION_END_ALL[] =
    "UPDATE blob_session SET dead_us = ?1 WHERE id <> ?2 AND dead_us IS NULL";
/* ?1 expire ?2 id; changes a row if it lives */
static const char SESSION_RENEW[] =
    "UPDATE blob_session SET expire_us = ?1 WHERE id = ?2 AND dead_us IS NULL";
/* ?1 now; a row if there is one to end */
static const char SESSION_EXPIRED[] =
    "SELECT 1 FROM blob_session WHERE dead_us IS NULL AND expire_us < ?1 LIMIT 1";
/* ?1 now: ends them */
static const char SESSION_EXPIRE[] = "UPDATE blob_session SET dead_us = ?1 WHERE dead_us IS NULL"
                                     " AND expire_us < ?1";
/* ?1 now ?2 resweep: id of a dead one to be swept */
static const char SESSION_NEXT[] =
    "SELECT id FROM blob_session WHERE dead_us IS NOT NULL AND (swept_us IS NULL"
    " OR (swept_us < dead_us + ?2 AND ?1 >= dead_us + ?2)) LIMIT 1";
/* ?1 now ?2 id */
static const char SESSION_SWEPT[] = "UPDATE blob_session SET swept_us = ?1 WHERE id = ?2";
/* ?1 now ?2 id ?3 resweep: after the second sweep */
static const char SESSION_FORGET[] =
    "DELETE FROM blob_session WHERE id = ?2 AND dead_us IS NOT NULL"
    " AND ?1 >= dead_us + ?3";

/* ?1 id: session size sha256 wrapped stored stored_sha256 */
static const char BLOB_GET[] = "SELECT session, size, sha256, wrapped, stored, stored_sha256"
                               " FROM blob WHERE id = ?1 AND doomed = 0";
/* ?1 now ?2 id ?3 session ?4 size ?5 sha256 ?6 wrapped ?7 stored ?8 stored_sha256 */
static const char BLOB_INSERT[] = "INSERT INTO blob (id, session, size, sha256, create_us, wrapped,"
                                  " stored, stored_sha256) VALUES (?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8)";
/* ?1 now ?2 after ?3 last ?4 incarnation */
static const char BLOB_CONDEMN[] =
    "UPDATE blob AS b SET condemn_us = ?1, incarnation = ?4 WHERE b.id > ?2"
    " AND b.id <= ?3 AND b.doomed = 0 AND " MUST_CONDEMN("?4");
/* ?1 after ?2 last ?3 incarnation */
static const char BLOB_LIFT[] =
    "UPDATE blob AS b SET condemn_us = NULL, incarnation = NULL WHERE b.id > ?1"
    " AND b.id <= ?2 AND b.doomed = 0 AND " MUST_LIFT;
/* ?1 condemned before ?2 incarnation: a row if there is one */
static const char BLOB_RIPE[] =
    "SELECT 1 FROM blob WHERE condemn_us <= ?1 AND doomed = 0 AND incarnation = ?2"
    " LIMIT 1";
/* id session size sha256 of one */
static const char BLOB_DOOMED[] =
    "SELECT id, session, size, sha256 FROM blob WHERE condemn_us IS NOT NULL"
    " AND doomed = 1 LIMIT 1";
/* ?1 id: a doomed one without parts */
static const char BLOB_DELETE[] = "DELETE FROM blob WHERE id = ?1 AND doomed = 1"
                                  " AND NOT EXISTS (SELECT 1 FROM blob_part WHERE blob = ?1)";

/* ?1 id ?2 from ?3 max: offset size sha256 session object wrapped stored stored_sha256 */
static const char PART_LIST[] =
    "SELECT \"offset\", size, sha256, session, object, wrapped, stored, stored_sha256"
    " FROM blob_part WHERE blob = ?1"
    " AND \"offset\" >= coalesce((SELECT max(\"offset\") FROM blob_part"
    " WHERE blob = ?1 AND \"offset\" <= ?2), 0) AND \"offset\" + size > ?2"
    " ORDER BY \"offset\" LIMIT ?3";
/* Two that overlap cannot come at once: each has the upload's row, from the statement before.
 */
/* ?1 id ?2 offset ?3 size ?4 sha256 ?5 session ?6 object ?7 wrapped ?8 stored ?9 stored_sha256;
   no row where one overlaps */
static const char PART_INSERT[] =
    "INSERT INTO blob_part (blob, \"offset\", size, sha256, session, object, wrapped, stored,"
    " stored_sha256) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
    " WHERE NOT EXISTS (SELECT 1 FROM blob_part"
    " WHERE blob = ?1 AND \"offset\" >= ?2 AND \"offset\" < ?2 + ?3)"
    " AND coalesce((SELECT \"offset\" + size FROM blob_part WHERE blob = ?1"
    " AND \"offset\" < ?2 ORDER BY \"offset\" DESC LIMIT 1), 0) <= ?2";
/* ?1 id ?2 from offset ?3 to offset, both included */
static const char PART_DELETE[] = "DELETE FROM blob_part WHERE blob = ?1 AND \"offset\" >= ?2"
                                  " AND \"offset\" <= ?3";
/* ?1 object: a row if it has one */
static const char OBJECT_NAMED[] =
    "SELECT 1 FROM blob WHERE id = ?1 AND session IS NOT NULL UNION ALL"
    " SELECT 1 FROM blob_part WHERE object = ?1 UNION ALL"
    " SELECT 1 FROM blob_replaced WHERE object = ?1 LIMIT 1";

/* ?1 after ?2 max: id session size sha256 wrapped stored stored_sha256 doomed */
static const char WALK_BLOBS[] =
    "SELECT id, session, size, sha256, wrapped, stored, stored_sha256, doomed FROM blob"
    " WHERE id > ?1 ORDER BY id LIMIT ?2";
/* ?1 blob ?2 after offset ?3 max: as PART_LIST, and blob */
static const char WALK_PARTS[] =
    "SELECT \"offset\", size, sha256, session, object, wrapped, stored, stored_sha256, blob"
    " FROM blob_part WHERE (blob, \"offset\") > (?1, ?2) ORDER BY blob, \"offset\" LIMIT ?3";
/* ?1 id ?2 seen ?3 wrapped */
static const char BLOB_REWRAP[] = "UPDATE blob SET wrapped = ?3 WHERE id = ?1 AND wrapped = ?2";
/* ?1 object ?2 seen ?3 wrapped */
static const char PART_REWRAP[] =
    "UPDATE blob_part SET wrapped = ?3 WHERE object = ?1 AND wrapped = ?2";
/* ?1 id ?2 session as seen: it becomes one that is made of parts */
static const char BLOB_DIVIDE[] =
    "UPDATE blob SET session = NULL WHERE id = ?1 AND session = ?2 AND wrapped IS NULL"
    " AND doomed = 0";
/* ?1 object as seen ?2 session ?3 object ?4 wrapped ?5 stored ?6 stored_sha256 */
static const char PART_REPLACE[] =
    "UPDATE blob_part SET session = ?2, object = ?3, wrapped = ?4, stored = ?5, stored_sha256 = ?6"
    " WHERE object = ?1 AND wrapped IS NULL";
/* ?1 object ?2 session ?3 now */
static const char REPLACED_INSERT[] =
    "INSERT INTO blob_replaced (object, session, replace_us) VALUES (?1, ?2, ?3)";
/* ?1 before ?2 max: object session */
static const char REPLACED_LIST[] =
    "SELECT object, session FROM blob_replaced WHERE replace_us <= ?1 ORDER BY replace_us LIMIT ?2";
/* ?1 object */
static const char REPLACED_DELETE[] = "DELETE FROM blob_replaced WHERE object = ?1";

/* ?1 now ?2 id: owner target size sha256 expire parts received hashed state */
static const char UPLOAD_GET[] =
    "SELECT owner, target, size, sha256, expire_us, parts, received, hashed,"
    " hash_state FROM upload WHERE id = ?2 AND ended = 0 AND expire_us > ?1";
/* Takes the first free one of the owner's ?8 places, from ?9 on and around; no row where there is
 * none. Two who find the same one free cannot both have it: UNIQUE(owner, place). */
/* ?1 now ?2 id ?3 owner ?4 target ?5 size ?6 sha256 ?7 expire ?8 places ?9 first */
static const char UPLOAD_INSERT[] =
    "INSERT INTO upload (id, owner, target, size, sha256, create_us, expire_us, place)"
    " SELECT ?2, ?3, ?4, ?5, ?6, ?1, ?7, free.place FROM ("
    "WITH RECURSIVE step(n) AS (SELECT CAST(0 AS bigint) UNION ALL"
    " SELECT n + 1 FROM step WHERE n < ?8 - 1)"
    " SELECT (step.n + ?9) % ?8 AS place FROM step WHERE NOT EXISTS ("
    "SELECT 1 FROM upload u WHERE u.owner = ?3 AND u.ended = 0"
    " AND u.place = (step.n + ?9) % ?8) LIMIT 1) AS free";
/* ?1 now ?2 owner: places taken, and how many of them by what has expired */
static const char UPLOAD_PLACES[] =
    "SELECT count(*), coalesce(sum(CASE WHEN expire_us <= ?1 THEN 1 ELSE 0 END), 0)"
    " FROM upload WHERE owner = ?2 AND ended = 0 AND place IS NOT NULL";
/* ?1 now ?2 owner: ends those that have expired */
static const char UPLOAD_EXPIRE_OF[] =
    "UPDATE upload SET ended = 1 WHERE owner = ?2 AND ended = 0 AND expire_us <= ?1";
/* ?1 now ?2 owner ?3 after ?4 max: as UPLOAD_GET, and the id */
static const char UPLOAD_LIST[] =
    "SELECT owner, target, size, sha256, expire_us, parts, received, hashed, hash_state, id"
    " FROM upload WHERE owner = ?2 AND ended = 0 AND expire_us > ?1 AND id > ?3"
    " ORDER BY id LIMIT ?4";
/* ?1 now ?2 id ?3 parts ?4 received: the row goes */
static const char UPLOAD_COMMIT[] =
    "DELETE FROM upload WHERE id = ?2 AND ended = 0 AND expire_us > ?1"
    " AND parts = ?3 AND received = ?4";
/* ?1 now ?2 id */
static const char UPLOAD_END[] =
    "UPDATE upload SET ended = 1 WHERE id = ?2 AND ended = 0 AND expire_us > ?1";
/* ?1 now: id, ended of one that has ended or expired */
static const char UPLOAD_NEXT[] = "SELECT id, 1 FROM upload WHERE ended = 1 UNION ALL"
                                  " SELECT id, 0 FROM upload WHERE expire_us <= ?1 LIMIT 1";
/* ?1 now ?2 id: ends it if it has expired */
static const char UPLOAD_EXPIRE[] = "UPDATE upload SET ended = 1 WHERE id = ?2 AND expire_us <= ?1";
/* ?1 id: an ended one without parts */
static const char UPLOAD_DELETE[] = "DELETE FROM upload WHERE id = ?1 AND ended = 1"
                                    " AND NOT EXISTS (SELECT 1 FROM blob_part WHERE blob = ?1)";

#endif

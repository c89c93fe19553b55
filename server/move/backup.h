/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole installation into one file, and out of it into empty stores. The sql row is read as it
 * was at one moment, and first: what the other rows hold is as new as that or newer, and a content
 * that a row of it names never changes.
 */
#ifndef COMB_MOVE_BACKUP_H
#define COMB_MOVE_BACKUP_H

#include "server/move/archive.h"
#include "server/move/move.h"

/* The rows, which are open; borrowed. */
struct comb_backup_rows {
    struct comb_sql *sql;
    struct comb_vault *vault;
    struct comb_config_store *config;
    struct comb_blobs *blobs;
    struct comb_docs_stores docs;
};

struct comb_backup_facts {
    struct comb_uuid installation;
    uint64_t incarnation;
    int64_t time_us;
    uint64_t records, bytes;
    struct comb_move_faults faults; /* contents that are not as they should be */
};

/* Writes all rows; out gets the file's bytes. The archive is ended where it returns OK only. */
enum comb_status comb_backup_write(const struct comb_backup_rows *rows,
                                   struct comb_archive_writer *writer,
                                   const struct comb_move_progress *progress,
                                   struct comb_backup_facts *ret_facts,
                                   struct comb_error *err) COMB_MUST_CHECK;

/*
 * Fills the rows, which have been migrated and must be empty, else FAILED_PRECONDITION; reads them
 * again, and compares. Until comb_backup_finish() the sql row says that it is not whole.
 */
enum comb_status comb_backup_read(const struct comb_backup_rows *rows,
                                  struct comb_archive_reader *reader,
                                  const struct comb_move_progress *progress,
                                  struct comb_backup_facts *ret_facts,
                                  struct comb_error *err) COMB_MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The highest incarnation of the sql row that any replica has met, kept as a mark of the config row
 * (CONSISTENCY 1.8): a server that was left behind by a promotion, or a copy of an old backup,
 * looks like the real one to who has met no other. Stores that one process has alone cannot be left
 * behind; nothing is done for them.
 */
#ifndef COMB_INCARNATION_H
#define COMB_INCARNATION_H

#include "server/backend/sql/sql.h"
#include "server/config/config_driver.h"

struct comb_incarnation;

/*
 * Before anything is read from sql: FAILED_PRECONDITION where only servers are there that are older
 * than the mark. Then a thread raises the mark when another server takes over, and looks every
 * second whether others have met a newer one: then sessions to older ones end (comb_sql_expect). A
 * config row that is away is asked again later. Both rows must live until _stop. *ret_incarnation
 * is NULL where nothing has to be done.
 */
enum comb_status comb_incarnation_start(struct comb_sql *sql, struct comb_config_store *config,
                                        struct comb_ctx *ctx,
                                        struct comb_incarnation **ret_incarnation,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Waits for the look under way. NULL is fine. */
void comb_incarnation_stop(struct comb_incarnation *incarnation);

/*
 * The sql row was put back from a backup: its history begins anew, above the mark and above its
 * own, and the mark is raised. Both rows must answer; nobody else may use the sql row. Repeatable.
 */
enum comb_status comb_incarnation_begin_anew(struct comb_sql *sql, struct comb_config_store *config,
                                             struct comb_ctx *ctx,
                                             struct comb_error *err) COMB_MUST_CHECK;

/*
 * The same for a sql row that was filled from another store (server/move): its history is above
 * that of `above` and above what the mark of that installation says, and it belongs to that
 * installation for who opens it afterwards.
 */
enum comb_status comb_incarnation_adopt(struct comb_sql *sql, struct comb_config_store *config,
                                        struct comb_ctx *ctx, const struct comb_uuid *installation,
                                        uint64_t above, struct comb_error *err) COMB_MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements as all dialects have them. A dialect defines the parts that differ, and then its
 * table as OPERATIONS_STATEMENTS:
 *   NOW              the store's clock, microseconds since 1970
 *   EMPTY            no bytes
 *   IS_OF(kinds)     whether column kind is one of ",a,b,"
 *   BIT_OF(states)   whether column state is one of the bits
 *   SKIP_LOCKED      behind a SELECT whose rows are changed: those that another changes are left
 * out
 */
#ifndef COMB_OPERATIONS_DRIVER_TEXTS_H
#define COMB_OPERATIONS_DRIVER_TEXTS_H

#define COLUMNS                                                                                    \
    "id, kind, owner, state, cancel, done, total, unit, message, result, code, reason, why, rev,"  \
    " attempts, fence, holder, create_us, start_us, update_us, end_us"
#define LISTED(more)                                                                               \
    "SELECT " COLUMNS " FROM operation WHERE id < ?1 AND (?2 = '' OR kind = ?2) AND " BIT_OF("?3") \
        more " ORDER BY id DESC LIMIT ?4"
#define NEW_ROW                                                                                    \
    "INSERT INTO operation (id, owner, kind, arguments, unique_key, create_us, update_us)"         \
    " SELECT ?1, ?2, ?3, ?4, ?5, " NOW ", " NOW
#define HELD " WHERE id = ?1 AND fence = ?2 AND state = 2 AND expire_us > " NOW
#define MAY_BE_TAKEN                                                                               \
    "state <= 2 AND ((state = 1 AND due_us <= " NOW ") OR (state = 2 AND expire_us <= " NOW "))"   \
    " AND " IS_OF("?1")
#define LET_GO "holder = NULL, expire_us = NULL, rev = rev + 1, update_us = " NOW
#define ENDED LET_GO ", end_us = " NOW ", unique_key = NULL, resume = " EMPTY

#define OPERATIONS_STATEMENTS                                                                      \
    {                                                                                              \
        .get = "SELECT " COLUMNS " FROM operation WHERE id = ?1", .list = LISTED(""),              \
        .list_of = LISTED(" AND owner = ?5"),                                                      \
        .count_open = "SELECT count(*) FROM operation WHERE owner = ?1 AND state <= 2",            \
        .count = "SELECT state, count(*) FROM operation GROUP BY state",                           \
        .insert = NEW_ROW                                                                          \
            " WHERE (SELECT count(*) FROM operation WHERE owner = ?2 AND state <= 2) < ?6",        \
        .cancel = "UPDATE operation SET cancel = 1, rev = rev + 1, update_us = " NOW               \
                  ", end_us = CASE WHEN state = 1 THEN " NOW " END,"                               \
                  " unique_key = CASE WHEN state = 1 THEN NULL ELSE unique_key END,"               \
                  " code = CASE WHEN state = 1 THEN 1 ELSE code END,"                              \
                  " state = CASE WHEN state = 1 THEN 5 ELSE state END"                             \
                  " WHERE id = ?1 AND rev = ?2 AND state <= 2",                                    \
        .delete_one = "DELETE FROM operation WHERE id = ?1 AND state > 2",                         \
        .make_due = NEW_ROW " WHERE NOT EXISTS (SELECT 1 FROM operation WHERE kind = ?3"           \
                            " AND (state <= 2 OR end_us > " NOW " - ?6))"                          \
                            " ON CONFLICT DO NOTHING RETURNING 1",                                 \
        .is_ready = "SELECT 1 FROM operation WHERE " MAY_BE_TAKEN " LIMIT 1",                      \
        .poison = "UPDATE operation SET state = 4, code = 10, reason = 0, why = ?2, " ENDED        \
                  " WHERE state = 2 AND expire_us <= " NOW " AND attempts >= ?1",                  \
        .take =                                                                                    \
            "UPDATE operation SET state = 2, holder = ?2, fence = fence + 1,"                      \
            " attempts = attempts + 1, rev = rev + 1, update_us = " NOW ","                        \
            " start_us = coalesce(start_us, " NOW "), expire_us = " NOW " + ?3"                    \
            " WHERE id = (SELECT id FROM operation WHERE " MAY_BE_TAKEN                            \
            " ORDER BY id LIMIT 1" SKIP_LOCKED ") RETURNING id, owner, kind, arguments, resume,"   \
            " done, total, unit, message, fence, attempts, cancel",                                \
        .renew = "UPDATE operation SET expire_us = " NOW " + ?3" HELD " RETURNING cancel",         \
        .save =                                                                                    \
            "UPDATE operation SET expire_us = " NOW " + ?3, resume = ?4, done = ?5, total = ?6,"   \
            " unit = ?7, message = ?8, attempts = 1, rev = rev + 1, update_us = " NOW HELD         \
            " RETURNING cancel",                                                                   \
        .bury = "UPDATE operation SET expire_us = 0 WHERE state = 2 AND expire_us > 0",            \
        .release = "UPDATE operation SET state = 1, due_us = " NOW " + ?3,"                        \
                   " attempts = attempts - 1 + ?4, code = ?5, reason = ?6, why = ?7, " LET_GO HELD \
                   " RETURNING 1",                                                                 \
        .end = "UPDATE operation SET state = ?3, result = ?4, code = ?5, reason = ?6, why = ?7,"   \
               " done = ?8, total = ?9, unit = ?10, message = ?11, " ENDED HELD " RETURNING 1",    \
        .held = "UPDATE operation SET fence = fence" HELD,                                         \
        .purge = "DELETE FROM operation WHERE id IN (SELECT id FROM operation WHERE state > 2"     \
                 " AND (end_us <= " NOW " - ?1 OR (owner = ?3 AND state = 3 AND end_us <= " NOW    \
                 " - ?2)) LIMIT ?4)",                                                              \
    }

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements as all dialects have them. A dialect defines the parts that differ, and then its
 * table as CONSUMERS_STATEMENTS:
 *   NOW     the store's clock, microseconds since 1970
 *   EMPTY   no bytes
 */
#ifndef COMB_CONSUMERS_DRIVER_TEXTS_H
#define COMB_CONSUMERS_DRIVER_TEXTS_H

#define HELD " WHERE name = ?1 AND fence = ?2 AND expire_us > " NOW
#define ASIDE "incarnation, seq, kind, subject, rev, time_us, aside_us, code, message, wanted"
#define ONE_ASIDE " WHERE name = ?1 AND incarnation = ?2 AND seq = ?3"
#define PLACE "incarnation, seq, rebuild, state, epoch"

#define CONSUMERS_STATEMENTS                                                                       \
    {                                                                                              \
        .is_held = "SELECT 1 FROM lease WHERE name = ?1 AND expire_us > " NOW,                     \
        .make = "INSERT INTO lease (name, state, rebuild) VALUES (?1, " EMPTY ", 1)"               \
                " ON CONFLICT DO NOTHING",                                                         \
        .take = "UPDATE lease SET fence = fence + 1, attempts = attempts + 1, holder = ?2,"        \
                " expire_us = " NOW " + ?3 WHERE name = ?1 AND expire_us <= " NOW                  \
                " RETURNING fence, attempts, " PLACE,                                              \
        .renew = "UPDATE lease SET expire_us = " NOW " + ?3" HELD " RETURNING 1",                  \
        .release =                                                                                 \
            "UPDATE lease SET holder = NULL, expire_us = 0,"                                       \
            " attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END" HELD " RETURNING 1", \
        .bury = "UPDATE lease SET expire_us = 0 WHERE expire_us > 0",                              \
        .place = "SELECT " PLACE " FROM lease WHERE name = ?1",                                    \
        .advance = "UPDATE lease SET expire_us = " NOW " + ?3, incarnation = ?4, seq = ?5,"        \
                   " rebuild = ?6, state = ?7, epoch = ?8, attempts = 0, code = 0, message = '',"  \
                   " fail_us = 0, advance_us = " NOW HELD " RETURNING 1",                          \
        .aside = "INSERT INTO set_aside (name, incarnation, seq, kind, subject, rev, time_us,"     \
                 " code, message, aside_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, " NOW      \
                 ") ON CONFLICT DO NOTHING",                                                       \
        .aside_trim = "DELETE FROM set_aside WHERE name = ?1 AND (incarnation, seq) IN ("          \
                      " SELECT incarnation, seq FROM set_aside WHERE name = ?1 AND wanted = 0"     \
                      " ORDER BY incarnation DESC, seq DESC LIMIT 100 OFFSET ?2)",                 \
        .aside_clear = "DELETE FROM set_aside WHERE name = ?1"                                     \
                       " AND EXISTS (SELECT 1 FROM lease" HELD ")",                                \
        .anew = "UPDATE lease SET fence = fence + 1, attempts = 0, holder = NULL, expire_us = 0,"  \
                " incarnation = 0, seq = 0, rebuild = 4, state = " EMPTY                           \
                " WHERE name = ?1 AND rebuild = 0",                                                \
        .note = "UPDATE lease SET code = ?3, message = ?4, fail_us = " NOW HELD " RETURNING 1",    \
        .held = "UPDATE lease SET fence = fence" HELD,                                             \
        .list =                                                                                    \
            "SELECT name, fence, attempts, CASE WHEN expire_us > " NOW " THEN 1 ELSE 0 END,"       \
            " holder, " PLACE ", advance_us, code, message, fail_us, expire_us,"                   \
            " (SELECT count(*) FROM set_aside WHERE set_aside.name = lease.name),"                 \
            " (SELECT count(*) FROM set_aside WHERE set_aside.name = lease.name AND wanted = 1),"  \
            " (SELECT COALESCE(min(time_us), 0) FROM set_aside"                                    \
            " WHERE set_aside.name = lease.name AND wanted = 1)"                                   \
            " FROM lease ORDER BY name LIMIT 1000",                                                \
        .list_aside = "SELECT " ASIDE " FROM set_aside WHERE name = ?1"                            \
                      " AND (incarnation, seq) > (?2, ?3)"                                         \
                      " ORDER BY incarnation, seq LIMIT ?4",                                       \
        .want_aside = "UPDATE set_aside SET wanted = 1" ONE_ASIDE,                                 \
        .want_all_aside = "UPDATE set_aside SET wanted = 1 WHERE name = ?1",                       \
        .wanted_aside = "SELECT " ASIDE " FROM set_aside WHERE name = ?1 AND wanted = 1"           \
                        " ORDER BY incarnation, seq LIMIT 1",                                      \
        .count_wanted = "SELECT count(*) FROM set_aside WHERE name = ?1 AND wanted = 1",           \
        .mark_aside = "UPDATE set_aside SET wanted = ?4" ONE_ASIDE,                                \
        .note_aside = "UPDATE set_aside SET wanted = ?4, code = ?5, message = ?6, aside_us = " NOW \
                      "" ONE_ASIDE,                                                                \
        .forget_aside = "DELETE FROM set_aside" ONE_ASIDE,                                         \
    }

#endif

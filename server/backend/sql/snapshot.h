/* SPDX-License-Identifier: Apache-2.0 */
/* The order of PostgreSQL's snapshots, as one number. */
#ifndef COMB_BACKEND_SQL_SNAPSHOT_H
#define COMB_BACKEND_SQL_SNAPSHOT_H

/*
 * Snapshots of one server are ordered by what they see: each one sees all that an earlier one saw.
 * xmax, the first transaction that has not begun to be seen, never falls; while it stays, no
 * transaction below it begins, so the list of those in progress only gets shorter. So (xmax, fewer
 * in progress) is that order, and a bigint holds it: a higher number sees all that a lower one
 * sees. Lists of more than 65535 count as that many, which more than that many backends would need.
 *
 * The driver makes that number of each value of type pg_snapshot: in SQL it costs more than finding
 * a node does.
 *
 * A crash may take xmax back to the last transaction that left a trace, so numbers compare only
 * between snapshots of one session of the server: see `comb.session`.
 */
#define COMB_SQL_POSTGRES_SNAPSHOT "pg_current_snapshot()"

#endif

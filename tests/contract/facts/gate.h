/* SPDX-License-Identifier: Apache-2.0 */
/* A store before the store: holds back requests of one kind, or refuses them, until told otherwise.
 */
#ifndef COMB_TESTS_FACTS_GATE_H
#define COMB_TESTS_FACTS_GATE_H

#include "server/backend/sql/sql.h"

struct gate;

/* A store whose requests go on to inner, which it borrows. */
struct gate *gate_new(struct comb_sql *inner);
struct comb_sql *gate_sql(struct gate *gate);
void gate_free(struct gate *gate);

/* From now on answers to requests of the kind wait here: they are as old as their snapshot when
 * they arrive. */
void gate_close(struct gate *gate, enum comb_sql_kind kind);
/* Until so many answers wait. */
void gate_await(struct gate *gate, enum comb_sql_kind kind, size_t n);
/* All that wait go on, and those to come. */
void gate_open(struct gate *gate, enum comb_sql_kind kind);
/* From now on requests of the kind fail at once with status; COMB_OK: no longer. */
void gate_refuse(struct gate *gate, enum comb_sql_kind kind, enum comb_status status);
/* Requests of the kind that were not refused. */
size_t gate_passed(struct gate *gate, enum comb_sql_kind kind);

#endif

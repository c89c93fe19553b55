/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health of each service (grpc.health.v1), which follows the rows that it cannot do without:
 * one table says which. A row that its driver calls down is asked by a check of its own before
 * anybody is told, and again until it answers: who is told that nothing is served asks for nothing,
 * and so no call would find the store again.
 */
#ifndef COMB_HEALTH_H
#define COMB_HEALTH_H

#include "grpcc/server.h"
#include "server/rows.h"

struct comb_health;

/* How often the rows are looked at. */
#define COMB_HEALTH_LOOK_MS 1000
/* What a row that is down may take for an answer. */
#define COMB_HEALTH_CHECK_MS 2000

/* rows and server must live until _stop. */
enum comb_status comb_health_start(const struct comb_rows *rows, struct grpcc_server *server,
                                   struct comb_health **ret_health,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Waits for the check under way. NULL is fine. */
void comb_health_stop(struct comb_health *health);

#endif

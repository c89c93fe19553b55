/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep as an operation: one at a time in the installation, whichever replica runs it. */
#ifndef COMB_DATA_SWEEP_KIND_H
#define COMB_DATA_SWEEP_KIND_H

#include "server/data/data.h"
#include "server/operations/engine.h"

#define COMB_DATA_SWEEP_KIND "data.sweep"
/* How long after one has ended the next is due. */
#define COMB_DATA_SWEEP_INTERVAL_US (60LL * 1000000)

/* A step is one round; the result is a comb.v1.DataSweepResult. data outlives the engine. */
void comb_data_sweep_kind(struct comb_data *data, struct comb_operation_kind *ret_kind);

#endif

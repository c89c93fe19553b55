/* SPDX-License-Identifier: Apache-2.0 */
/* The fake's service Data, and what it shares with the rest. */
#ifndef TESTS_CLIENT_FAKE_DATA_H
#define TESTS_CLIENT_FAKE_DATA_H

#include "comb/v1/data.grpcc.h"
#include "tests/client/fake.h"

extern const struct comb_v1_data_server fake_data;

/* Remembers the call. */
void fake_note(struct fake *fake, struct grpcc_call *call, const char *request_id);
/* Judges its token, and whether it is to fail; false: it has been answered. */
bool fake_admit(struct fake *fake, struct grpcc_call *call);
/* The one file; the lock is held. */
struct comb_v1_node *fake_node(struct fake *fake, struct grpcc_arena *arena);

#endif

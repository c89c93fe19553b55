/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that does what nobody waits for: trims the feed, old request ids and operations that
 * ended long ago, says that this process is alive, and makes the operations that are due, which any
 * replica then runs. Bounded rounds; what is left comes with the next one.
 */
#ifndef COMB_JANITOR_H
#define COMB_JANITOR_H

#include "server/services.h"

struct comb_janitor;

/* services must live until _stop. */
enum comb_status comb_janitor_start(struct comb_services *services,
                                    const struct comb_options *options,
                                    struct comb_janitor **ret_janitor,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Waits for the round under way. NULL is fine. */
void comb_janitor_stop(struct comb_janitor *janitor);

#endif

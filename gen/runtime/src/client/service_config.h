/* SPDX-License-Identifier: Apache-2.0 */
/* The service config of a channel: what its options say, as the JSON that core reads. */
#ifndef GRPCC_SRC_SERVICE_CONFIG_H
#define GRPCC_SRC_SERVICE_CONFIG_H

#include "grpcc/channel.h"

struct grpcc_service_config {
    char *text; /* NULL: nothing is configured */
    /* Of the hedges: the options', or those of retryThrottling. */
    unsigned budget_tokens;
    double budget_ratio;
};

/*
 * Joins options->service_config and the typed options. INVALID_ARGUMENT names the field that core
 * would ignore, clamp or refuse without a word. To be given back by _done, also after a failure.
 */
enum grpcc_status grpcc_service_config_init(struct grpcc_service_config *config,
                                            const struct grpcc_channel_options *options,
                                            struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_service_config_done(struct grpcc_service_config *config);

#endif

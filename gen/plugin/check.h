/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused before anything is generated: what the runtime cannot carry, and methods without
 * a required option. */
#ifndef GEN_PLUGIN_CHECK_H
#define GEN_PLUGIN_CHECK_H

#include "gen/plugin/model.h"

/* Editions, extensions of messages, services without methods; in the files that are to be
 * generated. */
void check_supported(const struct model *model);

/* Every method of those files has the extension of google.protobuf.MethodOptions that option names
 * in full. */
void check_required_option(const struct model *model, const char *option);

#endif

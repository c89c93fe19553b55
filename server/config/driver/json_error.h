/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_CONFIG_JSON_ERROR_H
#define COMB_CONFIG_JSON_ERROR_H

#include "server/core/error.h"

/* err for what the kernel answered: number is errno's. Returns the status. */
enum comb_status config_json_error(struct comb_error *err, int number, const char *doing,
                                   const char *path);

#endif

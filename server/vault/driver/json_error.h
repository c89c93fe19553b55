/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of files, translated once. */
#ifndef COMB_VAULT_JSON_ERROR_H
#define COMB_VAULT_JSON_ERROR_H

#include "server/core/error.h"

/* number: of errno. doing: "read", "write", … */
enum comb_status json_error_set(struct comb_error *err, int number, const char *doing,
                                const char *path);

#endif

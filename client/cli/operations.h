/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs that begin an operation need of those about operations. */
#ifndef COMB_CLI_OPERATIONS_H
#define COMB_CLI_OPERATIONS_H

#include "client/cli/cli.h"
#include "comb/v1/operations.grpcc.h"
#include "grpcc/wkt.h"

/* All of it, a line a field, or as JSON. */
void cli_print_operation(struct cli *cli, const struct comb_v1_operation *operation);
/* Waits for its end, with its progress on a terminal, and prints it. The exit status is that of the
 * operation: CLI_FAILED, CLI_CONFLICT where it was cancelled. */
int cli_wait_operation(struct cli *cli, const char *id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs of comb admin that are in files of their own. */
#ifndef COMB_CLI_ADMIN_VERBS_H
#define COMB_CLI_ADMIN_VERBS_H

#include "client/cli/cli.h"

int cli_admin_consumers(struct cli *cli, int argc, char **argv);
int cli_admin_set_aside(struct cli *cli, int argc, char **argv);
int cli_admin_retry(struct cli *cli, int argc, char **argv);
int cli_admin_backup(struct cli *cli, int argc, char **argv);
int cli_admin_move_row(struct cli *cli, int argc, char **argv);

#endif

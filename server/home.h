/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of the embedded stores, and the first administrator's password in it. */
#ifndef COMB_HOME_H
#define COMB_HOME_H

#include "server/core/ctx.h"
#include "server/options.h"

#define COMB_HOME_PATH_MAX 4096

/* --home, or ~/.local/share/comb, as it is written; makes nothing. */
enum comb_status comb_home_find(const struct comb_options *options,
                                char ret_home[COMB_HOME_PATH_MAX],
                                struct comb_error *err) COMB_MUST_CHECK;
/* --home, or ~/.local/share/comb; made with mode 0700 where it is missing. */
enum comb_status comb_home_open(const struct comb_options *options,
                                char ret_home[COMB_HOME_PATH_MAX],
                                struct comb_error *err) COMB_MUST_CHECK;

/*
 * The password of the first administrator, in arena: of --admin-password-file, else of HOME/admin,
 * else a new one, which is kept in HOME/admin (mode 0600) before it is used. *ret_new: it was made
 * now.
 */
enum comb_status comb_home_admin_password(const struct comb_options *options, const char *home,
                                          struct grpcc_arena *arena, char **ret_password,
                                          bool *ret_new, struct comb_error *err) COMB_MUST_CHECK;

#endif

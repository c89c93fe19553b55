/* SPDX-License-Identifier: Apache-2.0 */
/* Activities for people and programs: what `comb feed` prints. */
#ifndef COMB_CLI_FEED_LINE_H
#define COMB_CLI_FEED_LINE_H

#include "client/cli/cli.h"
#include "comb/v1/activity.grpcc.h"

/* Users whose logins are remembered; of others they are asked for again. */
#define FEED_NAMES_MAX 64

/* Logins of those who did something, asked for once. */
struct feed_names {
    struct cli *cli;
    struct {
        char id[40], login[136];
    } known[FEED_NAMES_MAX];
    size_t n;
};

/* The login; of a user that is gone the beginning of his id; "comb" for the server itself. Valid
 * until the next call. */
const char *feed_login(struct feed_names *names, const char *user_id);

/* "changed", "renamed" and so on. */
const char *feed_verb(const struct comb_v1_activity *activity);
const char *feed_verb_of_type(enum comb_v1_activity_type type);
/* A line for people. */
void feed_print(struct feed_names *names, const struct comb_v1_activity *activity);
/* An object of ActivityStreams 2.0 in one line. False: no memory. */
bool feed_print_json(struct feed_names *names, const struct comb_v1_activity *activity);
/* A line of a digest for people. */
void feed_print_digest(struct feed_names *names, const struct comb_v1_activity_digest_line *line);

#endif

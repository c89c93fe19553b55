/* SPDX-License-Identifier: Apache-2.0 */
/* SPIFFE IDs and lists of them that name who is let in. */
#ifndef GRPCC_SRC_SPIFFE_H
#define GRPCC_SRC_SPIFFE_H

#include <stdbool.h>
#include <stddef.h>

#include "grpcc/status.h"

/* The standard's limits, in bytes. */
enum { GRPCC_SPIFFE_ID_MAX = 2048, GRPCC_SPIFFE_TRUST_DOMAIN_MAX = 255 };
enum { GRPCC_SPIFFE_LIST_MAX = 1024 };

#define GRPCC_SPIFFE_SCHEME "spiffe://"

/* An ID as the standard has it: trust domain in lower case, no empty, "." or ".." segment. */
bool grpcc_spiffe_is_id(const char *text);
/* An ID, or one with a slash after it. */
bool grpcc_spiffe_is_pattern(const char *text);
/* Whether the ID is the pattern, or below it where it ends in a slash. Both are valid. */
bool grpcc_spiffe_matches(const char *pattern, const char *id);

struct grpcc_spiffe_list {
    char **patterns;
    size_t n;
};
/* Copies a NULL-terminated list; option is its name, for err. Pairs with _free. */
enum grpcc_status grpcc_spiffe_list_new(const char *const *patterns, const char *option,
                                        struct grpcc_spiffe_list **ret_list,
                                        struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_spiffe_list_free(struct grpcc_spiffe_list *list);
bool grpcc_spiffe_list_has(const struct grpcc_spiffe_list *list, const char *id);

#endif

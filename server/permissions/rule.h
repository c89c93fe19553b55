/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The permission rule: one pure function (DESIGN: Permission rule). No clock, no store, no memory.
 */
#ifndef COMB_PERMISSIONS_RULE_H
#define COMB_PERMISSIONS_RULE_H

#include "server/facts/facts.h"

enum comb_rule_why {
    COMB_RULE_NOTHING_FOUND = 0, /* no entry on the whole chain: refused */
    COMB_RULE_ENTRY,             /* the entry decided */
    COMB_RULE_DENIED,            /* a deny at `link` refuses all below */
    COMB_RULE_SCOPE,             /* a token scope narrowed what the entry gave */
    COMB_RULE_ADMINISTRATOR /* not of the rule itself: administrators are not asked for entries */
};

struct comb_verdict {
    int rights; /* comb.v1.Rights: UNSPECIFIED (none), READ, WRITE, READ_WRITE */
    enum comb_rule_why why;
    size_t link;  /* of the chain */
    size_t entry; /* of the link's entries */
};

/*
 * On each node the entry of the last of the roles that has an unexpired one there wins. A winning
 * DENY refuses the node and everything below it, whatever nearer nodes allow; else the nearest node
 * with a winner gives the rights; nothing found refuses.
 *
 * Effective rights of subjects on the first node of the chain at now_us; scopes narrow them
 * (n_scopes 0: not). */
struct comb_verdict comb_rule_evaluate(const struct comb_fact_link *links, size_t n_links,
                                       const struct comb_uuid *roles, size_t n_roles,
                                       const struct comb_scope *scopes, size_t n_scopes,
                                       int64_t now_us);
/* What scopes leave of READ_WRITE on the first node of the chain: the union of those whose node
 * lies on the chain (nil: everywhere); all of it where there are none. */
int comb_rule_scope_rights(const struct comb_fact_link *links, size_t n_links,
                           const struct comb_scope *scopes, size_t n_scopes);

#endif

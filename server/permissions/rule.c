/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/rule.h"

#include "comb/v1/node.grpcc.h"

static bool is_expired(const struct comb_entry *entry, int64_t now_us)
{
    return entry->expire_us != 0 && entry->expire_us <= now_us;
}

static size_t rank_of(const struct comb_uuid *role, const struct comb_uuid *roles, size_t n_roles)
{
    for (size_t rank = n_roles; rank > 0; rank--) {
        if (comb_uuid_equal(&roles[rank - 1], role)) {
            return rank;
        }
    }
    return 0;
}

/* The entry that wins on one node: that of the last role. False: none concerns these roles. */
static bool find_winner(const struct comb_fact_link *link, const struct comb_uuid *roles,
                        size_t n_roles, int64_t now_us, size_t *ret_entry)
{
    size_t best = 0;
    for (size_t i = 0; i < link->n_entries; i++) {
        const struct comb_entry *entry = &link->entries[i];
        size_t rank = rank_of(&entry->role, roles, n_roles);
        if (rank > best && !is_expired(entry, now_us)) {
            best = rank;
            *ret_entry = i;
        }
    }
    return best > 0;
}

int comb_rule_scope_rights(const struct comb_fact_link *links, size_t n_links,
                           const struct comb_scope *scopes, size_t n_scopes)
{
    uint32_t rights = n_scopes == 0 ? COMB_V1_RIGHTS_READ_WRITE : 0;
    for (size_t s = 0; s < n_scopes; s++) {
        bool reaches = comb_uuid_is_nil(&scopes[s].node);
        for (size_t l = 0; l < n_links && !reaches; l++) {
            reaches = comb_uuid_equal(&links[l].node->id, &scopes[s].node);
        }
        if (reaches) {
            rights |= scopes[s].rights;
        }
    }
    return (int)(rights & COMB_V1_RIGHTS_READ_WRITE);
}

struct comb_verdict comb_rule_evaluate(const struct comb_fact_link *links, size_t n_links,
                                       const struct comb_uuid *roles, size_t n_roles,
                                       const struct comb_scope *scopes, size_t n_scopes,
                                       int64_t now_us)
{
    struct comb_verdict verdict = {.why = COMB_RULE_NOTHING_FOUND};
    for (size_t i = 0; i < n_links; i++) {
        size_t winner;
        if (!find_winner(&links[i], roles, n_roles, now_us, &winner)) {
            continue;
        }
        int rights = links[i].entries[winner].rights;
        if (rights == COMB_V1_RIGHTS_DENY) { /* from wherever it stands above, and for good */
            return (struct comb_verdict){.why = COMB_RULE_DENIED, .link = i, .entry = winner};
        }
        if (verdict.why == COMB_RULE_NOTHING_FOUND) { /* the nearest one */
            verdict = (struct comb_verdict){.rights = rights & COMB_V1_RIGHTS_READ_WRITE,
                                            .why = COMB_RULE_ENTRY,
                                            .link = i,
                                            .entry = winner};
        }
    }
    int reach = comb_rule_scope_rights(links, n_links, scopes, n_scopes);
    if ((verdict.rights & ~reach) != 0) {
        verdict.rights &= reach;
        verdict.why = COMB_RULE_SCOPE;
    }
    return verdict;
}

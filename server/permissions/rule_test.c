/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule against an oracle that was written from the design's sentence, with other data (one flat
 * list of grants, sorted) and another algorithm (from the root down, a running answer).
 */
#include "server/permissions/rule.h"

#include <stdlib.h>

#include "comb/v1/node.grpcc.h"
#include "tests/support/support.h"

#define NOW_US 1000
#define CASES 100000
#define CASES_LONG 1000000
#define NODES_MAX 6
#define ENTRIES_MAX 5
#define ROLES_MAX 5
#define SCOPES_MAX 3
/* Ids are drawn from so few that they meet. */
#define ROLE_IDS 7

static struct comb_uuid id_of(unsigned family, unsigned number)
{
    struct comb_uuid id = {{0}};
    id.bytes[0] = (uint8_t)(1 + family);
    id.bytes[15] = (uint8_t)number;
    return id;
}

/* A chain that is easily written down; entries of node i belong to links[i]. */
struct chain {
    struct comb_node nodes[NODES_MAX];
    struct comb_entry entries[NODES_MAX][ENTRIES_MAX];
    struct comb_fact_link links[NODES_MAX];
    size_t n;
};

static void chain_init(struct chain *chain, size_t n)
{
    *chain = (struct chain){.n = n};
    for (size_t i = 0; i < n; i++) {
        chain->nodes[i].id = id_of(0, (unsigned)i);
        chain->links[i].node = &chain->nodes[i];
        chain->links[i].entries = chain->entries[i];
    }
}

static void chain_add(struct chain *chain, size_t link, unsigned role, int rights,
                      int64_t expire_us)
{
    chain->entries[link][chain->links[link].n_entries++] = (struct comb_entry){
        .node = chain->nodes[link].id,
        .role = id_of(1, role),
        .rights = rights,
        .expire_us = expire_us,
    };
}

/* ---------------------------------------------------------------------------------- the oracle */

struct grant {
    int depth; /* 0: the root */
    int rank;  /* of the role among the user's */
    int rights;
};

static int by_depth_and_rank(const void *a, const void *b)
{
    const struct grant *left = a, *right = b;
    return left->depth != right->depth ? left->depth - right->depth : left->rank - right->rank;
}

/* All grants in order, later ones overrule earlier ones, except that nothing comes back after a
 * level ended with a deny. */
static int oracle(const struct chain *chain, const struct comb_uuid *roles, size_t n_roles,
                  const struct comb_scope *scopes, size_t n_scopes)
{
    struct grant grants[NODES_MAX * ENTRIES_MAX];
    int n = 0;
    for (size_t i = 0; i < chain->n; i++) {
        for (size_t e = 0; e < chain->links[i].n_entries; e++) {
            const struct comb_entry *entry = &chain->entries[i][e];
            for (size_t r = 0; r < n_roles; r++) {
                bool alive = entry->expire_us == 0 || entry->expire_us > NOW_US;
                if (alive && memcmp(&roles[r], &entry->role, sizeof roles[r]) == 0) {
                    grants[n++] = (struct grant){(int)(chain->n - 1 - i), (int)r, entry->rights};
                }
            }
        }
    }
    qsort(grants, (size_t)n, sizeof *grants, by_depth_and_rank);
    int rights = 0;
    bool refused = false;
    for (int g = 0; g < n; g++) {
        bool last_of_level = g + 1 == n || grants[g + 1].depth != grants[g].depth;
        if (last_of_level && grants[g].rights == COMB_V1_RIGHTS_DENY) {
            refused = true;
        } else if (last_of_level) {
            rights = grants[g].rights;
        }
    }
    int reach = n_scopes == 0 ? 3 : 0;
    for (size_t i = 0; i < chain->n; i++) {
        for (size_t s = 0; s < n_scopes; s++) {
            static const struct comb_uuid everywhere;
            if (memcmp(&scopes[s].node, &everywhere, sizeof everywhere) == 0 ||
                memcmp(&scopes[s].node, &chain->nodes[i].id, sizeof everywhere) == 0) {
                reach |= (int)scopes[s].rights;
            }
        }
    }
    return refused ? 0 : rights & reach;
}

/* ----------------------------------------------------------------------------- random chains */

static uint64_t state;

static unsigned draw(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 33) % below);
}

static void draw_chain(struct chain *chain)
{
    static const int RIGHTS[] = {COMB_V1_RIGHTS_READ, COMB_V1_RIGHTS_WRITE,
                                 COMB_V1_RIGHTS_READ_WRITE, COMB_V1_RIGHTS_DENY};
    static const int64_t EXPIRES[] = {0, 0, 0, 1, NOW_US, NOW_US + 1};
    chain_init(chain, 1 + draw(NODES_MAX));
    for (size_t i = 0; i < chain->n; i++) {
        unsigned first = draw(ROLE_IDS); /* a role has one entry on a node */
        unsigned n = draw(ENTRIES_MAX + 1);
        for (unsigned e = 0; e < n; e++) {
            /* Mostly allowing, or hardly any chain would be without a deny. */
            int rights = draw(8) == 0 ? COMB_V1_RIGHTS_DENY : RIGHTS[draw(3)];
            chain_add(chain, i, (first + e) % ROLE_IDS, rights, EXPIRES[draw(6)]);
        }
    }
}

static size_t draw_roles(struct comb_uuid *roles)
{
    size_t n = draw(ROLES_MAX + 1);
    unsigned first = draw(ROLE_IDS);
    unsigned step = 1 + draw(ROLE_IDS - 1); /* ROLE_IDS is a prime: none comes twice */
    for (size_t i = 0; i < n; i++) {
        roles[i] = id_of(1, (first + step * (unsigned)i) % ROLE_IDS);
    }
    return n;
}

static size_t draw_scopes(struct comb_scope *scopes)
{
    size_t n = draw(3) == 0 ? draw(SCOPES_MAX + 1) : 0;
    for (size_t i = 0; i < n; i++) {
        scopes[i] = (struct comb_scope){.rights = 1 + draw(3)};
        if (draw(5) != 0) {
            scopes[i].node = id_of(0, draw(NODES_MAX + 2));
        }
    }
    return n;
}

static void agrees_with_the_oracle(void **unused)
{
    (void)unused;
    size_t seen[5] = {0};
    size_t cases = getenv("COMB_LONG") != NULL ? CASES_LONG : CASES;
    state = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < cases; i++) {
        struct chain chain;
        struct comb_uuid roles[ROLES_MAX];
        struct comb_scope scopes[SCOPES_MAX];
        draw_chain(&chain);
        size_t n_roles = draw_roles(roles);
        size_t n_scopes = draw_scopes(scopes);
        struct comb_verdict verdict =
            comb_rule_evaluate(chain.links, chain.n, roles, n_roles, scopes, n_scopes, NOW_US);
        int expected = oracle(&chain, roles, n_roles, scopes, n_scopes);
        if (verdict.rights != expected) {
            fail_msg("case %zu: %d, the oracle says %d", i, verdict.rights, expected);
        }
        seen[verdict.rights]++;
        seen[4] += verdict.why == COMB_RULE_DENIED;
    }
    /* The cases reach every answer, each often. */
    for (size_t i = 0; i < 5; i++) {
        assert_true(seen[i] > cases / 50);
    }
}

/* ------------------------------------------------------------------------------------- by hand */

static void last_role_wins_on_a_node(void **unused)
{
    (void)unused;
    struct chain chain;
    struct comb_uuid roles[] = {id_of(1, 0), id_of(1, 1)};
    chain_init(&chain, 1);
    chain_add(&chain, 0, 1, COMB_V1_RIGHTS_READ, 0);
    chain_add(&chain, 0, 0, COMB_V1_RIGHTS_DENY, 0);
    struct comb_verdict verdict = comb_rule_evaluate(chain.links, 1, roles, 2, NULL, 0, NOW_US);
    assert_int_equal(verdict.rights, COMB_V1_RIGHTS_READ);
    assert_int_equal(verdict.why, COMB_RULE_ENTRY);
    assert_int_equal(verdict.entry, 0);
}

static void deny_above_refuses_what_is_allowed_below(void **unused)
{
    (void)unused;
    struct chain chain;
    struct comb_uuid role = id_of(1, 0);
    chain_init(&chain, 3);
    chain_add(&chain, 0, 0, COMB_V1_RIGHTS_READ_WRITE, 0);
    chain_add(&chain, 2, 0, COMB_V1_RIGHTS_DENY, 0);
    struct comb_verdict verdict = comb_rule_evaluate(chain.links, 3, &role, 1, NULL, 0, NOW_US);
    assert_int_equal(verdict.rights, 0);
    assert_int_equal(verdict.why, COMB_RULE_DENIED);
    assert_int_equal(verdict.link, 2);
}

static void expired_deny_counts_for_nothing(void **unused)
{
    (void)unused;
    struct chain chain;
    struct comb_uuid role = id_of(1, 0);
    chain_init(&chain, 2);
    chain_add(&chain, 0, 0, COMB_V1_RIGHTS_DENY, NOW_US);
    chain_add(&chain, 1, 0, COMB_V1_RIGHTS_READ, NOW_US + 1);
    struct comb_verdict verdict = comb_rule_evaluate(chain.links, 2, &role, 1, NULL, 0, NOW_US);
    assert_int_equal(verdict.rights, COMB_V1_RIGHTS_READ);
    assert_int_equal(verdict.link, 1);
}

static void nothing_found_refuses(void **unused)
{
    (void)unused;
    struct chain chain;
    struct comb_uuid role = id_of(1, 0);
    chain_init(&chain, 2);
    chain_add(&chain, 1, 3, COMB_V1_RIGHTS_READ_WRITE, 0); /* somebody else's */
    struct comb_verdict verdict = comb_rule_evaluate(chain.links, 2, &role, 1, NULL, 0, NOW_US);
    assert_int_equal(verdict.rights, 0);
    assert_int_equal(verdict.why, COMB_RULE_NOTHING_FOUND);
}

static void scopes_narrow(void **unused)
{
    (void)unused;
    struct chain chain;
    struct comb_uuid role = id_of(1, 0);
    chain_init(&chain, 2);
    chain_add(&chain, 1, 0, COMB_V1_RIGHTS_READ_WRITE, 0);
    struct comb_scope scope = {.node = chain.nodes[1].id, .rights = COMB_V1_RIGHTS_READ};
    struct comb_verdict verdict = comb_rule_evaluate(chain.links, 2, &role, 1, &scope, 1, NOW_US);
    assert_int_equal(verdict.rights, COMB_V1_RIGHTS_READ);
    assert_int_equal(verdict.why, COMB_RULE_SCOPE);
    scope.node = id_of(0, 9); /* elsewhere */
    verdict = comb_rule_evaluate(chain.links, 2, &role, 1, &scope, 1, NOW_US);
    assert_int_equal(verdict.rights, 0);
    scope = (struct comb_scope){.rights = COMB_V1_RIGHTS_READ_WRITE}; /* everywhere */
    verdict = comb_rule_evaluate(chain.links, 2, &role, 1, &scope, 1, NOW_US);
    assert_int_equal(verdict.rights, COMB_V1_RIGHTS_READ_WRITE);
    assert_int_equal(verdict.why, COMB_RULE_ENTRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_role_wins_on_a_node),
        cmocka_unit_test(deny_above_refuses_what_is_allowed_below),
        cmocka_unit_test(expired_deny_counts_for_nothing),
        cmocka_unit_test(nothing_found_refuses),
        cmocka_unit_test(scopes_narrow),
        cmocka_unit_test(agrees_with_the_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

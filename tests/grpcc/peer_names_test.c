/* SPDX-License-Identifier: Apache-2.0 */
/* SPIFFE IDs, x-forwarded-client-cert, and the peers that may send it: what is read, what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <grpcc/arena.h>

#include "gen/runtime/src/security/forwarder.h"
#include "gen/runtime/src/security/spiffe.h"
#include "gen/runtime/src/security/xfcc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- SPIFFE IDs ---- */

static void ids_are_as_the_standard_has_them(void **state)
{
    static const char *const good[] = {"spiffe://example.org", "spiffe://example.org/a",
                                       "spiffe://a-b_c.9/ns/A/sa/b.c", "spiffe://e/...",
                                       "spiffe://e/.a/b.."};
    static const char *const bad[] = {
        "",
        "spiffe:",
        "spiffe://",
        "spiffe:///a",
        "SPIFFE://e/a",
        "spiffe://Example.org/a",
        "spiffe://example.org:80/a",
        "spiffe://user@example.org/a",
        "spiffe://example.org/",
        "spiffe://example.org/a/",
        "spiffe://example.org//a",
        "spiffe://example.org/./a",
        "spiffe://example.org/a/..",
        "spiffe://example.org/a b",
        "spiffe://example.org/%61",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a#b",
        "spiffe://exam\xc3\xa9ple.org",
        "https://example.org/a",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(grpcc_spiffe_is_id(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(grpcc_spiffe_is_id(bad[i]));
}

static void ids_have_the_standards_lengths(void **state)
{
    char id[GRPCC_SPIFFE_ID_MAX + 2];
    (void)state;
    memset(id, 'a', sizeof(id));
    memcpy(id, "spiffe://e/", 11);
    id[GRPCC_SPIFFE_ID_MAX] = '\0';
    assert_true(grpcc_spiffe_is_id(id));
    id[GRPCC_SPIFFE_ID_MAX] = 'a';
    id[GRPCC_SPIFFE_ID_MAX + 1] = '\0';
    assert_false(grpcc_spiffe_is_id(id));
    memset(id, 'a', sizeof(id));
    memcpy(id, "spiffe://", 9);
    id[9 + GRPCC_SPIFFE_TRUST_DOMAIN_MAX] = '\0';
    assert_true(grpcc_spiffe_is_id(id));
    id[9 + GRPCC_SPIFFE_TRUST_DOMAIN_MAX] = 'a';
    id[9 + GRPCC_SPIFFE_TRUST_DOMAIN_MAX + 1] = '\0';
    assert_false(grpcc_spiffe_is_id(id));
}

static void patterns_end_at_slashes(void **state)
{
    (void)state;
    assert_true(grpcc_spiffe_is_pattern("spiffe://example.org/"));
    assert_true(grpcc_spiffe_is_pattern("spiffe://example.org/a/"));
    assert_false(grpcc_spiffe_is_pattern("spiffe://example.org/a//"));
    assert_false(grpcc_spiffe_is_pattern("spiffe://"));
    assert_false(grpcc_spiffe_is_pattern("/"));
    assert_false(grpcc_spiffe_is_pattern("spiffe://example.org/*"));
    assert_true(grpcc_spiffe_matches("spiffe://example.org/", "spiffe://example.org/a/b"));
    assert_false(grpcc_spiffe_matches("spiffe://example.org/", "spiffe://example.org"));
    assert_false(grpcc_spiffe_matches("spiffe://example.org/", "spiffe://example.org.evil/a"));
    assert_true(grpcc_spiffe_matches("spiffe://example.org/a", "spiffe://example.org/a"));
    assert_false(grpcc_spiffe_matches("spiffe://example.org/a", "spiffe://example.org/a/b"));
    assert_false(grpcc_spiffe_matches("spiffe://example.org/a/", "spiffe://example.org/ab"));
}

/* ---- x-forwarded-client-cert ---- */

static int arena_new(void **state)
{
    *state = grpcc_arena_new(0);
    return 0;
}

static int arena_free(void **state)
{
    grpcc_arena_free(*state);
    return 0;
}

/* The text lies alone in memory, without a NUL, so that ASan sees who reads on. */
static enum grpcc_status parse(struct grpcc_arena *arena, const char *text, size_t length,
                               struct grpcc_xfcc *ret, struct grpcc_error *err)
{
    char *alone = malloc(length ? length : 1);
    assert_non_null(alone);
    memcpy(alone, text, length);
    enum grpcc_status status = grpcc_xfcc_parse(arena, alone, length, ret, err);
    free(alone);
    return status;
}

static struct grpcc_xfcc must_parse(struct grpcc_arena *arena, const char *text)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_xfcc element;
    if (parse(arena, text, strlen(text), &element, &err))
        fail_msg("%s: %s", text, err.message);
    return element;
}

static void an_element_is_read(void **state)
{
    struct grpcc_xfcc element = must_parse(
        *state, "By=spiffe://example.org/envoy;By=spiffe://example.org/e2;Hash=0aF;"
                "Subject=\"CN=a\\\"b,O=c\\\\\";URI=spiffe://example.org/a;URI=;DNS=a.test;"
                "DNS=b.test;Cert=\"-----BEGIN%20X%0a%2B+\";New-Key=1");
    assert_int_equal(element.n_by, 2);
    assert_string_equal(element.by[1], "spiffe://example.org/e2");
    assert_string_equal(element.hash, "0aF");
    assert_string_equal(element.subject, "CN=a\\\"b,O=c\\\\");
    assert_int_equal(element.n_uris, 1);
    assert_string_equal(element.uris[0], "spiffe://example.org/a");
    assert_int_equal(element.n_dns_names, 2);
    assert_string_equal(element.dns_names[1], "b.test");
    assert_string_equal(element.certificate, "-----BEGIN X\n++");
    assert_null(element.chain);
}

static void the_last_element_counts(void **state)
{
    struct grpcc_xfcc element =
        must_parse(*state, "Hash=1;URI=spiffe://e/a;DNS=x,Hash=2;URI=spiffe://e/b, Hash=3");
    assert_string_equal(element.hash, "3");
    assert_int_equal(element.n_uris, 0);
    assert_int_equal(element.n_dns_names, 0);
}

static void what_is_not_the_syntax_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ",",
        ";",
        "Hash",
        "=1",
        "Hash=1,",
        "Hash=1;",
        ",Hash=1",
        "Hash=1;;",
        "Hash=1 ;",
        "Hash =1",
        " Hash=1",
        "Hash=a=b",
        "Hash=a\"b",
        "Hash=\"a",
        "Hash=\"a\\\"",
        "Hash=\"\\",
        "Hash=\"a\"b",
        "Hash=1;Hash=2",
        "Subject=\"a\";Subject=\"b\"",
        "Cert=%",
        "Cert=%4",
        "Cert=%4g",
        "Cert=a%00b",
        "H\xc3\xa9=1",
        "Hash=\x7f",
        "Hash=\"\t\"",
        "Hash=\n",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_xfcc element;
        if (parse(*state, bad[i], strlen(bad[i]), &element, &err) != GRPCC_INVALID_ARGUMENT)
            fail_msg("read: %s", bad[i]);
        assert_non_null(strstr(err.message, "x-forwarded-client-cert: "));
    }
    struct grpcc_xfcc element;
    assert_int_equal(parse(*state, "Hash=a\0b", 8, &element, NULL), GRPCC_INVALID_ARGUMENT);
}

/* n times text, with commas or semicolons between. */
static char *repeat(struct grpcc_arena *arena, const char *text, char between, size_t n)
{
    size_t length = strlen(text) + 1;
    char *all = grpcc_arena_alloc(arena, n * length);
    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        memcpy(all + i * length, text, length - 1);
        all[i * length + length - 1] = between;
    }
    all[n * length - 1] = '\0';
    return all;
}

static void limits_are_kept(void **state)
{
    struct grpcc_xfcc element;
    must_parse(*state, repeat(*state, "Hash=1", ',', GRPCC_XFCC_ELEMENTS_MAX));
    const char *hops = repeat(*state, "Hash=1", ',', GRPCC_XFCC_ELEMENTS_MAX + 1);
    assert_int_equal(parse(*state, hops, strlen(hops), &element, NULL), GRPCC_INVALID_ARGUMENT);
    element = must_parse(*state, repeat(*state, "DNS=a", ';', GRPCC_XFCC_NAMES_MAX));
    assert_int_equal(element.n_dns_names, GRPCC_XFCC_NAMES_MAX);
    const char *names = repeat(*state, "DNS=a", ';', GRPCC_XFCC_NAMES_MAX + 1);
    assert_int_equal(parse(*state, names, strlen(names), &element, NULL), GRPCC_INVALID_ARGUMENT);
    const char *bytes = repeat(*state, "a=", 'a', GRPCC_XFCC_BYTES_MAX);
    assert_int_equal(parse(*state, bytes, GRPCC_XFCC_BYTES_MAX + 1, &element, NULL),
                     GRPCC_INVALID_ARGUMENT);
    struct grpcc_arena *small = grpcc_arena_new(1);
    assert_int_equal(parse(small, "Hash=12345678901234567890", 25, &element, NULL),
                     GRPCC_RESOURCE_EXHAUSTED);
    grpcc_arena_free(small);
}

/* ---- who may send it ---- */

static void peers_are_matched_by_address(void **state)
{
    static const char *const from[] = {"127.0.0.1", "10.1.0.0/16",   "192.168.1.128/25",
                                       "::1",       "2001:db8::/33", NULL};
    static const struct {
        const char *peer;
        bool is;
    } table[] = {
        {"ipv4:127.0.0.1:1", true},
        {"ipv4:127.0.0.11:1", false},
        {"ipv4:10.1.255.3:1", true},
        {"ipv4:10.2.0.1:1", false},
        {"ipv4:192.168.1.127:1", false},
        {"ipv4:192.168.1.200:1", true},
        {"ipv6:%5B::1%5D:1", true},
        {"ipv6:[::1]:1", true},
        {"ipv6:%5B::2%5D:1", false},
        {"ipv6:%5B2001:db8:7fff::1%5D:1", true},
        {"ipv6:%5B2001:db8:8000::1%5D:1", false},
        {"ipv6:%5B::ffff:10.1.2.3%5D:1", true},
        {"ipv6:%5B::1%25lo%5D:1", true},
        {"unix:", false},
        {"unix:/127.0.0.1", false},
        {"fd:127.0.0.1", false},
        {"", false},
        {"ipv4:", false},
    };
    struct grpcc_forwarders *forwarders = NULL;
    (void)state;
    assert_int_equal(grpcc_forwarders_new(from, &forwarders, NULL), GRPCC_OK);
    for (size_t i = 0; i < COUNT(table); i++)
        if (grpcc_forwarders_has_peer(forwarders, table[i].peer) != table[i].is)
            fail_msg("%s", table[i].peer);
    assert_false(grpcc_forwarders_has_ids(forwarders));
    grpcc_forwarders_free(forwarders);
}

static void peers_are_matched_by_kind_and_id(void **state)
{
    static const char *const from[] = {"unix", "spiffe://example.org/proxies/", NULL};
    struct grpcc_forwarders *forwarders = NULL;
    (void)state;
    assert_int_equal(grpcc_forwarders_new(from, &forwarders, NULL), GRPCC_OK);
    assert_true(grpcc_forwarders_has_peer(forwarders, "unix:"));
    assert_false(grpcc_forwarders_has_peer(forwarders, "ipv4:127.0.0.1:1"));
    assert_true(grpcc_forwarders_has_id(forwarders, "spiffe://example.org/proxies/a"));
    assert_false(grpcc_forwarders_has_id(forwarders, "spiffe://example.org/proxy"));
    grpcc_forwarders_free(forwarders);
}

static void what_names_no_peer_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "localhost",   "*",           "127.0.0.1:80", "10.0.0.0/33", "::/129",
        "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "spiffe://",    "Unix",        "1.2.3"};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *const from[] = {"127.0.0.1", bad[i], NULL};
        struct grpcc_forwarders *forwarders = NULL;
        struct grpcc_error err = GRPCC_ERROR_INIT;
        if (grpcc_forwarders_new(from, &forwarders, &err) != GRPCC_INVALID_ARGUMENT)
            fail_msg("taken: %s", bad[i]);
        assert_non_null(strstr(err.message, "forwarded_from"));
    }
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_new, arena_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_as_the_standard_has_them),
        cmocka_unit_test(ids_have_the_standards_lengths),
        cmocka_unit_test(patterns_end_at_slashes),
        WITH_ARENA(an_element_is_read),
        WITH_ARENA(the_last_element_counts),
        WITH_ARENA(what_is_not_the_syntax_is_refused),
        WITH_ARENA(limits_are_kept),
        cmocka_unit_test(peers_are_matched_by_address),
        cmocka_unit_test(peers_are_matched_by_kind_and_id),
        cmocka_unit_test(what_names_no_peer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

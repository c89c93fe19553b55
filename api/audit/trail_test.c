/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit/trail.h"

#include <string.h>

#include "tests/support/support.h"

#define INSTALLATION "018f0000-0000-7000-8000-000000000001"
enum { LINES = 5 };

struct trail {
    struct comb_audit_line lines[LINES];
    struct comb_audit_seal head; /* of the last one */
    uint8_t private_key[COMB_AUDIT_KEY_SIZE], public_key[COMB_AUDIT_KEY_SIZE];
};

static const char *const records[LINES] = {"one", "two", "three", "four", "five"};

static void sign(struct trail *trail, struct comb_audit_seal *seal)
{
    assert_true(comb_audit_seal_sign(seal, INSTALLATION, trail->private_key));
}

/* Numbers and chains the lines as they stand. */
static void chain(struct trail *trail)
{
    uint8_t before[COMB_AUDIT_HASH_SIZE] = {0};

    for (size_t i = 0; i < LINES; i++) {
        struct comb_audit_line *line = &trail->lines[i];

        memcpy(line->before, before, sizeof before);
        assert_true(comb_audit_line_hash(line->before, line->n, line->time_us, line->record,
                                         line->record_size, line->hash));
        memcpy(before, line->hash, sizeof before);
    }
}

static struct trail trail_new(void)
{
    struct trail trail = {.head = {.kind = COMB_AUDIT_HEAD, .n = LINES, .time_us = 99}};

    memset(trail.private_key, 7, sizeof trail.private_key);
    assert_true(comb_audit_public_key(trail.private_key, trail.public_key));
    for (size_t i = 0; i < LINES; i++)
        trail.lines[i] = (struct comb_audit_line){.n = i + 1,
                                                  .time_us = (int64_t)i,
                                                  .record = records[i],
                                                  .record_size = strlen(records[i])};
    chain(&trail);
    memcpy(trail.head.hash, trail.lines[LINES - 1].hash, sizeof trail.head.hash);
    sign(&trail, &trail.head);
    return trail;
}

/* first: the index of the first line; n: how many. */
static struct comb_audit_finding check(const struct trail *trail,
                                       const struct comb_audit_seal *floor, size_t first, size_t n)
{
    struct comb_audit_verifier verifier;

    comb_audit_verifier_init(&verifier, INSTALLATION, trail->public_key, floor);
    comb_audit_verifier_head(&verifier, &trail->head);
    for (size_t i = 0; i < n; i++)
        assert_true(comb_audit_verifier_line(&verifier, &trail->lines[first + i]));
    comb_audit_verifier_end(&verifier);
    return verifier.finding;
}

static void must_find(const struct trail *trail, size_t n, enum comb_audit_fault fault,
                      uint64_t where)
{
    struct comb_audit_finding finding = check(trail, NULL, 0, n);

    assert_int_equal(finding.fault, fault);
    assert_int_equal(finding.n, where);
}

static void a_whole_trail_is_whole(void **state)
{
    struct trail trail = trail_new();
    (void)state;
    must_find(&trail, LINES, COMB_AUDIT_WHOLE, 0);
}

static void a_changed_record_is_found_where_it_stands(void **state)
{
    struct trail trail = trail_new();
    (void)state;
    trail.lines[2].record = "THREE";
    must_find(&trail, LINES, COMB_AUDIT_CHANGED, 3);
}

static void a_cut_end_is_found(void **state)
{
    struct trail trail = trail_new();
    (void)state;
    assert_int_equal(check(&trail, NULL, 0, LINES - 1).fault, COMB_AUDIT_CUT);
}

static void a_missing_line_is_found(void **state)
{
    struct trail trail = trail_new();
    (void)state;
    for (size_t i = 2; i + 1 < LINES; i++)
        trail.lines[i] = trail.lines[i + 1];
    must_find(&trail, LINES - 1, COMB_AUDIT_MISSING, 3);
}

/* Who makes a chain of his own cannot sign its head. */
static void a_rewritten_trail_is_found(void **state)
{
    struct trail trail = trail_new();
    (void)state;
    trail.lines[0].record = "other";
    chain(&trail);
    assert_int_equal(check(&trail, NULL, 0, LINES).fault, COMB_AUDIT_REWRITTEN);
    memcpy(trail.head.hash, trail.lines[LINES - 1].hash, sizeof trail.head.hash);
    assert_int_equal(check(&trail, NULL, 0, LINES).fault, COMB_AUDIT_FORGED);
}

static void a_signed_floor_stands_for_what_was_trimmed(void **state)
{
    struct trail trail = trail_new();
    struct comb_audit_seal floor = {.kind = COMB_AUDIT_FLOOR, .n = 2, .time_us = 50};
    (void)state;
    memcpy(floor.hash, trail.lines[1].hash, sizeof floor.hash);
    sign(&trail, &floor);
    assert_int_equal(check(&trail, &floor, 2, LINES - 2).fault, COMB_AUDIT_WHOLE);
    floor.n = 1;
    assert_int_equal(check(&trail, &floor, 2, LINES - 2).fault, COMB_AUDIT_FORGED);
}

static void a_seal_is_of_one_installation_and_one_key(void **state)
{
    struct trail trail = trail_new();
    uint8_t other[COMB_AUDIT_KEY_SIZE] = {1}, public_key[COMB_AUDIT_KEY_SIZE];
    (void)state;
    assert_true(comb_audit_seal_is_signed(&trail.head, INSTALLATION, trail.public_key));
    assert_false(comb_audit_seal_is_signed(&trail.head, "another", trail.public_key));
    assert_true(comb_audit_public_key(other, public_key));
    assert_false(comb_audit_seal_is_signed(&trail.head, INSTALLATION, public_key));
    trail.head.time_us++;
    assert_false(comb_audit_seal_is_signed(&trail.head, INSTALLATION, trail.public_key));
}

static void a_key_comes_back_from_pem(void **state)
{
    struct trail trail = trail_new();
    uint8_t again[COMB_AUDIT_KEY_SIZE];
    char pem[COMB_AUDIT_PEM_MAX];
    (void)state;
    assert_true(comb_audit_key_to_pem(trail.public_key, pem));
    assert_true(comb_audit_key_from_pem(pem, strlen(pem), again));
    assert_memory_equal(again, trail.public_key, sizeof again);
    assert_false(comb_audit_key_from_pem(pem, strlen(pem) / 2, again));
    assert_false(comb_audit_key_from_pem("", 0, again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_trail_is_whole),
        cmocka_unit_test(a_changed_record_is_found_where_it_stands),
        cmocka_unit_test(a_cut_end_is_found),
        cmocka_unit_test(a_missing_line_is_found),
        cmocka_unit_test(a_rewritten_trail_is_found),
        cmocka_unit_test(a_signed_floor_stands_for_what_was_trimmed),
        cmocka_unit_test(a_seal_is_of_one_installation_and_one_key),
        cmocka_unit_test(a_key_comes_back_from_pem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

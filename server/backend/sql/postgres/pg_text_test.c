/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/backend/sql/postgres/postgres.h"
#include "server/core/memory.h"

static void must_become(const char *text, bool guard, const char *expected, size_t hidden,
                        bool hides_all)
{
    size_t is_hidden;
    bool is_all;
    char *sql = comb_pg_text_translate(text, guard, &is_hidden, &is_all);
    assert_string_equal(sql, expected);
    assert_int_equal(is_hidden, hidden);
    assert_int_equal(is_all, hides_all);
    comb_memory_free(sql);
}

static void parameters_are_renamed_outside_of_quotes(void **state)
{
    (void)state;
    must_become("SELECT ?1, '?2', \"?3\", ?10 WHERE a ? 'b'", false,
                "SELECT $1, '?2', \"?3\", $10 WHERE a ? 'b'", 0, false);
    must_become("SELECT 'it''s ?1', ?1", false, "SELECT 'it''s ?1', $1", 0, false);
    must_become("SELECT 'open ?1", false, "SELECT 'open ?1", 0, false);
    must_become("", false, "", 0, false);
}

#define AFTER                                                                                      \
    ") SELECT checked.n, comb_guarded.* FROM (SELECT comb_guard(count(*)) AS n FROM comb_guarded)" \
    " AS checked LEFT JOIN comb_guarded ON true"

static void guards_fail_without_a_row(void **state)
{
    (void)state;
    must_become("SELECT 1 FROM a WHERE b = ?1", true,
                "WITH comb_guarded AS (SELECT 1 FROM a WHERE b = $1" AFTER, 1, false);
    must_become("UPDATE a SET b = 1", true,
                "WITH comb_guarded AS (UPDATE a SET b = 1 RETURNING 1" AFTER, 1, true);
    must_become("DELETE FROM a returning b", true,
                "WITH comb_guarded AS (DELETE FROM a returning b" AFTER, 1, false);
    must_become("SELECT comb_guard(count(*)) FROM a", true, "SELECT comb_guard(count(*)) FROM a", 0,
                false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_renamed_outside_of_quotes),
        cmocka_unit_test(guards_fail_without_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/drivers/drivers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

static void a_url_opens_the_driver_that_it_names(void **state)
{
    (void)state;
    struct comb_error err;
    struct comb_sql *sql = NULL;
    struct comb_sql_info info;
    char *folder = test_folder_new(), *path = test_path(folder, "comb.db"), *url = NULL;
    assert_true(asprintf(&url, "sqlite:%s", path) > 0);
    must_ok(comb_sql_open(comb_str_from(url), &sql, &err), &err);
    comb_sql_get_info(sql, &info);
    assert_string_equal(info.driver, "sqlite");
    comb_sql_close(sql);
    free(url);
    free(path);
    free(folder);
}

static void an_unknown_scheme_is_told_which_there_are(void **state)
{
    const comb_str bad[] = {STR(""),        STR("sqlite"),     STR("/var/lib/comb.db"),
                            STR("sqlit:x"), STR("oracle://x"), {NULL, 0}};
    (void)state;
    struct comb_error err;
    struct comb_sql *sql = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        must_fail(COMB_INVALID_ARGUMENT, comb_sql_open(bad[i], &sql, &err), &err);
        assert_non_null(strstr(err.msg, "sqlite:"));
        assert_null(sql);
    }
}

static void the_table_has_each_scheme_once(void **state)
{
    (void)state;
    assert_true(comb_sql_drivers_count > 0);
    for (size_t i = 0; i < comb_sql_drivers_count; i++) {
        assert_non_null(comb_sql_drivers[i].open);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(comb_sql_drivers[i].scheme, comb_sql_drivers[j].scheme);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_opens_the_driver_that_it_names),
        cmocka_unit_test(an_unknown_scheme_is_told_which_there_are),
        cmocka_unit_test(the_table_has_each_scheme_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

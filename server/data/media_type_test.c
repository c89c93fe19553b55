/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/media_type.h"
#include "tests/support/cmocka.h"

static void name_gives_the_type(void **state)
{
    const struct {
        comb_str name, media_type;
    } cases[] = {
        {STR("a.txt"), STR("text/plain")},
        {STR("archive.tar.gz"), STR("application/gzip")},
        {STR("Photo.JPeG"), STR("image/jpeg")},
        {STR("first.7z"), STR("application/x-7z-compressed")},
        {STR("last.zst"), STR("application/zstd")},
        {STR("README"), STR("application/octet-stream")},
        {STR("dot."), STR("application/octet-stream")},
        {STR(".txt"), STR("application/octet-stream")},
        {STR("x.unknown"), STR("application/octet-stream")},
        {STR("x.averyveryverylongextension"), STR("application/octet-stream")},
        {STR(""), STR("application/octet-stream")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        comb_str media_type = comb_media_type_of_name(cases[i].name);

        if (!comb_str_equal(media_type, cases[i].media_type))
            fail_msg("%.*s: %.*s", COMB_STR_ARG(cases[i].name), COMB_STR_ARG(media_type));
    }
}

static void given_type_is_checked(void **state)
{
    (void)state;
    assert_true(comb_media_type_is_valid(STR("text/plain; charset=utf-8")));
    assert_true(comb_media_type_is_valid(STR("a/b")));
    assert_false(comb_media_type_is_valid(STR("")));
    assert_false(comb_media_type_is_valid(STR("text")));
    assert_false(comb_media_type_is_valid(STR("/plain")));
    assert_false(comb_media_type_is_valid(STR("text/")));
    assert_false(comb_media_type_is_valid(STR("text/plain\nX: y")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_gives_the_type),
        cmocka_unit_test(given_type_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/library.h"

#include <expat.h>
#include <link.h>
#include <string.h>

#include "server/core/str.h"
#include "tests/support/support.h"

extern const struct comb_library comb_library_expat;

static int is_named(struct dl_phdr_info *object, size_t size, void *name)
{
    (void)size;
    return strstr(object->dlpi_name, name) != NULL;
}

static bool is_mapped(const char *name)
{
    return dl_iterate_phdr(is_named, (void *)(uintptr_t)name) != 0;
}

static void nothing_is_mapped_before_it_is_needed(void **state)
{
    struct comb_error err = {0};
    (void)state;
    assert_false(is_mapped("libexpat.so"));
    must_ok(comb_library_load(&comb_library_expat, &err), &err);
    assert_true(is_mapped("libexpat.so"));
    /* Arguments, results and callbacks go through. */
    XML_Parser parser = XML_ParserCreate(NULL);
    assert_non_null(parser);
    assert_int_equal(XML_Parse(parser, "<a><b/></a>", 11, 1), XML_STATUS_OK);
    XML_ParserFree(parser);
    parser = XML_ParserCreate(NULL);
    assert_int_equal(XML_Parse(parser, "<a></b>", 7, 1), XML_STATUS_ERROR);
    assert_int_equal(XML_GetErrorCode(parser), XML_ERROR_TAG_MISMATCH);
    XML_ParserFree(parser);
    must_ok(comb_library_load(&comb_library_expat, &err), &err);
}

static void a_missing_library_names_its_package(void **state)
{
    void *addresses[1] = {NULL};
    const struct comb_library missing = {"libnowhere.so.9", "libnowhere9", "f\0", addresses};
    struct comb_error err = {0};
    (void)state;
    assert_int_equal(comb_library_load(&missing, &err), COMB_FAILED_PRECONDITION);
    assert_non_null(strstr(err.msg, "libnowhere.so.9 is missing"));
    assert_non_null(strstr(err.msg, "install the package libnowhere9"));
}

static void an_older_library_names_the_function_and_the_package(void **state)
{
    void *addresses[2] = {NULL, NULL};
    const struct comb_library old = {"libexpat.so.1", "libexpat1",
                                     "XML_ParserCreate\0XML_FromTheFuture\0", addresses};
    struct comb_error err = {0};
    (void)state;
    assert_int_equal(comb_library_load(&old, &err), COMB_FAILED_PRECONDITION);
    assert_non_null(strstr(err.msg, "XML_FromTheFuture"));
    assert_non_null(strstr(err.msg, "libexpat1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_mapped_before_it_is_needed),
        cmocka_unit_test(a_missing_library_names_its_package),
        cmocka_unit_test(an_older_library_names_the_function_and_the_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

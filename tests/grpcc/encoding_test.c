/* SPDX-License-Identifier: Apache-2.0 */
/* What grpc-encoding and the flag of a message may say together: a peer that writes its own frames
 * says all of it. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/abuse/h2.h"
#include "tests/grpcc/deflated.h"
#include "tests/grpcc/fixture.h"

static const char *const paths[] = {"/grpcc.testing.Echo/Unary", "/grpcc.testing.Echo/Collect"};

static int port;

static int serve(void **state, bool accept)
{
    const struct grpcc_server_options options = {.size = sizeof(options),
                                                 .accept_compressed = accept};
    struct fixture *f = fixture_new(&options, &echo_table);
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", NULL, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    *state = f;
    return 0;
}

static int refusing(void **state)
{
    return serve(state, false);
}

static int accepting(void **state)
{
    return serve(state, true);
}

/* A call to each method with that header (NULL: none) and one message. */
static void must_end_with(const char *encoding, bool flag, const struct deflated *message,
                          enum grpcc_status expected)
{
    const char *const extra[] = {"grpc-encoding", encoding, NULL};
    for (size_t i = 0; i < 2; i++) {
        struct h2 h2;
        assert_true(h2_open(&h2, port, 1 << 20));
        uint32_t stream = h2_call(&h2, paths[i], encoding ? extra : extra + 2);
        assert_int_not_equal(stream, 0);
        assert_true(h2_message(&h2, stream, flag, message->data, message->size, true));
        int status = h2_status(&h2, stream);
        h2_close(&h2);
        if (status != (int)expected)
            fail_msg("%s, grpc-encoding %s, flag %d: status %d, not %d", paths[i],
                     encoding ? encoding : "(none)", flag, status, (int)expected);
    }
}

/* Ask.text of five bytes, as it is and by zlib. */
static struct deflated plain, gzip, zlib;

static int make_messages(void **state)
{
    static uint8_t bytes[] = {0x0A, 5, 'x', 'x', 'x', 'x', 'x'};
    (void)state;
    plain = (struct deflated){bytes, sizeof(bytes)};
    gzip = deflated_new(GRPCC_COMPRESSION_GZIP, bytes, sizeof(bytes), 0, 0);
    zlib = deflated_new(GRPCC_COMPRESSION_DEFLATE, bytes, sizeof(bytes), 0, 0);
    return 0;
}

static int free_messages(void **state)
{
    (void)state;
    free(gzip.data);
    free(zlib.data);
    return 0;
}

static const char *const no_encodings[] = {NULL, "", "identity"};
static const char *const unknown_encodings[] = {"snappy", "GZIP", "gzip,gzip", "zstd"};

/* Without its flag a message is what it is, whatever the header says. */
static void the_flag_makes_it_compressed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        must_end_with(no_encodings[i], false, &plain, GRPCC_OK);
    for (size_t i = 0; i < 4; i++)
        must_end_with(unknown_encodings[i], false, &plain, GRPCC_OK);
}

/* It must not be decoded as what it is not: bytes that look like a message are none. */
static void a_flag_without_a_known_encoding_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        must_end_with(no_encodings[i], true, &plain, GRPCC_UNIMPLEMENTED);
    for (size_t i = 0; i < 4; i++) {
        must_end_with(unknown_encodings[i], true, &plain, GRPCC_UNIMPLEMENTED);
        must_end_with(unknown_encodings[i], true, &gzip, GRPCC_UNIMPLEMENTED);
    }
}

static void known_encodings_are_refused(void **state)
{
    (void)state;
    must_end_with("gzip", true, &gzip, GRPCC_UNIMPLEMENTED);
    must_end_with("deflate", true, &zlib, GRPCC_UNIMPLEMENTED);
}

static void known_encodings_are_inflated(void **state)
{
    (void)state;
    must_end_with("gzip", true, &gzip, GRPCC_OK);
    must_end_with("gzip", false, &plain, GRPCC_OK);
    must_end_with("gzip", true, &plain, GRPCC_INTERNAL);
    must_end_with("gzip", true, &zlib, GRPCC_INTERNAL);
    must_end_with("deflate", true, &zlib, GRPCC_OK);
    must_end_with("deflate", false, &plain, GRPCC_OK);
    must_end_with("deflate", true, &gzip, GRPCC_INTERNAL);
}

/* The client learns from the refusal what it may send. */
static void must_name(const char *accepted)
{
    struct h2 h2;
    assert_true(h2_open(&h2, port, 1 << 20));
    const char *const extra[] = {"grpc-encoding", "snappy", NULL};
    uint32_t stream = h2_call(&h2, paths[0], extra);
    assert_true(h2_message(&h2, stream, true, gzip.data, gzip.size, true));
    do {
        assert_true(h2_read(&h2));
    } while (h2.in.type != H2_HEADERS || h2.in.stream != stream);
    /* Core writes these literally. */
    if (!memmem(h2.in.payload, h2.in.length, "grpc-accept-encoding", 20) ||
        !memmem(h2.in.payload, h2.in.length, accepted, strlen(accepted)))
        fail_msg("no grpc-accept-encoding: %s", accepted);
    h2_close(&h2);
}

static void nothing_but_identity_is_named(void **state)
{
    (void)state;
    must_name("identity");
}

static void all_are_named(void **state)
{
    (void)state;
    must_name("identity, deflate, gzip");
}

int main(void)
{
    const struct CMUnitTest refuses[] = {
        cmocka_unit_test(the_flag_makes_it_compressed),
        cmocka_unit_test(a_flag_without_a_known_encoding_is_refused),
        cmocka_unit_test(known_encodings_are_refused),
        cmocka_unit_test(nothing_but_identity_is_named),
    };
    const struct CMUnitTest accepts[] = {
        cmocka_unit_test(the_flag_makes_it_compressed),
        cmocka_unit_test(a_flag_without_a_known_encoding_is_refused),
        cmocka_unit_test(known_encodings_are_inflated),
        cmocka_unit_test(all_are_named),
    };
    make_messages(NULL);
    int failed = cmocka_run_group_tests(refuses, refusing, fixture_free);
    failed += cmocka_run_group_tests(accepts, accepting, fixture_free);
    free_messages(NULL);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of stores that are killed and come back under a combd that goes on: by health, by
 * Admin.Stores and by Admin.Check.
 */
#include <string.h>

#include "comb/v1/admin.grpcc.h"
#include "grpc/health/v1/health.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"

#define AWAIT_MS_MAX 60000
#define LOOK_MS 100

struct fixture {
    struct combd combd;
    struct comb_client *client, *admin;
};

static struct fixture fixture;

static int setup(void **state)
{
    struct fixture *f = &fixture;
    combd_start(&f->combd, NULL);
    assert_non_null(f->combd.stores);
    f->client = combd_client(&f->combd);
    /* The same session, on the admin address. */
    struct combd aside = f->combd;
    memcpy(aside.address, f->combd.admin_address, sizeof aside.address);
    f->admin = combd_client(&aside);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->admin);
    comb_client_close(f->client);
    combd_stop(&f->combd);
    return 0;
}

static int health_of(struct fixture *f, const char *service)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpc_health_v1_health_check_request *request =
        grpc_health_v1_health_check_request_new(arena);
    struct grpc_health_v1_health_check_response *response = NULL;
    grpc_health_v1_health_check_request_set_service(request, service);
    enum grpcc_status status = grpc_health_v1_health_check(comb_client_channel(f->client), arena,
                                                           NULL, request, &response, &err);
    int serving = status == GRPCC_OK ? (int)response->status : -1;
    grpcc_arena_free(arena);
    return serving;
}

static void await_health(struct fixture *f, const char *service, int wanted)
{
    for (int waited = 0; health_of(f, service) != wanted; waited += LOOK_MS) {
        if (waited > AWAIT_MS_MAX)
            fail_msg("the health of \"%s\" does not become %d", service, wanted);
        calls_sleep_ms(LOOK_MS);
    }
}

static enum comb_v1_admin_store_state state_of(struct fixture *f, const char *row)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_admin_stores_response *response = NULL;
    enum comb_v1_admin_store_state state = COMB_V1_ADMIN_STORE_STATE_UNSPECIFIED;
    if (comb_v1_admin_stores(comb_client_channel(f->admin), arena, NULL,
                             comb_v1_admin_stores_request_new(arena), &response,
                             &err) == GRPCC_OK) {
        for (size_t i = 0; i < response->n_stores; i++)
            if (strcmp(response->stores[i]->row, row) == 0)
                state = response->stores[i]->state;
    }
    grpcc_arena_free(arena);
    return state;
}

static void await_state(struct fixture *f, const char *row, enum comb_v1_admin_store_state wanted)
{
    for (int waited = 0; state_of(f, row) != wanted; waited += LOOK_MS) {
        if (waited > AWAIT_MS_MAX)
            fail_msg("%s does not become %d", row, (int)wanted);
        calls_sleep_ms(LOOK_MS);
    }
}

/* What Check says of one row; in arena. */
static const struct comb_v1_admin_check *check(struct fixture *f, struct grpcc_arena *arena,
                                               const char *row)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_admin_check_request *request = comb_v1_admin_check_request_new(arena);
    struct comb_v1_admin_check_response *response = NULL;
    assert_true(comb_v1_admin_check_request_add_rows(arena, request, row));
    if (comb_v1_admin_check(comb_client_channel(f->admin), arena, NULL, request, &response, &err) !=
        GRPCC_OK)
        fail_msg("Check: %s", err.message);
    assert_int_equal(response->n_checks, 1);
    assert_string_equal(response->checks[0]->row, row);
    return response->checks[0];
}

static void must_be_said(struct fixture *f, const char *row, bool ok)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    const struct comb_v1_admin_check *answer = check(f, arena, row);
    if (answer->ok != ok)
        fail_msg("Check says of %s: %s", row, answer->message);
    assert_true(answer->message[0] != 0);
    grpcc_arena_free(arena);
}

/* The data row: contents are away, all else goes on. */
static void without_the_data_row_only_contents_are_not_served(void **state)
{
    struct fixture *f = *state;
    must_be_said(f, "data", true);
    await_health(f, "comb.v1.Data", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    stores_kill(f->combd.stores, "s3");
    must_be_said(f, "data", false);
    await_state(f, "data", COMB_V1_ADMIN_STORE_STATE_DOWN);
    await_health(f, "comb.v1.Data", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_NOT_SERVING);
    assert_int_equal(health_of(f, "comb.v1.Tree"), GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    assert_int_equal(health_of(f, ""), GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    stores_start(f->combd.stores);
    await_health(f, "comb.v1.Data", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    await_state(f, "data", COMB_V1_ADMIN_STORE_STATE_UP);
    must_be_said(f, "data", true);
}

/* The cache row: nothing is refused. */
static void without_the_cache_row_all_is_served(void **state)
{
    struct fixture *f = *state;
    stores_kill(f->combd.stores, "redis");
    must_be_said(f, "cache", false);
    await_state(f, "cache", COMB_V1_ADMIN_STORE_STATE_DOWN);
    assert_int_equal(health_of(f, "comb.v1.Tree"), GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    stores_start(f->combd.stores);
    await_state(f, "cache", COMB_V1_ADMIN_STORE_STATE_UP);
    must_be_said(f, "cache", true);
}

/* The sql row: nothing is served, and all is again without a restart. */
static void without_the_sql_row_nothing_is_served(void **state)
{
    struct fixture *f = *state;
    stores_kill(f->combd.stores, "postgres");
    await_health(f, "", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_NOT_SERVING);
    await_health(f, "comb.v1.Tree", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_NOT_SERVING);
    stores_start(f->combd.stores);
    await_health(f, "", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    await_health(f, "comb.v1.Tree", GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    await_state(f, "sql", COMB_V1_ADMIN_STORE_STATE_UP);
    must_be_said(f, "sql", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_data_row_only_contents_are_not_served),
        cmocka_unit_test(without_the_cache_row_all_is_served),
        cmocka_unit_test(without_the_sql_row_nothing_is_served),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

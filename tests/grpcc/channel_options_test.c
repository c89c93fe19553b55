/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel refuses when it is made, and says why: targets, service configs, typed options. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The channel is made, and goes. */
static void must_be_made(const char *target, const struct grpcc_channel_options *options)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel *channel = grpcc_channel_new(target, options, &err);
    if (!channel)
        print_error("%s: %s\n", target, err.message);
    assert_non_null(channel);
    grpcc_channel_free(channel);
}

/* INVALID_ARGUMENT, and the message names what is wrong. */
static void must_be_refused(const char *target, const struct grpcc_channel_options *options,
                            const char *why)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel *channel = grpcc_channel_new(target, options, &err);
    if (channel || err.status != GRPCC_INVALID_ARGUMENT || !strstr(err.message, why))
        print_error("%s: expected \"%s\": %s\n", target ? target : "NULL", why, err.message);
    assert_null(channel);
    assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, why));
}

static void targets_that_can_be_right_are_taken(void **state)
{
    static const char *const targets[] = {
        "127.0.0.1:7000",
        "localhost:1",
        "localhost",
        "[::1]:65535",
        "::1",
        "dns:///name.example:7000",
        "dns://127.0.0.1:53/name.example:7000",
        "dns:name.example:https",
        "ipv4:127.0.0.1:7000",
        "ipv4:127.0.0.1:7000,127.0.0.2:7001",
        "ipv6:[::1]:7000,[::2]:7000",
        "unix:relative",
        "unix:/run/x",
        "unix:///run/x",
        "unix-abstract:x",
    };
    (void)state;
    for (size_t i = 0; i < N_OF(targets); i++)
        must_be_made(targets[i], NULL);
}

static void nonsense_is_not_a_target(void **state)
{
    static const struct {
        const char *target, *why;
    } cases[] = {
        {NULL, "empty"},
        {"", "empty"},
        {":7000", "no host"},
        {"127.0.0.1:65536", "1 to 65535"},
        {"127.0.0.1:99999999999", "1 to 65535"},
        {"127.0.0.1:0", "1 to 65535"},
        {"127.0.0.1:", "1 to 65535"},
        {"127.0.0.1:-1", "1 to 65535"},
        {"127.0.0.1:7k", "1 to 65535"},
        {"127.0.0.1:7000,127.0.0.1:7001", "character"},
        {"two words:7000", "character"},
        {"[::1:7000", "no host"},
        {"dns:///", "no host"},
        {"dns://authority", "no host"},
        {"http://127.0.0.1:7000", "scheme"},
        {"ipv4:", "ipv4"},
        {"ipv4:127.0.0.1", "ipv4"},
        {"ipv4:name:7000", "ipv4"},
        {"ipv4:127.0.0.1:7000,", "ipv4"},
        {"ipv4:127.0.0.1:7000,127.0.0.1:70000", "ipv4"},
        {"ipv6:127.0.0.1:7000", "ipv6"},
        {"unix:", "no name"},
        {"unix-abstract:", "no name"},
    };
    char huge[8192];
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++)
        must_be_refused(cases[i].target, NULL, cases[i].why);
    memset(huge, 'a', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    must_be_refused(huge, NULL, "too long");
    memcpy(huge, "unix:", 5);
    huge[300] = '\0';
    must_be_refused(huge, NULL, "too long");
}

/* Each of these core would take without a word, or refuse without a reason. */
static void a_service_config_is_checked_field_by_field(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"", "line 1"},
        {"[]", "the whole: must be an object"},
        {"{\"a\":1,}", "line 1"},
        {"{\"methodConfig\":[],\"methodConfig\":[]}", "line 1"},
        {"{\"methodconfig\":[]}", "methodconfig: not a field"},
        {"{\"methodConfig\":{}}", "methodConfig: must be a list"},
        {"{\"methodConfig\":[{\"timeout\":\"1s\"}]}", "methodConfig[0].name: is missing"},
        {"{\"methodConfig\":[{\"name\":[{\"method\":\"M\"}]}]}", "without its service"},
        {"{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"1\"}]}", "methodConfig[0].timeout"},
        {"{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"-1s\"}]}", "methodConfig[0].timeout"},
        {"{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"0s\"}]}", "methodConfig[0].timeout"},
        {"{\"methodConfig\":[{\"name\":[{}],\"timeout\":1}]}", "methodConfig[0].timeout"},
        {"{\"methodConfig\":[{\"name\":[{}],\"waitForReady\":1}]}", "true or false"},
        {"{\"methodConfig\":[{\"name\":[{}],\"maxRequestMessageBytes\":-1}]}", "bytes"},
        {"{\"methodConfig\":[{\"name\":[{}],\"hedgingPolicy\":{}}]}", "by its options"},
        {"{\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":1}}]}",
         "methodConfig[0].retryPolicy.maxAttempts"},
        {"{\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":3}}]}",
         "retryPolicy.initialBackoff: is missing"},
        {"{\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"retryableStatusCodes\":[14]}}]}",
         "retryableStatusCodes[0]"},
        {"{\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"retryableStatusCodes\":[\"OK\"]}}]}",
         "retryableStatusCodes[0]"},
        {"{\"retryThrottling\":{\"maxTokens\":0,\"tokenRatio\":0.1}}", "maxTokens"},
        {"{\"retryThrottling\":{\"maxTokens\":10}}", "tokenRatio: is missing"},
        {"{\"loadBalancingConfig\":[{\"no_such_policy\":{}}]}", "core does not accept"},
        {"{\"loadBalancingConfig\":[{\"a\":{},\"b\":{}}]}", "loadBalancingConfig[0]"},
        {"{\"healthCheckConfig\":{\"serviceName\":1}}", "healthCheckConfig.serviceName"},
    };
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct grpcc_channel_options options = {.size = sizeof(options),
                                                .service_config = cases[i].json};
        must_be_refused("127.0.0.1:1", &options, cases[i].why);
    }
}

static void a_whole_service_config_is_taken(void **state)
{
    static const struct grpcc_channel_options options = {
        .size = sizeof(options),
        .service_config =
            "{\"loadBalancingConfig\":[{\"round_robin\":{}}],"
            "\"healthCheckConfig\":{\"serviceName\":\"\"},"
            "\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":0.5},"
            "\"methodConfig\":[{\"name\":[{\"service\":\"a.B\"},{\"service\":\"a.C\","
            "\"method\":\"D\"}],\"timeout\":\"1.5s\",\"waitForReady\":true,"
            "\"maxRequestMessageBytes\":\"1000\",\"maxResponseMessageBytes\":1000,"
            "\"retryPolicy\":{\"maxAttempts\":9,\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"1s\","
            "\"backoffMultiplier\":1.5,\"retryableStatusCodes\":[\"UNAVAILABLE\",\"ABORTED\"]}}]}"};
    (void)state;
    must_be_made("127.0.0.1:1", &options);
}

static void typed_options_are_taken(void **state)
{
    const struct grpcc_retry_policy defaults = {.size = sizeof(defaults)};
    const struct grpcc_retry_policy all = {.size = sizeof(all),
                                           .attempts_max = GRPCC_ATTEMPTS_MAX,
                                           .backoff_min_ms = 1,
                                           .backoff_max_ms = 1,
                                           .multiplier = 1.25,
                                           .statuses = GRPCC_STATUS_BIT(GRPCC_ABORTED) |
                                                       GRPCC_STATUS_BIT(GRPCC_UNAUTHENTICATED)};
    const struct grpcc_method_policy methods[] = {
        {.size = sizeof(methods[0]), .wait_for_ready = true, .retry = &defaults},
        {.size = sizeof(methods[0]), .name = "/a.B/C", .timeout_ms = 1, .retry = &all},
        {.size = sizeof(methods[0]), .name = "a.B/D", .retry = &defaults},
        {.size = sizeof(methods[0]), .name = "a.C", .timeout_ms = 10000},
    };
    const struct grpcc_channel_options options = {
        .size = sizeof(options),
        .service_config = "{\"methodConfig\":[{\"name\":[{\"service\":\"z.Z\"}]}]}",
        .load_balancing = "round_robin",
        .health_service = "",
        .methods = methods,
        .n_methods = N_OF(methods),
        .budget_tokens = 1000,
        .budget_ratio = 0.001,
        .keepalive_timeout_ms = 1000,
        .keepalive_calls_only = true,
        .idle_ms = 1000,
        .own_connections = true,
        .request_bytes_max = 1000,
        .metadata_bytes_max = 1000};
    (void)state;
    must_be_made("ipv4:127.0.0.1:1,127.0.0.1:2", &options);
}

static void a_bad_retry_policy_is_refused(void **state)
{
    static const struct {
        struct grpcc_retry_policy retry;
        const char *why;
    } cases[] = {
        {{.attempts_max = 1}, "attempts_max is 1"},
        {{.attempts_max = 6}, "attempts_max is 6"},
        {{.backoff_min_ms = 2, .backoff_max_ms = 1}, "backoff_max_ms"},
        {{.multiplier = 0.5}, "multiplier"},
        {{.multiplier = -1}, "multiplier"},
        {{.statuses = GRPCC_STATUS_BIT(GRPCC_OK)}, "statuses"},
        {{.statuses = UINT32_C(1) << 17}, "statuses"},
    };
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct grpcc_retry_policy retry = cases[i].retry;
        retry.size = sizeof(retry);
        struct grpcc_method_policy method = {.size = sizeof(method), .retry = &retry};
        struct grpcc_channel_options options = {
            .size = sizeof(options), .methods = &method, .n_methods = 1};
        must_be_refused("127.0.0.1:1", &options, cases[i].why);
    }
}

static void typed_options_that_cannot_be_are_refused(void **state)
{
    static const char *const names[] = {"", "/", "/M", "a.B/C/D"};
    struct grpcc_channel_options options = {.size = sizeof(options)};
    (void)state;
    for (size_t i = 0; i < N_OF(names); i++) {
        struct grpcc_method_policy method = {.size = sizeof(method), .name = names[i]};
        options.methods = &method;
        options.n_methods = 1;
        must_be_refused("127.0.0.1:1", &options, "methods:");
    }
    options.n_methods = 0;
    options.load_balancing = "random";
    must_be_refused("127.0.0.1:1", &options, "\"random\"");
    options.load_balancing = NULL;
    options.health_service = "";
    must_be_refused("127.0.0.1:1", &options, "health_service");
    options.load_balancing = "pick_first";
    must_be_refused("127.0.0.1:1", &options, "health_service");
    options.load_balancing = "round_robin";
    options.service_config = "{\"healthCheckConfig\":{}}";
    must_be_refused("127.0.0.1:1", &options, "the option health_service");
    options.health_service = NULL;
    options.service_config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    must_be_refused("127.0.0.1:1", &options, "the option load_balancing");
    options.load_balancing = options.service_config = NULL;
    options.budget_tokens = 1001;
    must_be_refused("127.0.0.1:1", &options, "budget_tokens");
    options.budget_tokens = 10;
    options.budget_ratio = 0.0001;
    must_be_refused("127.0.0.1:1", &options, "budget_ratio");
}

/* A program built on the header of 0.1.0 leaves what it does not know to the defaults. */
static void an_older_programs_options_are_read_as_far_as_they_go(void **state)
{
    struct grpcc_channel_options options = {.load_balancing = "nothing that there is"};
    (void)state;
    options.size = offsetof(struct grpcc_channel_options, load_balancing);
    must_be_made("127.0.0.1:1", &options);
}

static void a_channel_tells_how_it_is_connected(void **state)
{
    struct fixture *f = *state;
    int port = 0;
    char target[32];
    struct grpcc_server *server = grpcc_server_new(NULL, &f->err);
    assert_int_equal(grpcc_testing_echo_register(server, &echo_table, f, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_start(server, &f->err), GRPCC_OK);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target, NULL, &f->err);
    assert_int_equal(grpcc_channel_connectivity(channel, false), GRPCC_CONNECTIVITY_IDLE);
    assert_int_equal(grpcc_channel_wait_ready(channel, 10000, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_channel_connectivity(channel, false), GRPCC_CONNECTIVITY_READY);
    grpcc_channel_free(channel);
    grpcc_server_free(server);
    channel = grpcc_channel_new("127.0.0.1:1", NULL, &f->err);
    assert_int_equal(grpcc_channel_wait_ready(channel, 20, &f->err), GRPCC_DEADLINE_EXCEEDED);
    assert_int_not_equal(grpcc_channel_connectivity(channel, false), GRPCC_CONNECTIVITY_READY);
    grpcc_channel_free(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_that_can_be_right_are_taken),
        cmocka_unit_test(nonsense_is_not_a_target),
        cmocka_unit_test(a_service_config_is_checked_field_by_field),
        cmocka_unit_test(a_whole_service_config_is_taken),
        cmocka_unit_test(typed_options_are_taken),
        cmocka_unit_test(a_bad_retry_policy_is_refused),
        cmocka_unit_test(typed_options_that_cannot_be_are_refused),
        cmocka_unit_test(an_older_programs_options_are_read_as_far_as_they_go),
        cmocka_unit_test(a_channel_tells_how_it_is_connected),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}

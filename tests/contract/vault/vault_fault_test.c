/* SPDX-License-Identifier: Apache-2.0 */
/* Vault killed, frozen, sealed, with short leases, and with credentials that are no good. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/vault/vault_driver.h"
#include "tests/support/support.h"
#include "tests/support/vault_server.h"

#define CALL_MS 4000
#define WRITERS 3
/* How long a test waits for a server that comes back. */
#define PATIENCE_NS (60 * COMB_NS_PER_S)

static struct vault_server server = {.role_ttl_s = "3", .role_most_s = "8"};

static struct comb_vault *open_vault(const char *url, const char *credentials)
{
    struct comb_vault *vault = NULL;
    struct comb_error err;
    const struct comb_store_options options = {.url = comb_str_from(url),
                                               .credentials = comb_str_from(credentials)};
    must_ok(comb_vault_hashivault_open(&options, &vault, &err), &err);
    return vault;
}

/* ---- load ---- */

/* Counts up a secret of its own by compare and set. */
struct writer {
    struct comb_vault *vault;
    char path[32];
    uint32_t acknowledged; /* the newest version whose put was answered with OK */
    int64_t longest_ns;
    int n_ok, n_failed;
    enum comb_status strange; /* a failure that nobody may see; OK: none */
};

static struct load {
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    atomic_bool stop;
} load;

static void put_once(struct writer *writer)
{
    struct test_ctx test;
    char value[32], id[64];
    uint32_t version = 0;
    test_ctx_init(&test);
    int64_t begin_ns = comb_clock_monotonic_ns();
    test.ctx.deadline_ns = begin_ns + CALL_MS * COMB_NS_PER_MS;
    snprintf(value, sizeof value, "%u", writer->acknowledged + 1);
    snprintf(id, sizeof id, "%s-%u", writer->path, writer->acknowledged + 1);
    const struct comb_vault_put put = {.value = comb_str_from(value),
                                       .expected = writer->acknowledged,
                                       .request_id = comb_str_from(id)};
    enum comb_status status = comb_vault_put_once(
        writer->vault, &test.ctx, comb_str_from(writer->path), &put, &version, &test.err);
    int64_t took_ns = comb_clock_monotonic_ns() - begin_ns;
    if (took_ns > writer->longest_ns)
        writer->longest_ns = took_ns;
    if (status == COMB_OK) {
        writer->acknowledged = version;
        writer->n_ok++;
    } else {
        writer->n_failed++;
        if (status != COMB_UNAVAILABLE && status != COMB_DEADLINE_EXCEEDED)
            writer->strange = status;
        usleep(1000);
    }
    test_ctx_done(&test);
}

static void *write_on(void *data)
{
    while (!atomic_load(&load.stop))
        put_once(data);
    return NULL;
}

static void load_start(struct comb_vault *vault, const char *name)
{
    atomic_store(&load.stop, false);
    for (int i = 0; i < WRITERS; i++) {
        load.writers[i] = (struct writer){.vault = vault};
        snprintf(load.writers[i].path, sizeof load.writers[i].path, "load/%s-%d", name, i);
        assert_int_equal(pthread_create(&load.threads[i], NULL, write_on, &load.writers[i]), 0);
    }
}

/* Reads what is there now: the newest version may be one more than was answered, its answer being
 * lost, and holds the value that was put as that version. */
static void load_stop(const char *what)
{
    struct test_ctx test;
    struct comb_vault_secret secret;
    int n_ok = 0, n_failed = 0, lost = 0;
    int64_t longest_ns = 0;
    atomic_store(&load.stop, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(load.threads[i], NULL);
    test_ctx_init(&test);
    for (int i = 0; i < WRITERS; i++) {
        struct writer *writer = &load.writers[i];
        char value[32];
        must_ok(comb_vault_get(writer->vault, &test.ctx, comb_str_from(writer->path), 0, &secret,
                               &test.err),
                &test.err);
        snprintf(value, sizeof value, "%u", secret.version);
        assert_true(comb_str_equal(secret.value, comb_str_from(value)));
        lost += secret.version < writer->acknowledged;
        assert_true(secret.version <= writer->acknowledged + 1);
        assert_int_equal(writer->strange, COMB_OK);
        n_ok += writer->n_ok;
        n_failed += writer->n_failed;
        longest_ns = writer->longest_ns > longest_ns ? writer->longest_ns : longest_ns;
    }
    test_ctx_done(&test);
    printf("vault, %s: %d acknowledged, %d lost, %d failed, longest call %lld ms\n", what, n_ok,
           lost, n_failed, (long long)(longest_ns / COMB_NS_PER_MS));
    assert_int_equal(lost, 0);
    assert_true(n_ok > 0);
}

/* Until every writer has had another answer; prints how long that took. */
static void await_recovery(const char *what)
{
    int64_t begin_ns = comb_clock_monotonic_ns();
    struct test_ctx test;
    struct comb_vault_secret secret;
    test_ctx_init(&test);
    enum comb_status status;
    do {
        test_ctx_next(&test);
        status = comb_vault_get(load.writers[0].vault, &test.ctx, STR("load/none"), 0, &secret,
                                &test.err);
        usleep(1000);
    } while ((status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED) &&
             comb_clock_monotonic_ns() - begin_ns < PATIENCE_NS);
    must_fail(COMB_NOT_FOUND, status, &test.err);
    printf("vault, %s: usable again after %lld ms\n", what,
           (long long)((comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS));
    test_ctx_done(&test);
    sleep(1);
}

static void killed_and_restarted(void **state)
{
    (void)state;
    struct comb_vault *vault = open_vault(server.url, server.app_role);
    load_start(vault, "killed");
    sleep(1);
    store_process_kill(&server.process);
    sleep(1);
    vault_server_start(&server);

    /* It is sealed now: away, not empty. */
    struct test_ctx test;
    struct comb_vault_secret secret;
    test_ctx_init(&test);
    enum comb_status status;
    int64_t end_ns = comb_clock_monotonic_ns() + PATIENCE_NS;
    do {
        test_ctx_next(&test);
        status = comb_vault_get(vault, &test.ctx, STR("load/none"), 0, &secret, &test.err);
        usleep(1000);
    } while (status == COMB_UNAVAILABLE && !strstr(test.err.msg, "sealed") &&
             comb_clock_monotonic_ns() < end_ns);
    must_fail(COMB_UNAVAILABLE, status, &test.err);
    must_fail(COMB_UNAVAILABLE, comb_vault_check(vault, &test.ctx, &test.err), &test.err);
    assert_non_null(strstr(test.err.msg, "sealed: vault operator unseal"));
    struct comb_store_status row;
    comb_vault_status(vault, &row);
    assert_int_equal(row.state, COMB_STORE_DOWN);
    test_ctx_done(&test);

    vault_server_unseal(&server);
    await_recovery("killed and restarted");
    load_stop("killed and restarted");
    comb_vault_close(vault);
}

static void frozen(void **state)
{
    (void)state;
    struct comb_vault *vault = open_vault(server.url, server.app_role);
    load_start(vault, "frozen");
    sleep(1);
    store_process_freeze(&server.process);
    sleep(getenv("COMB_LONG") ? 30 : 2);
    store_process_thaw(&server.process);
    await_recovery("frozen");
    load_stop("frozen");
    for (int i = 0; i < WRITERS; i++)
        assert_true(load.writers[i].longest_ns < (CALL_MS + 5000) * COMB_NS_PER_MS);
    comb_vault_close(vault);
}

/* Tokens of 3 s whose life ends after 8 s: renewed, and replaced, under load; a token that has
 * ended would be refused, which load_stop() takes for strange. */
static void leases_end_and_nobody_notices(void **state)
{
    (void)state;
    struct comb_vault *vault = open_vault(server.url, server.app_role);
    load_start(vault, "leases");
    sleep(11);
    load_stop("short leases");
    comb_vault_close(vault);
}

/* ---- what `combd --check` says ---- */

static void must_say(const char *url, const char *credentials, enum comb_status status,
                     const char *advice)
{
    struct test_ctx test;
    struct comb_vault *vault = open_vault(url, credentials);
    test_ctx_init(&test);
    must_fail(status, comb_vault_check(vault, &test.ctx, &test.err), &test.err);
    if (!strstr(test.err.msg, advice))
        fail_msg("\"%s\" does not say \"%s\"", test.err.msg, advice);
    assert_null(strstr(test.err.msg, credentials));
    assert_null(strchr(test.err.msg, '\n'));
    test_ctx_done(&test);
    comb_vault_close(vault);
}

static void check_says_what_to_do(void **state)
{
    (void)state;
    char url[128], token[128], role[300];
    must_say(server.url, "hvs.nobody", COMB_FAILED_PRECONDITION, "does not know the token");
    snprintf(role, sizeof role, "%.36s:wrong", server.app_role);
    must_say(server.url, role, COMB_FAILED_PRECONDITION, "AppRole");
    must_say(server.url, "nobody:wrong", COMB_FAILED_PRECONDITION, "AppRole");
    must_say("vault://127.0.0.1:1/kv", "hvs.some-token", COMB_UNAVAILABLE, "nothing answers there");
    must_say("vault://nobody.invalid/kv", "hvs.some-token", COMB_UNAVAILABLE, "no such host");
    snprintf(url, sizeof url, "vault://127.0.0.1:%d/nowhere", server.port);
    must_say(url, server.root_token, COMB_FAILED_PRECONDITION, "mount");
    vault_server_post(&server, "sys/mounts/old",
                      "{\"type\":\"kv\",\"options\":{\"version\":\"1\"}}");
    snprintf(url, sizeof url, "vault://127.0.0.1:%d/old", server.port);
    must_say(url, server.root_token, COMB_FAILED_PRECONDITION, "version 2");
    vault_server_post(&server, "sys/policies/acl/reader",
                      "{\"policy\":\"path \\\"kv/*\\\" {capabilities=[\\\"read\\\"]}\"}");
    vault_server_token(&server, "reader", token);
    must_say(server.url, token, COMB_FAILED_PRECONDITION, "\"create\"");
    snprintf(url, sizeof url, "vault://127.0.0.1:%d/kv?tls=1", server.port);
    must_say(url, server.root_token, COMB_UNAVAILABLE, "no TLS there");
}

/* A token with the policy of the README does all that the driver does. */
static void the_policy_suffices(void **state)
{
    (void)state;
    char token[128];
    struct test_ctx test;
    struct comb_vault_secret secret;
    struct comb_vault_names names;
    uint32_t version = 0;
    vault_server_token(&server, "comb", token);
    struct comb_vault *vault = open_vault(server.url, token);
    test_ctx_init(&test);
    must_ok(comb_vault_check(vault, &test.ctx, &test.err), &test.err);
    must_ok(comb_vault_put(vault, &test.ctx, STR("p/a"), STR("v"), 0, &version, &test.err),
            &test.err);
    for (int change = COMB_VAULT_DELETE; change <= COMB_VAULT_DESTROY; change++)
        must_ok(comb_vault_change(vault, &test.ctx, STR("p/a"), change, &version, 1, &test.err),
                &test.err);
    must_ok(comb_vault_list(vault, &test.ctx, STR("p"), STR(""), 10, &names, &test.err), &test.err);
    must_fail(COMB_NOT_FOUND, comb_vault_get(vault, &test.ctx, STR("p/a"), 0, &secret, &test.err),
              &test.err);
    struct comb_store_status row;
    comb_vault_status(vault, &row);
    assert_non_null(strstr(row.server, "Vault "));
    test_ctx_done(&test);
    comb_vault_close(vault);
}

/* What somebody put there with Vault's own program. */
static void secrets_of_others_are_read(void **state)
{
    (void)state;
    struct test_ctx test;
    comb_str value;
    vault_server_post(&server, "kv/data/db/app",
                      "{\"data\":{\"user\":\"app\",\"password\":\"open sesame\"}}");
    struct comb_vault *vault = open_vault(server.url, server.root_token);
    test_ctx_init(&test);
    must_ok(comb_vault_reference(vault, &test.ctx, STR("db/app#password"), &value, &test.err),
            &test.err);
    assert_true(comb_str_equal(value, STR("open sesame")));
    test_ctx_done(&test);
    comb_vault_close(vault);
}

static void urls_and_credentials_have_a_form(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "vault://h",      "vault://h/",       "vault://h/a//b",     "vault://h/../a",
        "vault://u@h/kv", "vault://h/kv?x=1", "vault://h/kv?tls=2", "vault://h/kv?ca=/x"};
    static const char *const credentials[] = {"", ":", "a:", ":b", "a b", "a\nb"};
    struct comb_vault *vault = NULL;
    struct comb_error err;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct comb_store_options options = {.url = comb_str_from(urls[i]),
                                                   .credentials = STR("t")};
        must_fail(COMB_INVALID_ARGUMENT, comb_vault_hashivault_open(&options, &vault, &err), &err);
    }
    for (size_t i = 0; i < sizeof credentials / sizeof credentials[0]; i++) {
        const struct comb_store_options options = {.url = STR("vault://h/kv"),
                                                   .credentials = comb_str_from(credentials[i])};
        must_fail(COMB_INVALID_ARGUMENT, comb_vault_hashivault_open(&options, &vault, &err), &err);
    }
}

static int start(void **state)
{
    (void)state;
    vault_server_start(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    vault_server_done(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_and_credentials_have_a_form),
        cmocka_unit_test(check_says_what_to_do),
        cmocka_unit_test(the_policy_suffices),
        cmocka_unit_test(secrets_of_others_are_read),
        cmocka_unit_test(killed_and_restarted),
        cmocka_unit_test(frozen),
        cmocka_unit_test(leases_end_and_nobody_notices),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

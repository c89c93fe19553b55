/* SPDX-License-Identifier: Apache-2.0 */
/* What `comb cluster top` makes of two samples, and how it shows it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"
#include "client/cli/cluster.h"
#include "tests/support/cmocka.h"

/* How names of others are made fit for a terminal is tried elsewhere. */
const char *cli_name(const char *name)
{
    return name;
}

struct fixture {
    struct cluster_sample before, now;
    char *text;
    size_t size;
};

static struct cluster_replica *add_replica(struct cluster_sample *sample, const char *id,
                                           int64_t read_ms)
{
    struct cluster_replica *replica = &sample->replicas[sample->n_replicas++];
    *replica = (struct cluster_replica){.read_ms = read_ms,
                                        .start_s = (int64_t)time(NULL) - 5 * 3600 - 60};
    snprintf(replica->id, sizeof replica->id, "%s", id);
    snprintf(replica->address, sizeof replica->address, "127.0.0.1:70%zu", sample->n_replicas);
    return replica;
}

static void set_error(char error[CLUSTER_TEXT_MAX], const char *text)
{
    snprintf(error, CLUSTER_TEXT_MAX, "%s", text);
}

static void add_store(struct cluster_replica *replica, const char *row, bool up, uint64_t requests)
{
    struct cluster_store *store = &replica->stores[replica->n_stores++];
    *store = (struct cluster_store){.up = up, .requests = requests, .in_flight = 2};
    snprintf(store->row, sizeof store->row, "%s", row);
    snprintf(store->server, sizeof store->server, up ? "PostgreSQL 15" : "");
    set_error(store->error, up ? "" : "no route to it");
}

static void set_buckets(struct cluster_replica *replica, uint64_t fast, uint64_t slow,
                        uint64_t beyond)
{
    replica->buckets[0] = (struct cluster_bucket){1000, fast};
    replica->buckets[1] = (struct cluster_bucket){250000, slow};
    replica->buckets[2] = (struct cluster_bucket){UINT64_MAX, beyond};
    replica->n_buckets = 3;
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->text);
    free(f);
    return 0;
}

static void show(struct fixture *f, const char *end)
{
    FILE *out = open_memstream(&f->text, &f->size);
    assert_non_null(out);
    cluster_print(out, f->before.n_replicas ? &f->before : NULL, &f->now, end);
    assert_int_equal(fclose(out), 0);
}

static void must_show(const struct fixture *f, const char *line)
{
    if (!strstr(f->text, line))
        fail_msg("\"%s\" is not in:\n%s", line, f->text);
}

static void rates_are_of_the_time_between(void **state)
{
    struct fixture *f = *state;
    struct cluster_rates rates;
    struct cluster_replica *before = add_replica(&f->before, "a", 1000);
    struct cluster_replica *now = add_replica(&f->now, "a", 3000);
    before->started = 100, now->started = 400;
    before->failed = 7, now->failed = 8;
    before->shed = 5, now->shed = 3; /* begun anew */
    cluster_rates(before, now, &rates);
    assert_true(rates.known);
    assert_true(rates.calls > 149.9 && rates.calls < 150.1);
    assert_true(rates.failed > 0.49 && rates.failed < 0.51);
    assert_true(rates.shed < 0.01);
    assert_int_equal(rates.p50_us, 0);
}

static void without_two_samples_of_a_replica_nothing_is_known(void **state)
{
    struct fixture *f = *state;
    struct cluster_rates rates;
    struct cluster_replica *before = add_replica(&f->before, "a", 1000);
    struct cluster_replica *now = add_replica(&f->now, "a", 1000);
    cluster_rates(NULL, now, &rates);
    assert_false(rates.known);
    cluster_rates(before, now, &rates); /* no time passed */
    assert_false(rates.known);
    now->read_ms = 2000;
    set_error(before->error, "silent then");
    cluster_rates(before, now, &rates);
    assert_false(rates.known);
    before->error[0] = '\0';
    before->id[0] = 'b';
    cluster_rates(before, now, &rates);
    assert_false(rates.known);
    assert_null(cluster_find(&f->before, "a"));
    assert_null(cluster_find(NULL, "a"));
}

static void quantiles_are_of_the_calls_between(void **state)
{
    struct fixture *f = *state;
    struct cluster_rates rates;
    struct cluster_replica *before = add_replica(&f->before, "a", 1000);
    struct cluster_replica *now = add_replica(&f->now, "a", 2000);
    set_buckets(before, 1000000, 0, 0);
    set_buckets(now, 1000000 + 98, 2, 0);
    cluster_rates(before, now, &rates);
    assert_int_equal(rates.p50_us, 1000);
    assert_int_equal(rates.p99_us, 250000);
    set_buckets(now, 1000000 + 99, 1, 0);
    cluster_rates(before, now, &rates);
    assert_int_equal(rates.p99_us, 1000);
    set_buckets(now, 1000000, 0, 1);
    cluster_rates(before, now, &rates);
    assert_true(rates.p50_us == UINT64_MAX && rates.p99_us == UINT64_MAX);
    set_buckets(now, 1000000, 0, 0);
    cluster_rates(before, now, &rates);
    assert_true(rates.p50_us == 0 && rates.p99_us == 0);
}

static void a_screen_says_who_serves(void **state)
{
    struct fixture *f = *state;
    struct cluster_replica *before = add_replica(&f->before, "0000-aaaaaaaa", 1000);
    struct cluster_replica *now = add_replica(&f->now, "0000-aaaaaaaa", 3000);
    set_buckets(before, 0, 0, 0);
    set_buckets(now, 1, 9, 0);
    now->started = 10, now->in_flight = 3, now->lag = 4, now->operations = 5, now->connections = 6;
    add_replica(&f->now, "0000-bbbbbbbb", 3000)->draining = true;
    set_error(add_replica(&f->now, "0000-cccccccc", 3000)->error, "it says nothing");
    show(f, "");
    must_show(f, "  3 replicas\n");
    must_show(
        f, "aaaaaaaa  127.0.0.1:701         serves       5 h       5.0      0.0       3    250 ms"
           "    250 ms      4      5      6\n");
    must_show(
        f, "bbbbbbbb  127.0.0.1:702         drains       5 h         -        -       0         -"
           "         -      0      0      0\n");
    must_show(f, "cccccccc  127.0.0.1:703         silent   it says nothing\n");
    must_show(f, "no replica tells\n");
}

static void a_screen_sums_what_replicas_see_of_a_store(void **state)
{
    struct fixture *f = *state;
    add_store(add_replica(&f->before, "a", 1000), "sql", true, 100);
    add_store(add_replica(&f->now, "a", 3000), "sql", true, 120);
    add_store(add_replica(&f->before, "b", 1000), "sql", true, 100);
    add_store(add_replica(&f->now, "b", 3000), "sql", false, 140);
    /* Not asked: what it saw last says nothing of now. */
    struct cluster_replica *silent = add_replica(&f->now, "c", 3000);
    add_store(silent, "sql", true, 1000000);
    set_error(silent->error, "it says nothing");
    show(f, "");
    must_show(f, "sql       PostgreSQL 15                    1 of 2      30.0       0.0        4"
                 "  no route to it\n");
}

static void a_screen_tells_of_leases(void **state)
{
    struct fixture *f = *state;
    f->now.leases_known = true;
    f->now.leases[0] = (struct cluster_lease){.name = "audit", .holder = "0000-aaaaaaaa"};
    f->now.leases[1] =
        (struct cluster_lease){.name = "search", .lag = 12, .lag_ms = 839, .set_aside = 2};
    f->now.n_leases = 2;
    f->now.stale = true;
    f->now.n_left_off = 3;
    add_replica(&f->now, "a", 1000);
    show(f, "<");
    must_show(f, "  1 replica, as last known: the registry's store is away<\n");
    must_show(f, "3 more are not shown<\n");
    must_show(f, "audit                     aaaaaaaa          0         -         0<\n");
    must_show(f, "search                    -                12    839 ms         2<\n");
    /* Whatever stood on the line before is cleared. */
    for (const char *at = strchr(f->text, '\n'); at; at = strchr(at + 1, '\n'))
        assert_int_equal(at[-1], '<');
}

static void programs_get_an_object_a_line(void **state)
{
    struct fixture *f = *state;
    add_replica(&f->before, "a", 1000);
    struct cluster_replica *now = add_replica(&f->now, "a", 3000);
    now->started = 10;
    add_store(now, "sql", false, 5);
    set_error(now->stores[0].error, "a \"quoted\\\" word\nand a line");
    set_error(add_replica(&f->now, "b", 3000)->error, "silent");
    f->now.leases[f->now.n_leases++] = (struct cluster_lease){.name = "audit", .lag = 7};
    FILE *out = open_memstream(&f->text, &f->size);
    assert_non_null(out);
    cluster_print_json(out, &f->before, &f->now);
    assert_int_equal(fclose(out), 0);
    assert_ptr_equal(strchr(f->text, '\n'), f->text + f->size - 1);

    json_error_t error;
    json_t *read = json_loads(f->text, 0, &error), *replicas = json_object_get(read, "replicas");
    assert_non_null(read);
    json_t *first = json_array_get(replicas, 0), *second = json_array_get(replicas, 1);
    json_t *store = json_array_get(json_object_get(first, "stores"), 0);
    assert_true(json_is_true(json_object_get(first, "answers")));
    assert_true(json_real_value(json_object_get(first, "callsPerSecond")) > 4.9);
    assert_string_equal(json_string_value(json_object_get(store, "error")), now->stores[0].error);
    assert_true(json_is_false(json_object_get(second, "answers")));
    assert_null(json_object_get(second, "callsPerSecond"));
    json_t *lease = json_array_get(json_object_get(read, "leases"), 0);
    assert_int_equal(json_integer_value(json_object_get(lease, "lagEntries")), 7);
    json_decref(read);
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(rates_are_of_the_time_between),
        A_TEST(without_two_samples_of_a_replica_nothing_is_known),
        A_TEST(quantiles_are_of_the_calls_between),
        A_TEST(a_screen_says_who_serves),
        A_TEST(a_screen_sums_what_replicas_see_of_a_store),
        A_TEST(a_screen_tells_of_leases),
        A_TEST(programs_get_an_object_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

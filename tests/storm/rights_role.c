/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/storm/rights_role.h"

#include "tests/e2e/calls.h"

#define BOUND_NS (STORM_BOUND_MS * INT64_C(1000000))
/* The bound, and time for reads that began after it. */
#define CHANGE_MS (STORM_BOUND_MS + 100)

static char shared[STORM_ID_BYTES];

static void begin_rights(struct storm *storm)
{
    storm_make(storm, storm->folder, "shared", shared);
}

/* One change, until it is acknowledged: in between nobody knows. */
static void change(struct storm_client *client, bool allowed)
{
    struct rights_op op = {.allowed = allowed};
    bool is_done = false;
    while (!is_done && !storm_is_over(client)) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        int64_t begin_ns = storm_call_begin(client);
        enum grpcc_status status =
            calls_let_read(client->sdk, client->arena, shared, STORM_GUEST, allowed, &err);
        /* What was done without anybody's being told is there, or is not there any more. */
        if (op.begin_ns && (status == GRPCC_ALREADY_EXISTS || status == GRPCC_NOT_FOUND))
            status = GRPCC_OK;
        is_done =
            storm_call_end(client, begin_ns, allowed ? "grant" : "revoke", status, &err, false);
        op.begin_ns = op.begin_ns ? op.begin_ns : begin_ns;
        op.end_ns = calls_now_ns();
        if (!is_done)
            storm_pause();
    }
    if (!is_done)
        op.end_ns = INT64_MAX / 2; /* nothing is known after it */
    storm_add_rights(client, &op);
}

static void grant_and_revoke(struct storm_client *client)
{
    for (bool allowed = true; !storm_is_over(client); allowed = !allowed) {
        change(client, allowed);
        calls_sleep_ms(CHANGE_MS);
    }
}

static void visit(struct storm_client *client)
{
    while (!storm_is_over(client)) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct rights_op op = {.begin_ns = storm_call_begin(client)};
        enum grpcc_status status = calls_stat(client->sdk, client->arena, shared, NULL, &err);
        op.end_ns = calls_now_ns();
        op.allowed = status == GRPCC_OK;
        if (storm_call_end(client, op.begin_ns, "visit",
                           status == GRPCC_NOT_FOUND ? GRPCC_OK : status, &err, false))
            storm_add_rights(client, &op);
        storm_pause();
    }
}

static void judge_rights(struct storm *storm)
{
    struct storm_client *granters[STORM_CLIENTS_MAX], *guests[STORM_CLIENTS_MAX];
    (void)storm_each(storm, &storm_granter, granters);
    size_t n = storm_each(storm, &storm_guests, guests);
    const struct storm_client *granter = granters[0];
    for (size_t i = 0; i < n; i++) {
        struct rights_report report;
        rights_check(granter->rights, granter->n_rights, guests[i]->rights, guests[i]->n_rights,
                     BOUND_NS, &report);
        if (report.violations[0] || report.violations[1])
            storm_die("guest %zu: of %zu reads after a revocation %zu were allowed, of %zu after a "
                      "grant %zu were refused",
                      i, report.judged[0], report.violations[0], report.judged[1],
                      report.violations[1]);
        if (report.judged[0] == 0)
            storm_die("guest %zu: no read after a revocation was judged", i);
    }
}

const struct storm_role storm_granter = {.name = "granter",
                                         .clients = 1,
                                         .begin = begin_rights,
                                         .work = grant_and_revoke,
                                         .judge = judge_rights};
const struct storm_role storm_guests = {
    .name = "guest", .clients = 1, .are_guests = true, .work = visit};

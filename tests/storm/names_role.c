/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/storm/names_role.h"

#include <stdio.h>

#include "tests/e2e/calls.h"
#include "tests/e2e/namer.h"

#define NAMERS 4

static struct namer namers[NAMERS];
/* Between rounds: all have ended the last one; the folder of the next is there. */
static pthread_barrier_t together;
/* Of the round, told by the first of them. */
static char folder[STORM_PATH_BYTES + 32];
static bool is_last, is_whole[NAMERS];
/* Of the phase. */
static size_t judged, not_judged, wrong;

static void begin_names(struct storm *storm)
{
    storm_make(storm, storm->folder, "names", NULL);
    judged = not_judged = wrong = 0;
    if (pthread_barrier_init(&together, NULL, NAMERS) != 0)
        storm_die("no barrier");
}

/* A new folder; false: nobody knows whether there is one. */
static bool make_folder(struct storm_client *client, unsigned round)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char parent[STORM_PATH_BYTES], name[32];
    storm_path(client->storm, "names", parent);
    snprintf(name, sizeof name, "%u", round);
    snprintf(folder, sizeof folder, "%s/%s", parent, name);
    int64_t begin_ns = storm_call_begin(client);
    enum grpcc_status status =
        calls_mkdir(client->sdk, client->arena, parent, name, false, NULL, &err);
    return storm_call_end(client, begin_ns, "mkdir", status, &err, false);
}

/* A round counts where each operation's outcome is known. */
static void run_round(struct storm_client *client)
{
    struct namer *namer = &namers[client->number];
    is_whole[client->number] = true;
    namer->client = client->sdk;
    namer->folder = folder;
    namer->random = client->random;
    for (unsigned i = 0; i < NAMER_OPS; i++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        int64_t begin_ns = storm_call_begin(client);
        enum grpcc_status status = namer_call(namer, i, client->arena, &err);
        if (!storm_call_end(client, begin_ns, "name", status, &err, false))
            is_whole[client->number] = false;
        storm_pause();
    }
    client->random = namer->random;
}

static void judge_round(void)
{
    for (unsigned i = 0; i < NAMERS; i++) {
        if (!is_whole[i]) {
            not_judged++;
            return;
        }
    }
    judged++;
    wrong += namers_check(namers, NAMERS) == NAMES_NOT_LINEARIZABLE;
}

static void name_on(struct storm_client *client)
{
    for (unsigned round = 0;; round++) {
        if (client->number == 0) {
            is_last = storm_is_over(client);
            while (!is_last && !make_folder(client, round++))
                is_last = storm_is_over(client);
        }
        pthread_barrier_wait(&together);
        if (is_last)
            return;
        run_round(client);
        pthread_barrier_wait(&together);
        if (client->number == 0)
            judge_round();
    }
}

static void judge_names(struct storm *storm)
{
    (void)storm;
    pthread_barrier_destroy(&together);
    if (wrong)
        storm_die("%zu of %zu rounds of names are not linearizable (above)", wrong, judged);
    if (judged == 0)
        storm_die("no round of names was judged, of %zu", not_judged);
}

const struct storm_role storm_namers = {.name = "namer",
                                        .clients = NAMERS,
                                        .begin = begin_names,
                                        .work = name_on,
                                        .judge = judge_names};

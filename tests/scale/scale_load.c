/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COMB_PASSWORD=... scale_load SERVERS root | CALL NODES CALLS IN_FLIGHT: calls of replicas through
 * one client of all of them, on a tree of nodes.py. root: prints the id of the folder below which
 * that has to be. read: stat of a file, another one each time. create: a folder in another folder
 * each time. Both in ten folders, however many there are, which lie as far apart as can be;
 * read-anywhere and create-anywhere in all of them. Prints "rate p50_us p99_us failed".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/client.h"
#include "comb/v1/tree.grpcc.h"
#include "tests/bench/load.h"

enum { FOLDER_NODES = 1000, NEAR_FOLDERS = 10, WARM_CALLS = 200 };
/* Without a common factor with any number of nodes that there is. */
#define STRIDE ((size_t)7919)

struct scale {
    size_t nodes, first;
    bool anywhere;
};

/* The path of the folder of the n-th call, and the number of a file in it. */
static const char *folder_of(const struct scale *scale, struct grpcc_arena *arena, size_t n,
                             size_t *ret_file)
{
    size_t folders = scale->nodes / FOLDER_NODES;
    size_t used = scale->anywhere ? folders : NEAR_FOLDERS;
    size_t at = (scale->first + n) * STRIDE;
    *ret_file = at / used % FOLDER_NODES;
    return grpcc_arena_printf(arena, "/personal/f%zu", at % used * (folders / used));
}

static struct comb_v1_node_ref *ref_of(struct grpcc_arena *arena, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_path(ref, path);
    return ref;
}

static const ProtobufCMessage *read_request(void *data, struct grpcc_arena *arena, size_t n)
{
    const struct scale *scale = data;
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    size_t file = 0;
    const char *folder = folder_of(scale, arena, n, &file);
    request->node = ref_of(arena, grpcc_arena_printf(arena, "%s/n%zu", folder, file));
    return &request->base;
}

static const ProtobufCMessage *create_request(void *data, struct grpcc_arena *arena, size_t n)
{
    const struct scale *scale = data;
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    size_t file = 0;
    request->parent = ref_of(arena, folder_of(scale, arena, n, &file));
    comb_v1_tree_create_folder_request_set_name(
        request, grpcc_arena_printf(arena, "made-%zu", scale->first + n));
    return &request->base;
}

static const struct grpcc_method *method_of(const char *name)
{
    for (size_t i = 0; i < comb_v1_tree_service.n_methods; i++)
        if (strcmp(comb_v1_tree_service.methods[i].name, name) == 0)
            return &comb_v1_tree_service.methods[i];
    abort();
}

static int print_root(struct comb_client *client)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    request->node = ref_of(arena, "/personal");
    enum grpcc_status status =
        comb_v1_tree_stat(comb_client_channel(client), arena, NULL, request, &response, &err);
    if (status == GRPCC_OK)
        puts(response->node->id);
    else
        fprintf(stderr, "scale_load: %s\n", err.message);
    grpcc_arena_free(arena);
    return status != GRPCC_OK;
}

static int run(struct comb_client *client, char **argv)
{
    bool reads = strncmp(argv[2], "read", 4) == 0;
    struct scale scale = {.nodes = strtoul(argv[3], NULL, 10),
                          .first = (size_t)load_now_ns() / 1000 % 1000000000,
                          .anywhere = strstr(argv[2], "-anywhere") != NULL};
    struct load load = {.channel = comb_client_channel(client),
                        .method = method_of(reads ? "Stat" : "CreateFolder"),
                        .in_flight = (unsigned)strtoul(argv[5], NULL, 10),
                        .calls = WARM_CALLS,
                        .request = reads ? read_request : create_request,
                        .data = &scale};
    (void)load_run(&load);
    scale.first += load.calls;
    load.calls = strtoul(argv[4], NULL, 10);
    struct load_result result = load_run(&load);
    if (result.failed)
        fprintf(stderr, "scale_load: %zu of %zu calls failed: %s\n", result.failed, result.calls,
                result.first_failure);
    printf("%.0f %.0f %.0f %zu\n", (double)result.calls / result.seconds, result.p50_us,
           result.p99_us, result.failed);
    return 0;
}

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = NULL;
    /* A machine that is full makes the database seem away now and then: that is no end. */
    struct comb_client_options options = {
        .size = sizeof options, .attempts_max = 100, .retry_tokens_max = 10000, .pinned = true};
    const char *password = getenv("COMB_PASSWORD");
    if (!password || !(argc == 3 || argc == 6)) {
        fprintf(stderr, "usage: COMB_PASSWORD=... %s SERVERS root | CALL NODES CALLS IN_FLIGHT\n",
                argv[0]);
        return 2;
    }
    if (comb_client_open(argv[1], &options, &client, &err) != GRPCC_OK ||
        comb_client_login(client, "admin", password, "scale", &err) != GRPCC_OK) {
        fprintf(stderr, "scale_load: %s\n", err.message);
        return 1;
    }
    int status = argc == 3 ? print_root(client) : run(client, argv);
    comb_client_close(client);
    return status;
}

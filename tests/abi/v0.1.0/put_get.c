/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a file and reads it back:
 *
 *     cc put_get.c $(pkg-config --cflags --libs comb) -o put_get
 *     COMB_PASSWORD=... ./put_get 127.0.0.1:7070 admin README.md /personal/README.md
 */
#include <stdio.h>
#include <stdlib.h>

#include "comb/client.h"
#include "comb/files.h"

static bool show(void *data, const struct comb_progress *progress)
{
    (void)data;
    fprintf(stderr, "%s: %llu of %llu bytes\n", progress->path, (unsigned long long)progress->bytes,
            (unsigned long long)progress->bytes_total);
    return true; /* false would cancel */
}

static bool print(void *data, const void *bytes, size_t n)
{
    return fwrite(bytes, 1, n, data) == n;
}

static enum grpcc_status run(struct comb_client *client, struct grpcc_arena *arena, char **argv,
                             struct grpcc_error *err)
{
    const struct comb_put_options options = {
        .size = sizeof(options), .create_parents = true, .progress = show};
    struct comb_v1_node *node = NULL;
    const char *password = getenv("COMB_PASSWORD");
    enum grpcc_status status =
        comb_client_login(client, argv[2], password ? password : "", "example", err);
    if (!status)
        status = comb_put_file(client, arena, argv[3], argv[4], &options, &node, err);
    if (!status) {
        fprintf(stderr, "%s is %s, %llu bytes of %s\n", argv[4], node->id,
                (unsigned long long)node->size, node->media_type);
        status = comb_get_stream(client, arena, argv[4], 0, UINT64_MAX, print, stdout, NULL, err);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = NULL;
    if (argc != 5) {
        fprintf(stderr, "usage: %s SERVER LOGIN FILE PATH\n", argv[0]);
        return 2;
    }
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return 1;
    enum grpcc_status status = comb_client_open(argv[1], NULL, &client, &err);
    if (!status)
        status = run(client, arena, argv, &err);
    if (status)
        fprintf(stderr, "%s: %s\n", grpcc_status_name(status), err.message);
    comb_client_close(client);
    grpcc_arena_free(arena);
    return status ? 1 : 0;
}

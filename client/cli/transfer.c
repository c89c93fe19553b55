/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that carry content: put, get, cat, import. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/cli/cli.h"
#include "comb/files.h"
#include "comb/v1/tree.grpcc.h"

#define FILES_LINE_MAX 8192

static void say_problem(void *data, const char *path, const char *why)
{
    (void)data;
    fprintf(stderr, "comb: left out %s: ", cli_name(path));
    fprintf(stderr, "%s\n", why);
}

static double per_second(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

static void print_report(const struct cli *cli, const struct comb_tree_report *report)
{
    if (cli->json) {
        printf("{\"files\":%llu,\"folders\":%llu,\"bytes\":%llu,\"unchanged\":%llu,"
               "\"problems\":%llu,\"seconds\":%.3f}\n",
               (unsigned long long)report->files, (unsigned long long)report->folders,
               (unsigned long long)report->bytes, (unsigned long long)report->unchanged,
               (unsigned long long)report->problems, report->seconds);
        return;
    }
    if (report->files == 0 && report->folders == 0)
        printf("Nothing changed: %llu files are as they were (%.1f s).\n",
               (unsigned long long)report->unchanged, report->seconds);
    else
        printf("%llu files, %llu folders, %s in %.1f s: %.0f files/s, %s/s; %llu unchanged.\n",
               (unsigned long long)report->files, (unsigned long long)report->folders,
               cli_bytes(report->bytes), report->seconds,
               per_second(report->files + report->folders, report->seconds),
               cli_bytes((uint64_t)per_second(report->bytes, report->seconds)),
               (unsigned long long)report->unchanged);
    if (report->problems)
        printf("%llu left out; each is named above with its reason.\n",
               (unsigned long long)report->problems);
}

static int finish_tree(const struct cli *cli, const struct comb_tree_report *report)
{
    print_report(cli, report);
    return report->problems ? CLI_PARTLY : CLI_OK;
}

static int put_tree(struct cli *cli, const char *local, const char *remote,
                    const char *const *files)
{
    struct comb_tree_report report = {0};
    struct comb_tree_options options = {
        .size = sizeof options,
        .files = files,
        .problem = say_problem,
        .progress = cli->json ? NULL : cli_progress,
    };
    if (comb_put_tree(cli->client, local, remote, &options, &report, &cli->err) != GRPCC_OK)
        return cli_fail(cli, local);
    return finish_tree(cli, &report);
}

/* The last part of a local path. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* Where a local thing goes: into remote if that is a folder, else as remote itself. */
static char *put_target(struct cli *cli, const char *local, const char *remote, bool many)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(cli->arena);
    struct comb_v1_tree_stat_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    size_t length = strlen(remote);
    bool folder = many || (length && remote[length - 1] == '/');
    if (!request)
        return NULL;
    request->node = cli_ref(cli, remote);
    if (!request->node)
        return NULL;
    if (!folder &&
        comb_v1_tree_stat(cli_channel(cli), cli->arena, NULL, request, &response, &err) == GRPCC_OK)
        folder = response->node->kind == COMB_V1_NODE_KIND_FOLDER;
    if (!folder)
        return grpcc_arena_strdup(cli->arena, remote);
    while (length > 1 && remote[length - 1] == '/')
        length--;
    return grpcc_arena_printf(cli->arena, "%.*s/%s", (int)length, remote, base_name(local));
}

static int put_one(struct cli *cli, const char *local, const char *target, bool recursive,
                   uint64_t lock)
{
    struct stat about;
    struct comb_v1_node *node = NULL;
    struct comb_put_options options = {
        .size = sizeof options,
        .progress = cli->json ? NULL : cli_progress,
        .lock_token = lock,
    };
    if (stat(local, &about) != 0) {
        fprintf(stderr, "comb: %s: %s\n", local, strerror(errno));
        return CLI_USAGE;
    }
    if (S_ISDIR(about.st_mode)) {
        if (recursive)
            return put_tree(cli, local, target, NULL);
        fprintf(stderr, "comb: %s is a folder: comb put -r sends it\n", local);
        return CLI_USAGE;
    }
    if (comb_put_file(cli->client, cli->arena, local, target, &options, &node, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, local);
    if (cli->json)
        cli_print_json(stdout, &node->base);
    return CLI_OK;
}

int cli_put(struct cli *cli, int argc, char **argv)
{
    const char *recursive = NULL, *lock = NULL;
    const struct cli_option options[] = {
        {"-r", false, &recursive}, {"--lock", true, &lock}, {NULL, false, NULL}};
    int worst = CLI_OK;
    uint64_t token;
    if (!cli_arguments(options, &argc, argv, 2, INT_MAX,
                       "comb put [-r] [--lock TOKEN] LOCAL... REMOTE") ||
        !cli_read_lock(lock, &token) || !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc - 1; i++) {
        char *target = put_target(cli, argv[i], argv[argc - 1], argc > 2);
        int status = target ? put_one(cli, argv[i], target, recursive != NULL, token) : CLI_USAGE;
        worst = status ? status : worst;
    }
    return worst;
}

int cli_get(struct cli *cli, int argc, char **argv)
{
    const char *recursive = NULL;
    const struct cli_option options[] = {{"-r", false, &recursive}, {NULL, false, NULL}};
    struct stat about;
    struct comb_v1_node *node = NULL;
    if (!cli_arguments(options, &argc, argv, 2, 2, "comb get [-r] REMOTE LOCAL") ||
        !cli_connect(cli))
        return CLI_USAGE;
    const char *remote = argv[0], *local = argv[1];
    if (recursive) {
        struct comb_tree_report report = {0};
        struct comb_tree_options tree = {
            .size = sizeof tree,
            .problem = say_problem,
            .progress = cli->json ? NULL : cli_progress,
        };
        if (comb_get_tree(cli->client, remote, local, &tree, &report, &cli->err) != GRPCC_OK)
            return cli_fail(cli, remote);
        return finish_tree(cli, &report);
    }
    if (stat(local, &about) == 0 && S_ISDIR(about.st_mode))
        local = grpcc_arena_printf(cli->arena, "%s/%s", local, base_name(remote));
    if (!local)
        return cli_no_memory();
    if (comb_get_file(cli->client, cli->arena, remote, local, cli->json ? NULL : cli_progress, NULL,
                      &node, &cli->err) != GRPCC_OK)
        return cli_fail(cli, remote);
    if (cli->json)
        cli_print_json(stdout, &node->base);
    return CLI_OK;
}

static bool to_stdout(void *data, const void *bytes, size_t n)
{
    (void)data;
    return fwrite(bytes, 1, n, stdout) == n;
}

int cli_cat(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX, "comb cat REMOTE...") || !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++)
        if (comb_get_stream(cli->client, cli->arena, argv[i], 0, UINT64_MAX, to_stdout, NULL, NULL,
                            &cli->err) != GRPCC_OK)
            return cli_fail(cli, argv[i]);
    return CLI_OK;
}

/* The lines of a file as a NULL-terminated list in the run's arena; NULL, said on stderr. */
static const char *const *read_list(struct cli *cli, const char *path)
{
    char line[FILES_LINE_MAX];
    size_t n = 0, capacity = 1024;
    const char **list = malloc(capacity * sizeof *list);
    FILE *file = fopen(path, "re");
    bool ok = list && file;
    while (ok && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (n + 1 == capacity) {
            const char **longer = realloc(list, (capacity *= 2) * sizeof *list);
            list = longer ? longer : list;
            ok = longer != NULL;
        }
        if (ok && line[0])
            ok = (list[n++] = grpcc_arena_strdup(cli->arena, line)) != NULL;
    }
    if (!ok)
        fprintf(stderr, "comb: %s: %s\n", path, strerror(errno));
    const char **kept = ok ? grpcc_arena_calloc(cli->arena, n + 1, sizeof *kept) : NULL;
    if (kept)
        memcpy(kept, list, n * sizeof *kept);
    if (file)
        fclose(file);
    free(list);
    return kept;
}

int cli_import(struct cli *cli, int argc, char **argv)
{
    const char *from = NULL;
    const char *const *files = NULL;
    const struct cli_option options[] = {{"--files-from", true, &from}, {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 2, 2, "comb import [--files-from FILE] DIR REMOTE"))
        return CLI_USAGE;
    if (from && !(files = read_list(cli, from)))
        return CLI_USAGE;
    if (!cli_connect(cli))
        return CLI_USAGE;
    int status = put_tree(cli, argv[0], argv[1], files);
    /* What was left out was named; the import itself has done what it could. */
    return status == CLI_PARTLY ? CLI_OK : status;
}

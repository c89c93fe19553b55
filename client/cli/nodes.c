/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about nodes: ls, tree, stat, mkdir, mv, rm, restore, meta. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/lists.h"
#include "comb/v1/tree.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"

#define DEPTH_MAX 100

static struct google_protobuf_field_mask *mask_of(struct cli *cli, const char *const *paths)
{
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(cli->arena);
    for (; mask && *paths; paths++)
        if (!google_protobuf_field_mask_add_paths(cli->arena, mask, *paths))
            return NULL;
    return mask;
}

static struct comb_list *open_list(struct cli *cli, struct comb_v1_node_ref *folder)
{
    struct comb_list *list = NULL;
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(cli->arena);
    if (!request) {
        grpcc_error_set(&cli->err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
        return NULL;
    }
    request->folder = folder;
    return comb_list_open(cli->client, request, &list, &cli->err) == GRPCC_OK ? list : NULL;
}

static void print_node(struct cli *cli, const struct comb_v1_node *node, bool line)
{
    if (cli->json)
        cli_print_json(stdout, &node->base);
    else if (line)
        cli_print_node_line(stdout, node);
    else
        printf("%s%s\n", cli_name(node->name), node->kind == COMB_V1_NODE_KIND_FOLDER ? "/" : "");
}

int cli_ls(struct cli *cli, int argc, char **argv)
{
    const char *line = NULL;
    const struct cli_option options[] = {{"-l", false, &line}, {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb ls [-l] [REF]") || !cli_connect(cli))
        return CLI_USAGE;
    const char *what = argc ? argv[0] : "/";
    struct comb_v1_node_ref *folder = cli_ref(cli, what);
    struct comb_list *list = folder ? open_list(cli, folder) : NULL;
    const struct comb_v1_node *node = NULL;
    int more = -1;
    if (!folder)
        return CLI_USAGE;
    while (list && (more = comb_list_next(list, &node, &cli->err)) == 1)
        print_node(cli, node, line != NULL);
    /* The error's details live in the list. */
    int status = more == 0 ? CLI_OK : cli_fail(cli, what);
    comb_list_close(list);
    return status;
}

struct tree_totals {
    uint64_t files, folders, bytes;
};

/* Prints what lies below a folder; prefix is what stands before its children. The exit status. */
static int print_below(struct cli *cli, struct comb_v1_node_ref *folder, const char *prefix,
                       int depth, struct tree_totals *totals)
{
    struct comb_list *list = open_list(cli, folder);
    const struct comb_v1_node *next = NULL;
    struct comb_v1_node *node = NULL;
    int more = list ? comb_list_next(list, &next, &cli->err) : -1, status = CLI_OK;
    while (more == 1 && status == CLI_OK) {
        /* One ahead, to know the last child. */
        node = comb_v1_node_dup(cli->arena, next);
        more = comb_list_next(list, &next, &cli->err);
        if (!node || more < 0)
            break;
        bool is_folder = node->kind == COMB_V1_NODE_KIND_FOLDER;
        printf("%s%s %s%s\n", prefix, more ? "|--" : "`--", cli_name(node->name),
               is_folder ? "/" : "");
        totals->folders += is_folder;
        totals->files += !is_folder;
        totals->bytes += node->size;
        struct comb_v1_node_ref *child = comb_v1_node_ref_new(cli->arena);
        char *deeper = grpcc_arena_printf(cli->arena, "%s%s", prefix, more ? "|   " : "    ");
        if (!child || !deeper)
            more = -1;
        else if (is_folder && depth > 1) {
            comb_v1_node_ref_set_id(child, node->id);
            status = print_below(cli, child, deeper, depth - 1, totals);
        }
    }
    /* The error's details live in the list. */
    if (more < 0)
        status = cli_fail(cli, "tree");
    comb_list_close(list);
    return status;
}

int cli_tree(struct cli *cli, int argc, char **argv)
{
    const char *depth = NULL;
    const struct cli_option options[] = {{"--depth", true, &depth}, {NULL, false, NULL}};
    struct tree_totals totals = {0};
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb tree [--depth N] [REF]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    const char *what = argc ? argv[0] : "/";
    struct comb_v1_node_ref *folder = cli_ref(cli, what);
    if (!folder)
        return CLI_USAGE;
    printf("%s\n", cli_name(what));
    int status =
        print_below(cli, folder, "", depth ? (int)strtol(depth, NULL, 10) : DEPTH_MAX, &totals);
    if (status != CLI_OK)
        return status;
    printf("\n%llu folders, %llu files, %s\n", (unsigned long long)totals.folders,
           (unsigned long long)totals.files, cli_bytes(totals.bytes));
    return CLI_OK;
}

int cli_stat(struct cli *cli, int argc, char **argv)
{
    static const char *const parts[] = {"path", "totals", "metadata", "rights", NULL};
    const struct cli_option options[] = {{NULL, false, NULL}};
    int worst = CLI_OK;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX, "comb stat REF...") || !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++) {
        struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(cli->arena);
        struct comb_v1_tree_stat_response *response = NULL;
        if (!request)
            return cli_no_memory();
        request->node = cli_ref(cli, argv[i]);
        request->read_mask = mask_of(cli, parts);
        if (!request->node)
            worst = CLI_USAGE;
        else if (comb_v1_tree_stat(cli_channel(cli), cli->arena, NULL, request, &response,
                                   &cli->err) != GRPCC_OK)
            worst = cli_fail(cli, argv[i]);
        else if (cli->json)
            cli_print_json(stdout, &response->node->base);
        else
            cli_print_node(stdout, response->node);
    }
    return worst;
}

/* Splits "/a/b/c" into the folder "/a/b" and the name "c" in the run's arena. */
static bool split_path(struct cli *cli, const char *path, char **ret_folder, const char **ret_name)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    char *folder = grpcc_arena_strndup(cli->arena, path, length);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (!slash || !slash[1]) {
        fprintf(stderr, "comb: \"%s\" names nothing in a folder\n", cli_name(path));
        return false;
    }
    *slash = 0;
    *ret_folder = folder[0] ? folder : grpcc_arena_strdup(cli->arena, "/");
    *ret_name = slash + 1;
    return *ret_folder != NULL;
}

/* With parents: "/slug/a/b/c" becomes the root "/slug" and the relative path "a/b/c". */
static bool split_root(struct cli *cli, const char *path, char **ret_folder, const char **ret_name)
{
    const char *slash = path[0] ? strchr(path + 1, '/') : NULL;
    if (path[0] != '/' || !slash)
        return split_path(cli, path, ret_folder, ret_name);
    size_t length = strlen(slash + 1);
    while (length > 0 && slash[length] == '/')
        length--;
    *ret_folder = grpcc_arena_strndup(cli->arena, path, (size_t)(slash - path));
    *ret_name = grpcc_arena_strndup(cli->arena, slash + 1, length);
    return *ret_folder && *ret_name;
}

int cli_mkdir(struct cli *cli, int argc, char **argv)
{
    const char *parents = NULL;
    const struct cli_option options[] = {{"-p", false, &parents}, {NULL, false, NULL}};
    int worst = CLI_OK;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX, "comb mkdir [-p] PATH...") ||
        !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++) {
        struct comb_v1_tree_create_folder_request *request =
            comb_v1_tree_create_folder_request_new(cli->arena);
        struct comb_v1_tree_create_folder_response *response = NULL;
        char *folder = NULL;
        const char *name = NULL;
        if (!request)
            return cli_no_memory();
        bool split = parents ? split_root(cli, argv[i], &folder, &name)
                             : split_path(cli, argv[i], &folder, &name);
        request->parent = split ? cli_ref(cli, folder) : NULL;
        if (!request->parent) {
            worst = CLI_USAGE;
            continue;
        }
        comb_v1_tree_create_folder_request_set_name(request, name);
        request->create_parents = parents != NULL;
        request->exist_ok = parents != NULL;
        if (comb_v1_tree_create_folder(cli_channel(cli), cli->arena, NULL, request, &response,
                                       &cli->err) != GRPCC_OK)
            worst = cli_fail(cli, argv[i]);
        else if (cli->json)
            cli_print_json(stdout, &response->base);
    }
    return worst;
}

/* Whether there is a folder at ref: a move there keeps the name. */
static bool is_folder(struct cli *cli, struct comb_v1_node_ref *ref)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(cli->arena);
    struct comb_v1_tree_stat_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!request)
        return false;
    request->node = ref;
    return comb_v1_tree_stat(cli_channel(cli), cli->arena, NULL, request, &response, &err) ==
               GRPCC_OK &&
           response->node->kind == COMB_V1_NODE_KIND_FOLDER;
}

/* Where target leads: into a folder that is there, or to a new name. */
static bool resolve_target(struct cli *cli, const char *target,
                           struct comb_v1_node_ref **ret_parent, const char **ret_name)
{
    struct comb_v1_node_ref *ref = cli_ref(cli, target);
    char *folder = NULL;
    *ret_name = "";
    if (!ref)
        return false;
    *ret_parent = ref;
    if (is_folder(cli, ref))
        return true;
    if (!split_path(cli, target, &folder, ret_name))
        return false;
    *ret_parent = cli_ref(cli, folder);
    return *ret_parent != NULL;
}

int cli_mv(struct cli *cli, int argc, char **argv)
{
    const char *replace = NULL, *lock = NULL, *name = NULL;
    const struct cli_option options[] = {
        {"--replace", false, &replace}, {"--lock", true, &lock}, {NULL, false, NULL}};
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(cli->arena);
    struct comb_v1_tree_move_response *response = NULL;
    uint64_t token;
    if (!cli_arguments(options, &argc, argv, 2, 2,
                       "comb mv [--replace] [--lock TOKEN] REF TARGET") ||
        !cli_read_lock(lock, &token) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    request->lock_token = token;
    request->node = cli_ref(cli, argv[0]);
    if (!request->node || !resolve_target(cli, argv[1], &request->target_parent, &name))
        return CLI_USAGE;
    comb_v1_tree_move_request_set_target_name(request, name);
    request->conflict = replace ? COMB_V1_MOVE_CONFLICT_REPLACE : COMB_V1_MOVE_CONFLICT_FAIL;
    if (comb_v1_tree_move(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    return CLI_OK;
}

int cli_rm(struct cli *cli, int argc, char **argv)
{
    const char *permanently = NULL, *lock = NULL;
    const struct cli_option options[] = {
        {"--permanently", false, &permanently}, {"--lock", true, &lock}, {NULL, false, NULL}};
    int worst = CLI_OK;
    uint64_t token;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX,
                       "comb rm [--permanently] [--lock TOKEN] REF...") ||
        !cli_read_lock(lock, &token) || !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++) {
        struct comb_v1_tree_delete_request *request = comb_v1_tree_delete_request_new(cli->arena);
        struct comb_v1_tree_delete_response *response = NULL;
        if (!request)
            return cli_no_memory();
        request->node = cli_ref(cli, argv[i]);
        request->permanently = permanently != NULL;
        request->lock_token = token;
        if (!request->node)
            worst = CLI_USAGE;
        else if (comb_v1_tree_delete(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
            worst = cli_fail(cli, argv[i]);
        else if (cli->json)
            cli_print_json(stdout, &response->base);
        else if (response->node)
            printf("%s  (comb restore %s brings it back)\n", cli_name(argv[i]), response->node->id);
    }
    return worst;
}

int cli_restore(struct cli *cli, int argc, char **argv)
{
    const char *name = NULL, *lock = NULL;
    const struct cli_option options[] = {{"--lock", true, &lock}, {NULL, false, NULL}};
    uint64_t token;
    struct comb_v1_tree_restore_request *request = comb_v1_tree_restore_request_new(cli->arena);
    struct comb_v1_tree_restore_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 2, "comb restore [--lock TOKEN] ID [TARGET]") ||
        !cli_read_lock(lock, &token) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    request->lock_token = token;
    request->node = cli_ref(cli, argv[0]);
    if (!request->node ||
        (argc == 2 && !resolve_target(cli, argv[1], &request->target_parent, &name)))
        return CLI_USAGE;
    comb_v1_tree_restore_request_set_target_name(request, name);
    if (comb_v1_tree_restore(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_node(cli, response->node, false);
    return CLI_OK;
}

/* "ns:name=text" sets, "ns:name-" removes. False, said on stderr. */
static bool add_change(struct cli *cli, struct comb_v1_tree_set_metadata_request *request,
                       const char *text)
{
    const char *colon = strchr(text, ':'), *equals = colon ? strchr(colon, '=') : NULL;
    size_t length = strlen(text);
    bool removes = !equals && colon && text[length - 1] == '-';
    if (!colon || (!equals && !removes)) {
        fprintf(stderr, "comb: \"%s\" is neither NS:NAME=TEXT nor NS:NAME-\n", cli_name(text));
        return false;
    }
    const char *end = equals ? equals : text + length - 1;
    char *namespace_ = grpcc_arena_strndup(cli->arena, text, (size_t)(colon - text));
    char *name = grpcc_arena_strndup(cli->arena, colon + 1, (size_t)(end - colon - 1));
    if (removes) {
        struct comb_v1_metadata_key *key = comb_v1_metadata_key_new(cli->arena);
        if (!key || !namespace_ || !name)
            return cli_no_memory() == CLI_OK;
        key->namespace_ = namespace_;
        key->name = name;
        return comb_v1_tree_set_metadata_request_add_remove(cli->arena, request, key);
    }
    struct comb_v1_metadata *entry = comb_v1_metadata_new(cli->arena);
    struct comb_v1_metadata_value *value = comb_v1_metadata_value_new(cli->arena);
    if (!entry || !value || !namespace_ || !name)
        return cli_no_memory() == CLI_OK;
    comb_v1_metadata_value_set_text(value, equals + 1);
    entry->namespace_ = namespace_;
    entry->name = name;
    entry->value = value;
    return comb_v1_tree_set_metadata_request_add_set(cli->arena, request, entry);
}

int cli_meta(struct cli *cli, int argc, char **argv)
{
    const char *lock = NULL;
    const struct cli_option options[] = {{"--lock", true, &lock}, {NULL, false, NULL}};
    uint64_t token;
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(cli->arena);
    struct comb_v1_tree_set_metadata_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX,
                       "comb meta [--lock TOKEN] REF [NS:NAME=TEXT | NS:NAME-]...") ||
        !cli_read_lock(lock, &token))
        return CLI_USAGE;
    if (argc == 1)
        return cli_stat(cli, argc, argv);
    if (!request)
        return cli_no_memory();
    request->lock_token = token;
    request->node = cli_ref(cli, argv[0]);
    for (int i = 1; i < argc; i++)
        if (!add_change(cli, request, argv[i]))
            return CLI_USAGE;
    if (!request->node || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_tree_set_metadata(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->node->base);
    else
        cli_print_node(stdout, response->node);
    return CLI_OK;
}

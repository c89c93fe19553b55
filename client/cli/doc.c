/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about documents. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/document.grpcc.h"
#include "grpcc/wkt.h"

/* More than a server takes. */
#define BODY_MAX ((size_t)1 << 20)

static const struct cli_option none[] = {{NULL, false, NULL}};

/* ---- arguments ---- */

static bool read_number(const char *text, const char *what, int64_t *ret)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool good = !errno && end != text && *end == '\0' && number >= 0;
    if (good)
        *ret = number;
    else
        fprintf(stderr, "comb: \"%s\" is no %s\n", text, what);
    return good;
}

/* JSON of the command line, or of stdin where it is "-"; NULL, said on stderr. */
static char *read_body(struct cli *cli, const char *text)
{
    if (strcmp(text, "-") != 0)
        return grpcc_arena_strdup(cli->arena, text);
    char *body = grpcc_arena_alloc(cli->arena, BODY_MAX + 1);
    size_t size = body ? fread(body, 1, BODY_MAX, stdin) : 0;
    if (!body || ferror(stdin) || size == BODY_MAX) {
        fprintf(stderr, "comb: stdin cannot be read, or is too long\n");
        return NULL;
    }
    body[size] = '\0';
    return body;
}

/* What follows the operator: JSON as it is, anything else as a text. */
static char *read_value(struct cli *cli, const char *text)
{
    size_t len = strlen(text), n = 1;
    bool is_json = len > 0 && (strchr("\"-0123456789", text[0]) || strcmp(text, "true") == 0 ||
                               strcmp(text, "false") == 0 || strcmp(text, "null") == 0);
    if (is_json)
        return grpcc_arena_strdup(cli->arena, text);
    char *quoted = grpcc_arena_alloc(cli->arena, 2 * len + 3);
    if (!quoted)
        return NULL;
    quoted[0] = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            quoted[n++] = '\\';
        quoted[n++] = text[i];
    }
    quoted[n++] = '"';
    quoted[n] = '\0';
    return quoted;
}

/* PATH=VALUE, PATH<VALUE, PATH<=VALUE, PATH>VALUE or PATH>=VALUE; NULL, said on stderr. */
static struct comb_v1_document_condition *read_condition(struct cli *cli, const char *text)
{
    static const struct {
        const char *sign;
        enum comb_v1_document_compare compare;
    } signs[] = {
        {"<=", COMB_V1_DOCUMENT_COMPARE_LESS_OR_EQUAL},
        {">=", COMB_V1_DOCUMENT_COMPARE_GREATER_OR_EQUAL},
        {"<", COMB_V1_DOCUMENT_COMPARE_LESS},
        {">", COMB_V1_DOCUMENT_COMPARE_GREATER},
        {"=", COMB_V1_DOCUMENT_COMPARE_EQUAL},
    };
    struct comb_v1_document_condition *condition = comb_v1_document_condition_new(cli->arena);
    size_t at = strcspn(text, "<>="), sign = 0;
    while (sign < sizeof signs / sizeof signs[0] &&
           strncmp(text + at, signs[sign].sign, strlen(signs[sign].sign)) != 0)
        sign++;
    if (at == 0 || sign == sizeof signs / sizeof signs[0] || !condition) {
        fprintf(stderr, "comb: \"%s\" is not /PATH=VALUE, nor with <, <=, > or >=\n", text);
        return NULL;
    }
    condition->path = grpcc_arena_strndup(cli->arena, text, at);
    condition->compare = signs[sign].compare;
    condition->value = read_value(cli, text + at + strlen(signs[sign].sign));
    return condition->path && condition->value ? condition : NULL;
}

/* ---- output ---- */

static void print_document(const struct cli *cli, const struct comb_v1_document *document)
{
    if (cli->json)
        cli_print_json(stdout, &document->base);
    else
        printf("%s  %s\n", cli_name(document->id), document->body);
}

static const char *access_name(enum comb_v1_document_access access)
{
    return access == COMB_V1_DOCUMENT_ACCESS_READABLE ? "readable" : "private";
}

static void print_store(const struct cli *cli, const struct comb_v1_document_store *store)
{
    if (cli->json) {
        cli_print_json(stdout, &store->base);
        return;
    }
    printf("%-24s %s\n", cli_name(store->name), access_name(store->access));
    for (size_t i = 0; i < store->n_indexes; i++) {
        const struct comb_v1_document_index *index = store->indexes[i];
        printf("  %-22s %s", cli_name(index->name), index->by_owner ? "by owner" : "all owners");
        for (size_t k = 0; k < index->n_paths; k++)
            printf(" %s", cli_name(index->paths[k]));
        printf("\n");
    }
}

/* ---- documents ---- */

static int doc_put(struct cli *cli, int argc, char **argv)
{
    const char *expected = NULL, *ttl = NULL, *owner = NULL;
    const struct cli_option options[] = {{"--expect", true, &expected},
                                         {"--ttl", true, &ttl},
                                         {"--owner", true, &owner},
                                         {NULL, false, NULL}};
    struct comb_v1_documents_put_request *request = comb_v1_documents_put_request_new(cli->arena);
    struct comb_v1_documents_put_response *response = NULL;
    int64_t revision = 0, seconds = 0;
    if (!cli_arguments(options, &argc, argv, 3, 3,
                       "comb doc put [--expect REVISION] [--ttl SECONDS] [--owner ID] STORE ID "
                       "JSON|-") ||
        (expected && !read_number(expected, "revision", &revision)) ||
        (ttl && !read_number(ttl, "number of seconds", &seconds)))
        return CLI_USAGE;
    char *body = read_body(cli, argv[2]);
    if (!body || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_put_request_set_store(request, argv[0]);
    comb_v1_documents_put_request_set_owner(request, owner);
    comb_v1_documents_put_request_set_id(request, argv[1]);
    comb_v1_documents_put_request_set_body(request, body);
    if (expected)
        comb_v1_documents_put_request_set_expected_revision(request, revision);
    if (ttl) {
        request->ttl = google_protobuf_duration_new(cli->arena);
        if (!request->ttl)
            return cli_no_memory();
        request->ttl->seconds = seconds;
    }
    if (comb_v1_documents_put(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[1]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        printf("%" PRId64 "\n", response->revision);
    return CLI_OK;
}

static int doc_get(struct cli *cli, int argc, char **argv)
{
    const char *owner = NULL;
    const struct cli_option options[] = {{"--owner", true, &owner}, {NULL, false, NULL}};
    struct comb_v1_documents_get_request *request = comb_v1_documents_get_request_new(cli->arena);
    struct comb_v1_documents_get_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 2, 2, "comb doc get [--owner ID] STORE ID") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_get_request_set_store(request, argv[0]);
    comb_v1_documents_get_request_set_owner(request, owner);
    comb_v1_documents_get_request_set_id(request, argv[1]);
    if (comb_v1_documents_get(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[1]);
    if (cli->json)
        cli_print_json(stdout, &response->document->base);
    else
        printf("%s\n", response->document->body);
    return CLI_OK;
}

static int doc_rm(struct cli *cli, int argc, char **argv)
{
    const char *expected = NULL, *owner = NULL;
    const struct cli_option options[] = {
        {"--expect", true, &expected}, {"--owner", true, &owner}, {NULL, false, NULL}};
    struct comb_v1_documents_delete_request *request =
        comb_v1_documents_delete_request_new(cli->arena);
    struct comb_v1_documents_delete_response *response = NULL;
    int64_t revision = 0;
    if (!cli_arguments(options, &argc, argv, 2, 2,
                       "comb doc rm [--expect REVISION] [--owner ID] STORE ID") ||
        (expected && !read_number(expected, "revision", &revision)) || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_delete_request_set_store(request, argv[0]);
    comb_v1_documents_delete_request_set_owner(request, owner);
    comb_v1_documents_delete_request_set_id(request, argv[1]);
    if (expected)
        comb_v1_documents_delete_request_set_expected_revision(request, revision);
    if (comb_v1_documents_delete(cli_channel(cli), cli->arena, NULL, request, &response,
                                 &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[1]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    return CLI_OK;
}

/* All pages. */
static int print_found(struct cli *cli, struct comb_v1_documents_query_request *request)
{
    struct comb_v1_documents_query_response *response = NULL;
    do {
        if (comb_v1_documents_query(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
            return cli_fail(cli, request->store);
        for (size_t i = 0; i < response->n_documents; i++)
            print_document(cli, response->documents[i]);
        comb_v1_documents_query_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int doc_find(struct cli *cli, int argc, char **argv)
{
    const char *owner = NULL, *all = NULL, *descending = NULL, *order = NULL;
    char *rest = NULL;
    const struct cli_option options[] = {{"--owner", true, &owner},
                                         {"--all", false, &all},
                                         {"--desc", false, &descending},
                                         {"--order", true, &order},
                                         {NULL, false, NULL}};
    struct comb_v1_documents_query_request *request =
        comb_v1_documents_query_request_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 1, 1000,
                       "comb doc find [--all | --owner ID] [--order /PATH,...] [--desc] STORE "
                       "[/PATH=VALUE | /PATH<VALUE | ...]...") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_query_request_set_store(request, argv[0]);
    comb_v1_documents_query_request_set_owner(request, owner);
    request->all_owners = all != NULL;
    request->descending = descending != NULL;
    for (char *path = order ? strtok_r(grpcc_arena_strdup(cli->arena, order), ",", &rest) : NULL;
         path; path = strtok_r(NULL, ",", &rest)) {
        if (!comb_v1_documents_query_request_add_order(cli->arena, request, path))
            return cli_no_memory();
    }
    for (int i = 1; i < argc; i++) {
        struct comb_v1_document_condition *condition = read_condition(cli, argv[i]);
        if (!condition)
            return CLI_USAGE;
        if (!comb_v1_documents_query_request_add_conditions(cli->arena, request, condition))
            return cli_no_memory();
    }
    return print_found(cli, request);
}

/* ---- stores and indexes ---- */

static int list_stores(struct cli *cli)
{
    struct comb_v1_documents_list_stores_request *request =
        comb_v1_documents_list_stores_request_new(cli->arena);
    struct comb_v1_documents_list_stores_response *response = NULL;
    if (!request)
        return cli_no_memory();
    do {
        if (comb_v1_documents_list_stores(cli_channel(cli), cli->arena, NULL, request, &response,
                                          &cli->err) != GRPCC_OK)
            return cli_fail(cli, "stores");
        for (size_t i = 0; i < response->n_stores; i++)
            print_store(cli, response->stores[i]);
        comb_v1_documents_list_stores_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

/* Stores, or the documents of one. */
static int doc_ls(struct cli *cli, int argc, char **argv)
{
    const char *owner = NULL, *all = NULL;
    const struct cli_option options[] = {
        {"--owner", true, &owner}, {"--all", false, &all}, {NULL, false, NULL}};
    struct comb_v1_documents_query_request *request =
        comb_v1_documents_query_request_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 0, 1, "comb doc ls [--all | --owner ID] [STORE]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (argc == 0)
        return list_stores(cli);
    if (!request)
        return cli_no_memory();
    comb_v1_documents_query_request_set_store(request, argv[0]);
    comb_v1_documents_query_request_set_owner(request, owner);
    request->all_owners = all != NULL;
    return print_found(cli, request);
}

static int doc_store(struct cli *cli, int argc, char **argv)
{
    const char *readable = NULL;
    const struct cli_option options[] = {{"--readable", false, &readable}, {NULL, false, NULL}};
    struct comb_v1_documents_set_store_request *request =
        comb_v1_documents_set_store_request_new(cli->arena);
    struct comb_v1_documents_set_store_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb doc store [--readable] STORE") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_set_store_request_set_name(request, argv[0]);
    request->access = readable ? COMB_V1_DOCUMENT_ACCESS_READABLE : COMB_V1_DOCUMENT_ACCESS_PRIVATE;
    if (comb_v1_documents_set_store(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_store(cli, response->store);
    return CLI_OK;
}

static int index_add(struct cli *cli, int argc, char **argv)
{
    const char *by_owner = NULL;
    const struct cli_option options[] = {{"--by-owner", false, &by_owner}, {NULL, false, NULL}};
    struct comb_v1_documents_declare_index_request *request =
        comb_v1_documents_declare_index_request_new(cli->arena);
    struct comb_v1_document_index *index = comb_v1_document_index_new(cli->arena);
    struct comb_v1_documents_declare_index_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 3, 1000,
                       "comb doc index add [--by-owner] STORE NAME /PATH...") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request || !index)
        return cli_no_memory();
    comb_v1_documents_declare_index_request_set_store(request, argv[0]);
    comb_v1_document_index_set_name(index, argv[1]);
    index->by_owner = by_owner != NULL;
    request->index = index;
    for (int i = 2; i < argc; i++) {
        if (!comb_v1_document_index_add_paths(cli->arena, index, argv[i]))
            return cli_no_memory();
    }
    if (comb_v1_documents_declare_index(cli_channel(cli), cli->arena, NULL, request, &response,
                                        &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[1]);
    print_store(cli, response->store);
    return CLI_OK;
}

static int index_rm(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_documents_drop_index_request *request =
        comb_v1_documents_drop_index_request_new(cli->arena);
    struct comb_v1_documents_drop_index_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 2, 2, "comb doc index rm STORE NAME") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_drop_index_request_set_store(request, argv[0]);
    comb_v1_documents_drop_index_request_set_name(request, argv[1]);
    if (comb_v1_documents_drop_index(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[1]);
    print_store(cli, response->store);
    return CLI_OK;
}

static int index_ls(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_documents_get_store_request *request =
        comb_v1_documents_get_store_request_new(cli->arena);
    struct comb_v1_documents_get_store_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 1, 1, "comb doc index ls STORE") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_documents_get_store_request_set_name(request, argv[0]);
    if (comb_v1_documents_get_store(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_store(cli, response->store);
    return CLI_OK;
}

static int doc_index(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"add", index_add}, {"ls", index_ls}, {"rm", index_rm}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "doc index", argc, argv);
}

int cli_doc(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"put", doc_put}, {"get", doc_get},     {"ls", doc_ls},       {"find", doc_find},
        {"rm", doc_rm},   {"index", doc_index}, {"store", doc_store}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "doc", argc, argv);
}

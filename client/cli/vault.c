/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the vault. Values come from stdin or a file and never from the command line, which
 * others can see. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/vault.grpcc.h"

/* Largest input: what Encrypt takes, and what encrypting adds. */
#define INPUT_MAX (((size_t)1 << 20) + 4096)

static const struct cli_option none[] = {{NULL, false, NULL}};

/* All of file, or of stdin where file is NULL, in the run's arena. False, said on stderr. */
static bool read_input(struct cli *cli, const char *file, ProtobufCBinaryData *ret_data)
{
    FILE *stream = file ? fopen(file, "re") : stdin;
    uint8_t *data = grpcc_arena_alloc(cli->arena, INPUT_MAX + 1);
    if (!stream || !data) {
        fprintf(stderr, "comb: %s: %s\n", file ? file : "stdin", strerror(data ? errno : ENOMEM));
        if (stream && file)
            fclose(stream);
        return false;
    }
    size_t size = fread(data, 1, INPUT_MAX + 1, stream);
    bool good = !ferror(stream) && size <= INPUT_MAX;
    if (file)
        fclose(stream);
    if (!good)
        fprintf(stderr, "comb: %s: cannot be read, or has more than %zu bytes\n",
                file ? file : "stdin", INPUT_MAX);
    *ret_data = (ProtobufCBinaryData){.data = data, .len = size};
    return good;
}

static int print_bytes(const struct cli *cli, const ProtobufCMessage *response,
                       ProtobufCBinaryData data)
{
    if (cli->json)
        cli_print_json(stdout, response);
    else
        fwrite(data.data, 1, data.len, stdout);
    return CLI_OK;
}

/* "3" as a number above 0; false, said on stderr. */
static bool read_version(const char *text, uint32_t *ret_version)
{
    char *end;
    errno = 0;
    unsigned long version = strtoul(text, &end, 10);
    bool good =
        text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && version <= UINT32_MAX;
    if (good)
        *ret_version = (uint32_t)version;
    else
        fprintf(stderr, "comb: \"%s\" is no version\n", text);
    return good;
}

/* ---- secrets ---- */

static int vault_put(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *expected = NULL;
    const struct cli_option options[] = {
        {"--file", true, &file}, {"--expect", true, &expected}, {NULL, false, NULL}};
    struct comb_v1_vault_put_request *request = comb_v1_vault_put_request_new(cli->arena);
    struct comb_v1_vault_put_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb vault put PATH [--file FILE] [--expect VERSION] < VALUE"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_put_request_set_path(request, argv[0]);
    request->has_expected_version = expected != NULL;
    if ((expected && !read_version(expected, &request->expected_version)) ||
        !read_input(cli, file, &request->value) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_put(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        printf("version %u\n", response->version);
    return CLI_OK;
}

static int vault_get(struct cli *cli, int argc, char **argv)
{
    const char *version = NULL;
    const struct cli_option options[] = {{"--version", true, &version}, {NULL, false, NULL}};
    struct comb_v1_vault_get_request *request = comb_v1_vault_get_request_new(cli->arena);
    struct comb_v1_vault_get_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb vault get PATH [--version VERSION]"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_get_request_set_path(request, argv[0]);
    if ((version && !read_version(version, &request->version)) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_get(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_bytes(cli, &response->base, response->value);
}

static int vault_ls(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_list_request *request = comb_v1_vault_list_request_new(cli->arena);
    struct comb_v1_vault_list_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 0, 1, "comb vault ls [FOLDER]") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_list_request_set_folder(request, argc ? argv[0] : "");
    do {
        if (comb_v1_vault_list(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
            GRPCC_OK)
            return cli_fail(cli, "vault");
        if (cli->json)
            cli_print_json(stdout, &response->base);
        for (size_t i = 0; i < response->n_names && !cli->json; i++)
            printf("%s\n", cli_name(response->names[i]));
        comb_v1_vault_list_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int vault_versions(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_list_versions_request *request =
        comb_v1_vault_list_versions_request_new(cli->arena);
    struct comb_v1_vault_list_versions_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 1, 1, "comb vault versions PATH") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_list_versions_request_set_path(request, argv[0]);
    if (comb_v1_vault_list_versions(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    for (size_t i = 0; i < response->n_versions && !cli->json; i++) {
        const struct comb_v1_vault_version *version = response->versions[i];
        printf("%-6u %s%s\n", version->version, cli_time(version->create_time),
               version->destroyed     ? "  destroyed"
               : version->delete_time ? "  deleted"
                                      : "");
    }
    return CLI_OK;
}

static int vault_rm(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_delete_request *request = comb_v1_vault_delete_request_new(cli->arena);
    struct comb_v1_vault_delete_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 1, INT_MAX, "comb vault rm PATH [VERSION...]"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_delete_request_set_path(request, argv[0]);
    for (int i = 1; i < argc; i++) {
        uint32_t version;
        if (!read_version(argv[i], &version))
            return CLI_USAGE;
        if (!comb_v1_vault_delete_request_add_versions(cli->arena, request, version))
            return cli_no_memory();
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_delete(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

static int vault_undelete(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_undelete_request *request = comb_v1_vault_undelete_request_new(cli->arena);
    struct comb_v1_vault_undelete_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 1, INT_MAX, "comb vault undelete PATH [VERSION...]"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_undelete_request_set_path(request, argv[0]);
    for (int i = 1; i < argc; i++) {
        uint32_t version;
        if (!read_version(argv[i], &version))
            return CLI_USAGE;
        if (!comb_v1_vault_undelete_request_add_versions(cli->arena, request, version))
            return cli_no_memory();
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_undelete(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

static int vault_destroy(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_destroy_request *request = comb_v1_vault_destroy_request_new(cli->arena);
    struct comb_v1_vault_destroy_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 2, INT_MAX, "comb vault destroy PATH VERSION..."))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_destroy_request_set_path(request, argv[0]);
    for (int i = 1; i < argc; i++) {
        uint32_t version;
        if (!read_version(argv[i], &version))
            return CLI_USAGE;
        if (!comb_v1_vault_destroy_request_add_versions(cli->arena, request, version))
            return cli_no_memory();
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_destroy(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

/* ---- keys ---- */

static int print_key(const struct cli *cli, const struct comb_v1_vault_key *key)
{
    if (cli->json)
        cli_print_json(stdout, &key->base);
    else
        printf("%s  version %u  decrypts from %u  %s\n", cli_name(key->name), key->version,
               key->version_min, cli_time(key->create_time));
    return CLI_OK;
}

static int key_add(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_create_key_request *request =
        comb_v1_vault_create_key_request_new(cli->arena);
    struct comb_v1_vault_create_key_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 1, 1, "comb vault key add NAME") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_create_key_request_set_name(request, argv[0]);
    if (comb_v1_vault_create_key(cli_channel(cli), cli->arena, NULL, request, &response,
                                 &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_key(cli, response->key);
}

static int key_rotate(struct cli *cli, int argc, char **argv)
{
    const char *least = NULL;
    const struct cli_option options[] = {{"--oldest", true, &least}, {NULL, false, NULL}};
    struct comb_v1_vault_rotate_key_request *request =
        comb_v1_vault_rotate_key_request_new(cli->arena);
    struct comb_v1_vault_rotate_key_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb vault key rotate NAME [--oldest VERSION]"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_rotate_key_request_set_name(request, argv[0]);
    if ((least && !read_version(least, &request->version_min)) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_rotate_key(cli_channel(cli), cli->arena, NULL, request, &response,
                                 &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_key(cli, response->key);
}

static int key_show(struct cli *cli, int argc, char **argv)
{
    struct comb_v1_vault_get_key_request *request = comb_v1_vault_get_key_request_new(cli->arena);
    struct comb_v1_vault_get_key_response *response = NULL;
    if (!cli_arguments(none, &argc, argv, 1, 1, "comb vault key show NAME") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_get_key_request_set_name(request, argv[0]);
    if (comb_v1_vault_get_key(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_key(cli, response->key);
}

static int vault_key(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"add", key_add}, {"rotate", key_rotate}, {"show", key_show}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "vault key", argc, argv);
}

static int vault_encrypt(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *context = NULL;
    const struct cli_option options[] = {
        {"--file", true, &file}, {"--context", true, &context}, {NULL, false, NULL}};
    struct comb_v1_vault_encrypt_request *request = comb_v1_vault_encrypt_request_new(cli->arena);
    struct comb_v1_vault_encrypt_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb vault encrypt KEY [--context TEXT] [--file FILE] < INPUT"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_encrypt_request_set_name(request, argv[0]);
    if (context)
        request->context =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)context, .len = strlen(context)};
    if (!read_input(cli, file, &request->plaintext) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_encrypt(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_bytes(cli, &response->base, response->ciphertext);
}

static int vault_decrypt(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *context = NULL;
    const struct cli_option options[] = {
        {"--file", true, &file}, {"--context", true, &context}, {NULL, false, NULL}};
    struct comb_v1_vault_decrypt_request *request = comb_v1_vault_decrypt_request_new(cli->arena);
    struct comb_v1_vault_decrypt_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb vault decrypt KEY [--context TEXT] [--file FILE] < INPUT"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_decrypt_request_set_name(request, argv[0]);
    if (context)
        request->context =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)context, .len = strlen(context)};
    if (!read_input(cli, file, &request->ciphertext) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_decrypt(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_bytes(cli, &response->base, response->plaintext);
}

static int vault_rewrap(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *context = NULL;
    const struct cli_option options[] = {
        {"--file", true, &file}, {"--context", true, &context}, {NULL, false, NULL}};
    struct comb_v1_vault_rewrap_request *request = comb_v1_vault_rewrap_request_new(cli->arena);
    struct comb_v1_vault_rewrap_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb vault rewrap KEY [--context TEXT] [--file FILE] < INPUT"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_vault_rewrap_request_set_name(request, argv[0]);
    if (context)
        request->context =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)context, .len = strlen(context)};
    if (!read_input(cli, file, &request->ciphertext) || !cli_connect(cli))
        return CLI_USAGE;
    if (comb_v1_vault_rewrap(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_bytes(cli, &response->base, response->ciphertext);
}

int cli_vault(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"put", vault_put},           {"get", vault_get},       {"ls", vault_ls},
        {"versions", vault_versions}, {"rm", vault_rm},         {"undelete", vault_undelete},
        {"destroy", vault_destroy},   {"key", vault_key},       {"encrypt", vault_encrypt},
        {"decrypt", vault_decrypt},   {"rewrap", vault_rewrap}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "vault", argc, argv);
}

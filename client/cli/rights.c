/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about permissions: grant, revoke, rights, check. */
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"
#include "comb/v1/permissions.grpcc.h"
#include "google/protobuf/timestamp.grpcc.h"

static const struct {
    const char *name;
    enum comb_v1_rights rights;
} names[] = {
    {"read", COMB_V1_RIGHTS_READ},
    {"write", COMB_V1_RIGHTS_WRITE},
    {"rw", COMB_V1_RIGHTS_READ_WRITE},
    {"deny", COMB_V1_RIGHTS_DENY},
};

#define N_NAMES (sizeof names / sizeof names[0])

static bool read_rights(const char *text, enum comb_v1_rights *ret_rights)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (strcmp(names[i].name, text) == 0) {
            *ret_rights = names[i].rights;
            return true;
        }
    fprintf(stderr, "comb: rights are read, write, rw or deny, and \"%s\" is none of them\n",
            cli_name(text));
    return false;
}

static const char *rights_name(enum comb_v1_rights rights)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (names[i].rights == rights)
            return names[i].name;
    return "none";
}

/* "user:alice", "role:staff" or "group:/staff" in the run's arena; NULL, said on stderr. */
static struct comb_v1_subject *read_subject(struct cli *cli, const char *text)
{
    struct comb_v1_subject *subject = comb_v1_subject_new(cli->arena);
    if (!subject)
        (void)cli_no_memory();
    else if (strncmp(text, "user:", 5) == 0)
        comb_v1_subject_set_user(subject, text + 5);
    else if (strncmp(text, "role:", 5) == 0)
        comb_v1_subject_set_role(subject, text + 5);
    else if (strncmp(text, "group:", 6) == 0)
        comb_v1_subject_set_group(subject, text + 6);
    else {
        fprintf(stderr, "comb: a subject is user:LOGIN, role:NAME or group:PATH\n");
        return NULL;
    }
    return subject;
}

static void print_entry(const struct comb_v1_permission_entry *entry)
{
    const struct comb_v1_subject *subject = entry->subject;
    const char *kind = "?", *name = "?";
    if (subject && subject->subject_case == COMB_V1_SUBJECT_SUBJECT_USER) {
        kind = "user";
        name = subject->user;
    } else if (subject && subject->subject_case == COMB_V1_SUBJECT_SUBJECT_ROLE) {
        kind = "role";
        name = subject->role;
    } else if (subject && subject->subject_case == COMB_V1_SUBJECT_SUBJECT_GROUP) {
        kind = "group";
        name = subject->group;
    }
    printf("%s:%s  %-5s", kind, cli_name(name), rights_name(entry->rights));
    if (entry->expire_time)
        printf("  until %s", cli_time(entry->expire_time));
    putchar('\n');
}

int cli_grant(struct cli *cli, int argc, char **argv)
{
    const char *until = NULL;
    const struct cli_option options[] = {{"--until", true, &until}, {NULL, false, NULL}};
    struct comb_v1_permissions_grant_request *request =
        comb_v1_permissions_grant_request_new(cli->arena);
    struct comb_v1_permissions_grant_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 3, 3,
                       "comb grant REF SUBJECT RIGHTS [--until TIME]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, argv[0]);
    request->subject = read_subject(cli, argv[1]);
    if (!request->node || !request->subject || !read_rights(argv[2], &request->rights) ||
        (until && !(request->expire_time = cli_read_time(cli, until))))
        return CLI_USAGE;
    if (comb_v1_permissions_grant(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->entry->base);
    return CLI_OK;
}

int cli_revoke(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_permissions_revoke_request *request =
        comb_v1_permissions_revoke_request_new(cli->arena);
    struct comb_v1_permissions_revoke_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 2, 2, "comb revoke REF SUBJECT") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, argv[0]);
    request->subject = read_subject(cli, argv[1]);
    if (!request->node || !request->subject)
        return CLI_USAGE;
    if (comb_v1_permissions_revoke(cli_channel(cli), cli->arena, NULL, request, &response,
                                   &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

int cli_rights(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_permissions_list_request *request =
        comb_v1_permissions_list_request_new(cli->arena);
    struct comb_v1_permissions_list_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb rights REF") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, argv[0]);
    if (!request->node)
        return CLI_USAGE;
    do {
        if (comb_v1_permissions_list(cli_channel(cli), cli->arena, NULL, request, &response,
                                     &cli->err) != GRPCC_OK)
            return cli_fail(cli, argv[0]);
        for (size_t i = 0; i < response->n_entries; i++)
            if (cli->json)
                cli_print_json(stdout, &response->entries[i]->base);
            else
                print_entry(response->entries[i]);
        comb_v1_permissions_list_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static void print_check(const struct comb_v1_permissions_check_response *response)
{
    printf("%s: has %s\n", response->allowed ? "yes" : "no", rights_name(response->effective));
    if (response->reason[0])
        printf("%s\n", cli_name(response->reason));
    for (size_t i = 0; i < response->n_steps; i++) {
        const struct comb_v1_check_step *step = response->steps[i];
        printf("%s %s  %s\n", step->decided ? "=>" : "  ", step->node_id, cli_name(step->name));
        for (size_t j = 0; j < step->n_entries; j++) {
            fputs("       ", stdout);
            print_entry(step->entries[j]);
        }
    }
}

int cli_check(struct cli *cli, int argc, char **argv)
{
    const char *user = NULL;
    const struct cli_option options[] = {{"--user", true, &user}, {NULL, false, NULL}};
    struct comb_v1_permissions_check_request *request =
        comb_v1_permissions_check_request_new(cli->arena);
    struct comb_v1_permissions_check_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 2, 2, "comb check REF RIGHTS [--user LOGIN]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, argv[0]);
    if (!request->node || !read_rights(argv[1], &request->rights))
        return CLI_USAGE;
    comb_v1_permissions_check_request_set_user(request, user);
    request->explain = true;
    if (comb_v1_permissions_check(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        print_check(response);
    return response->allowed ? CLI_OK : CLI_DENIED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* comb find: searches, for people and for pipes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "comb/v1/search.grpcc.h"

/* Hits of one call. */
#define PAGE 100

#define BOLD "\033[1;31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

struct find {
    struct cli *cli;
    char *query;
    const char *in, *length, *zero, *facets, *suggest, *limit, *unread;
    bool colours;
    uint64_t left; /* hits to show */
};

/* The query as it was written, and a caret below the character of the error: "at character 7: …".
 */
static int fail(const struct find *find)
{
    static const char at[] = "at character ";
    const char *found = strstr(find->cli->err.message, at);
    long character = found ? strtol(found + sizeof at - 1, NULL, 10) : 0;
    if (character > 0 && strlen(find->query) < 1000)
        fprintf(stderr, "  %s\n  %*s\n", cli_name(find->query), (int)character, "^");
    return cli_fail(find->cli, "find");
}

/* The operands, with a blank between them; NULL: no memory. */
static char *join(struct cli *cli, int argc, char **argv)
{
    char *query = grpcc_arena_strdup(cli->arena, argc > 0 ? argv[0] : "");
    for (int i = 1; i < argc && query; i++)
        query = grpcc_arena_printf(cli->arena, "%s %s", query, argv[i]);
    return query;
}

/* ---- output ---- */

static void print_span(const struct comb_v1_search_span *span, const char *around)
{
    if (span->is_match)
        fputs(BOLD, stdout);
    for (const char *c = span->text; *c; c++)
        putchar((unsigned char)*c < ' ' || *c == 127 ? ' ' : *c);
    if (span->is_match)
        printf(PLAIN "%s", around);
}

static void print_spans(const struct comb_v1_search_highlight *highlight, const char *around)
{
    for (size_t i = 0; i < highlight->n_spans; i++)
        print_span(highlight->spans[i], around);
}

static const struct comb_v1_search_highlight *highlight_of(const struct comb_v1_search_hit *hit,
                                                           enum comb_v1_search_field field)
{
    for (size_t i = 0; i < hit->n_highlights; i++) {
        if (hit->highlights[i]->field == field)
            return hit->highlights[i];
    }
    return NULL;
}

/* The path, its last part with what was found in it. */
static void print_coloured_path(const struct comb_v1_search_hit *hit)
{
    const struct comb_v1_search_highlight *name = highlight_of(hit, COMB_V1_SEARCH_FIELD_NAME);
    const char *last = strrchr(hit->node->path, '/');
    if (!name || !last) {
        fputs(cli_name(hit->node->path), stdout);
        return;
    }
    printf("%.*s", (int)(last + 1 - hit->node->path), cli_name(hit->node->path));
    print_spans(name, "");
}

static void print_for_people(const struct find *find, const struct comb_v1_search_hit *hit)
{
    const struct comb_v1_search_highlight *text = highlight_of(hit, COMB_V1_SEARCH_FIELD_CONTENT);
    bool is_folder = hit->node->kind == COMB_V1_NODE_KIND_FOLDER;
    if (find->length)
        printf("%10s  %s  ", is_folder ? "-" : cli_bytes(hit->node->size),
               cli_time(hit->node->update_time));
    print_coloured_path(hit);
    printf("%s\n", is_folder ? "/" : "");
    if (text) {
        printf("    " DIM);
        print_spans(text, DIM);
        printf(PLAIN "\n");
    }
}

static void print_hit(const struct find *find, const struct comb_v1_search_hit *hit)
{
    if (find->cli->json) {
        cli_print_json(stdout, &hit->base);
    } else if (find->colours) {
        print_for_people(find, hit);
    } else {
        if (find->length)
            printf("%10" PRIu64 "  %s  ", hit->node->size, cli_time(hit->node->update_time));
        fputs(find->zero ? hit->node->path : cli_name(hit->node->path), stdout);
        putchar(find->zero ? '\0' : '\n');
    }
}

/* ---- what was not read ---- */

static bool is_unread(const struct comb_v1_search_hit *hit)
{
    return hit->reading != COMB_V1_SEARCH_READING_UNSPECIFIED &&
           hit->reading != COMB_V1_SEARCH_READING_WHOLE;
}

static const char *reading_word(enum comb_v1_search_reading reading)
{
    switch (reading) {
    case COMB_V1_SEARCH_READING_WAITING:
        return "waiting";
    case COMB_V1_SEARCH_READING_CUT:
        return "cut";
    case COMB_V1_SEARCH_READING_UNSUPPORTED:
        return "unsupported";
    default:
        return "refused";
    }
}

/* How far, and why no further, in front of a hit. */
static void print_reading(const struct find *find, const struct comb_v1_search_hit *hit)
{
    if (!find->cli->json)
        printf("%-11s  %-10s  ", reading_word(hit->reading),
               hit->reading_reason[0] ? cli_name(hit->reading_reason) : "-");
}

/* ---- the three questions ---- */

/* Asks page by page, each in an arena of its own: there may be very many hits. */
static int find_pages(struct find *find, struct comb_v1_search_query_request *request,
                      struct grpcc_arena *arena)
{
    struct cli *cli = find->cli;
    struct comb_v1_search_query_response *response = NULL;
    uint64_t shown = 0;
    char *token = NULL;
    do {
        grpcc_arena_reset(arena);
        request->page_size = find->left < PAGE && !find->unread ? (int32_t)find->left : PAGE;
        if (comb_v1_search_query(cli_channel(cli), arena, NULL, request, &response, &cli->err) !=
            GRPCC_OK)
            return fail(find);
        for (size_t i = 0; i < response->n_hits && find->left > 0; i++) {
            if (find->unread && !is_unread(response->hits[i]))
                continue;
            if (find->unread)
                print_reading(find, response->hits[i]);
            print_hit(find, response->hits[i]);
            shown++;
            find->left--;
        }
        fflush(stdout);
        token = grpcc_arena_strdup(cli->arena, response->next_page_token);
        if (!token)
            return cli_no_memory();
        comb_v1_search_query_request_set_page_token(request, token);
    } while (find->left > 0 && token[0]);
    if (shown == 0 && find->colours)
        fprintf(stderr, "comb: nothing was found\n");
    return CLI_OK;
}

static int find_hits(struct find *find)
{
    struct cli *cli = find->cli;
    struct comb_v1_search_query_request *request = comb_v1_search_query_request_new(cli->arena);
    if (!request)
        return cli_no_memory();
    comb_v1_search_query_request_set_query(request, find->query);
    request->highlight = find->colours || cli->json;
    request->reading = find->unread != NULL;
    if (find->in && !(request->in = cli_ref(cli, find->in)))
        return CLI_USAGE;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int result = arena ? find_pages(find, request, arena) : cli_no_memory();
    grpcc_arena_free(arena);
    return result;
}

static int find_facets(struct find *find)
{
    struct cli *cli = find->cli;
    struct comb_v1_search_facets_request *request = comb_v1_search_facets_request_new(cli->arena);
    struct comb_v1_search_facets_response *response = NULL;
    if (!request)
        return cli_no_memory();
    comb_v1_search_facets_request_set_query(request, find->query);
    if (find->in && !(request->in = cli_ref(cli, find->in)))
        return CLI_USAGE;
    if (comb_v1_search_facets(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return fail(find);
    if (cli->json) {
        cli_print_json(stdout, &response->base);
        return CLI_OK;
    }
    printf("%s%" PRIu64 " hits\n", response->is_at_least ? "at least " : "", response->hits);
    for (size_t i = 0; i < response->n_facets; i++) {
        const struct comb_v1_search_facet *facet = response->facets[i];
        for (size_t k = 0; k < facet->n_values; k++)
            printf("%-12s %10" PRIu64 "  %s\n", k == 0 ? facet->name : "", facet->values[k]->hits,
                   cli_name(facet->values[k]->value));
    }
    return CLI_OK;
}

static int find_suggestions(struct find *find)
{
    struct cli *cli = find->cli;
    struct comb_v1_search_suggest_request *request = comb_v1_search_suggest_request_new(cli->arena);
    struct comb_v1_search_suggest_response *response = NULL;
    if (!request)
        return cli_no_memory();
    comb_v1_search_suggest_request_set_query(request, find->query);
    if (comb_v1_search_suggest(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return fail(find);
    for (size_t i = 0; i < response->n_suggestions; i++) {
        if (cli->json)
            cli_print_json(stdout, &response->suggestions[i]->base);
        else
            printf("%s\n", cli_name(response->suggestions[i]->query));
    }
    return CLI_OK;
}

static bool read_limit(const char *text, uint64_t *ret)
{
    char *end = NULL;
    long long limit = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || limit < 1) {
        fprintf(stderr, "comb: \"%s\" is no number of hits\n", text);
        return false;
    }
    *ret = (uint64_t)limit;
    return true;
}

int cli_find(struct cli *cli, int argc, char **argv)
{
    struct find find = {.cli = cli, .left = UINT64_MAX};
    const struct cli_option options[] = {{"--in", true, &find.in},
                                         {"-l", false, &find.length},
                                         {"-0", false, &find.zero},
                                         {"--facets", false, &find.facets},
                                         {"--suggest", false, &find.suggest},
                                         {"--limit", true, &find.limit},
                                         {"--unread", false, &find.unread},
                                         {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 1, 1000,
                       "comb find [--in PATH] [-l] [-0] [--limit N] "
                       "[--facets | --suggest | --unread] "
                       "QUERY...") ||
        (find.limit && !read_limit(find.limit, &find.left)) || !cli_connect(cli))
        return CLI_USAGE;
    find.query = join(cli, argc, argv);
    if (!find.query)
        return cli_no_memory();
    find.colours = !cli->json && !find.zero && isatty(STDOUT_FILENO);
    if (find.facets)
        return find_facets(&find);
    return find.suggest ? find_suggestions(&find) : find_hits(&find);
}

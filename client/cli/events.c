/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about messages for whoever listens. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/events.grpcc.h"

/* What the server takes (events.proto). */
#define PAYLOAD_BYTES_MAX 65536

/* ---- publish ---- */

/* All of stdin, in the run's arena; NULL, said on stderr. */
static char *read_payload(struct cli *cli, size_t *ret_len)
{
    char *bytes = grpcc_arena_alloc(cli->arena, PAYLOAD_BYTES_MAX + 1);
    if (!bytes) {
        cli_no_memory();
        return NULL;
    }
    *ret_len = fread(bytes, 1, PAYLOAD_BYTES_MAX + 1, stdin);
    if (ferror(stdin) || *ret_len > PAYLOAD_BYTES_MAX) {
        fprintf(stderr, "comb: the payload: %s\n",
                ferror(stdin) ? "cannot be read" : "it has at most 65536 bytes");
        return NULL;
    }
    return bytes;
}

static int events_publish(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_events_publish_request *request = comb_v1_events_publish_request_new(cli->arena);
    struct comb_v1_events_publish_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 2, "comb events publish TOPIC [TEXT | < FILE]"))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_events_publish_request_set_topic(request, argv[0]);
    size_t len = argc > 1 ? strlen(argv[1]) : 0;
    char *bytes = argc > 1 ? argv[1] : read_payload(cli, &len);
    if (!bytes || !cli_connect(cli))
        return CLI_USAGE;
    request->payload.data = (uint8_t *)bytes;
    request->payload.len = len;
    if (comb_v1_events_publish(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

/* ---- subscribe ---- */

static const char *cause_name(enum comb_v1_events_loss_cause cause)
{
    switch (cause) {
    case COMB_V1_EVENTS_LOSS_CAUSE_GAP:
        return "numbers are missing";
    case COMB_V1_EVENTS_LOSS_CAUSE_STORE:
        return "the store was away";
    case COMB_V1_EVENTS_LOSS_CAUSE_SLOW:
        return "too slow here";
    default:
        return "unknown";
    }
}

/* A payload for a terminal: control characters become "?", as in names. */
static void print_message(const struct comb_v1_events_message *message)
{
    printf("%s  ", cli_name(message->topic));
    for (size_t i = 0; i < message->payload.len; i++) {
        unsigned char c = message->payload.data[i];
        putchar(c < ' ' || c == 0x7f ? '?' : c);
    }
    putchar('\n');
}

static void print_event(const struct comb_v1_events_subscribe_response *event)
{
    switch (event->event_case) {
    case COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_MESSAGE:
        print_message(event->message);
        break;
    case COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_LOSS:
        if (event->loss->lost_min)
            printf("-- may have missed %llu or more: %s\n",
                   (unsigned long long)event->loss->lost_min, cause_name(event->loss->cause));
        else
            printf("-- may have missed some: %s\n", cause_name(event->loss->cause));
        break;
    default:
        break; /* heartbeats are for programs */
    }
}

static int listen_on(struct cli *cli, const struct comb_v1_events_subscribe_request *request,
                     unsigned long count)
{
    struct comb_v1_events_subscribe_stream *stream =
        comb_v1_events_subscribe_stream_open(cli_channel(cli), NULL, request, &cli->err);
    struct comb_v1_events_subscribe_response *event = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    unsigned long n = 0;
    if (!stream || !arena) {
        grpcc_arena_free(arena);
        if (stream)
            comb_v1_events_subscribe_stream_free(stream);
        return stream ? cli_no_memory() : cli_fail(cli, request->pattern);
    }
    while ((count == 0 || n < count) &&
           comb_v1_events_subscribe_stream_read(stream, arena, &event, &cli->err) == 1) {
        n += event->event_case == COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_MESSAGE;
        if (cli->json)
            cli_print_json(stdout, &event->base);
        else
            print_event(event);
        fflush(stdout);
        if (ferror(stdout))
            break;
        grpcc_arena_reset(arena);
    }
    bool enough = (count > 0 && n >= count) || ferror(stdout);
    if (enough)
        comb_v1_events_subscribe_stream_cancel(stream);
    enum grpcc_status status =
        comb_v1_events_subscribe_stream_finish(stream, cli->arena, &cli->err);
    int result = enough || status == GRPCC_OK ? CLI_OK : cli_fail(cli, request->pattern);
    comb_v1_events_subscribe_stream_free(stream);
    grpcc_arena_free(arena);
    return result;
}

static int events_subscribe(struct cli *cli, int argc, char **argv)
{
    const char *group = NULL, *count_text = NULL;
    const struct cli_option options[] = {
        {"--group", true, &group}, {"--count", true, &count_text}, {NULL, false, NULL}};
    struct comb_v1_events_subscribe_request *request =
        comb_v1_events_subscribe_request_new(cli->arena);
    char *end = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb events subscribe [--group NAME] [--count N] PATTERN"))
        return CLI_USAGE;
    unsigned long count = count_text ? strtoul(count_text, &end, 10) : 0;
    if (count_text && (count == 0 || *end)) {
        fprintf(stderr, "comb: --count takes a number of messages\n");
        return CLI_USAGE;
    }
    if (!request)
        return cli_no_memory();
    comb_v1_events_subscribe_request_set_pattern(request, argv[0]);
    comb_v1_events_subscribe_request_set_queue_group(request, group);
    if (!cli_connect(cli))
        return CLI_USAGE;
    return listen_on(cli, request, count);
}

int cli_events(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"publish", events_publish}, {"subscribe", events_subscribe}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "events", argc, argv);
}

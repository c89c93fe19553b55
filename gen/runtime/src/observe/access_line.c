/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/observe/access_line.h"

#include <grpc/support/alloc.h>
#include <inttypes.h>
#include <string.h>

#include "gen/runtime/src/observe/text.h"
#include "gen/runtime/src/server/call.h"

enum { NS_PER_US = 1000 };

/* A value of one call, with its name in JSON and in text. */
struct value {
    const char *name;
    const char *at;
    size_t length;
};

static void add_value(struct grpcc_text *text, enum grpcc_access_log_format format,
                      const struct value *value)
{
    size_t before = text->n;
    if (value->length == 0)
        return;
    if (format == GRPCC_ACCESS_LOG_JSON) {
        grpcc_text_printf(text, ",\"%s\":", value->name);
        grpcc_text_quote(text, value->at, value->length, GRPCC_ACCESS_LOG_VALUE_MAX);
    } else {
        grpcc_text_printf(text, " %s=", value->name);
        grpcc_text_word(text, value->at, value->length, GRPCC_ACCESS_LOG_VALUE_MAX);
    }
    if (text->cut)
        text->n = before;
}

static void add_known(struct grpcc_text *text, enum grpcc_access_log_format format,
                      struct grpcc_call *call, const struct grpcc_call_facts *facts)
{
    const char *trace = call ? grpcc_call_trace_id(call) : "";
    const grpc_slice *id = call ? grpcc_metadata_find(&call->metadata, "x-request-id") : NULL;
    const char *refused = grpcc_refusal_name(facts->refusal);
    const struct value values[] = {
        {"trace", trace, strlen(trace)},
        {"request_id", id ? (const char *)GRPC_SLICE_START_PTR(*id) : "",
         id ? GRPC_SLICE_LENGTH(*id) : 0},
        {"refused", refused, strlen(refused)},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        add_value(text, format, &values[i]);
}

static void add_json(struct grpcc_text *text, const char *peer,
                     const struct grpcc_call_facts *facts)
{
    grpcc_text_add(text, "\",\"peer\":");
    grpcc_text_quote(text, peer, strlen(peer), GRPCC_ACCESS_LOG_VALUE_MAX);
    grpcc_text_add(text, ",\"method\":");
    grpcc_text_quote(text, facts->path, strlen(facts->path), GRPCC_ACCESS_LOG_VALUE_MAX);
    grpcc_text_printf(
        text,
        ",\"status\":\"%s\",\"duration_us\":%" PRId64 ",\"in_messages\":%" PRIu64
        ",\"in_bytes\":%" PRIu64 ",\"out_messages\":%" PRIu64 ",\"out_bytes\":%" PRIu64,
        grpcc_status_name(facts->status), (facts->ended_ns - facts->started_ns) / NS_PER_US,
        facts->messages_received, facts->bytes_received, facts->messages_sent, facts->bytes_sent);
}

static void add_words(struct grpcc_text *text, const char *peer, const char *user,
                      const struct grpcc_call_facts *facts)
{
    int64_t duration_us = (facts->ended_ns - facts->started_ns) / NS_PER_US;
    grpcc_text_add(text, " ");
    grpcc_text_word(text, *peer ? peer : "-", *peer ? strlen(peer) : 1, GRPCC_ACCESS_LOG_VALUE_MAX);
    grpcc_text_add(text, " ");
    grpcc_text_word(text, *user ? user : "-", *user ? strlen(user) : 1, GRPCC_ACCESS_LOG_VALUE_MAX);
    grpcc_text_add(text, " ");
    grpcc_text_word(text, facts->path, strlen(facts->path), GRPCC_ACCESS_LOG_VALUE_MAX);
    grpcc_text_printf(
        text, " %s %" PRId64 ".%03" PRId64 "ms in=%" PRIu64 "/%" PRIu64 " out=%" PRIu64 "/%" PRIu64,
        grpcc_status_name(facts->status), duration_us / 1000, duration_us % 1000,
        facts->messages_received, facts->bytes_received, facts->messages_sent, facts->bytes_sent);
}

size_t grpcc_access_line(char line[GRPCC_ACCESS_LINE_MAX], enum grpcc_access_log_format format,
                         struct grpcc_call *call, const struct grpcc_call_facts *facts,
                         const char *user)
{
    /* The end, which is written last, always has room. */
    struct grpcc_text text = {.at = line, .size = GRPCC_ACCESS_LINE_MAX - 2};
    bool json = format == GRPCC_ACCESS_LOG_JSON;
    /* Not from the call's arena: its handler may still be using that. */
    char *peer = call ? grpc_call_get_peer(call->core) : NULL;
    if (!user)
        user = "";
    if (json)
        grpcc_text_add(&text, "{\"time\":\"");
    grpcc_text_time(&text, grpcc_now_unix_ns() / GRPCC_NS_PER_MS);
    if (json)
        add_json(&text, peer ? peer : "", facts);
    else
        add_words(&text, peer ? peer : "", user, facts);
    if (json)
        add_value(&text, format, &(struct value){"user", user, strlen(user)});
    add_known(&text, format, call, facts);
    gpr_free(peer);
    if (json)
        line[text.n++] = '}';
    line[text.n++] = '\n';
    return text.n;
}

size_t grpcc_access_line_dropped(char line[GRPCC_ACCESS_LINE_MAX],
                                 enum grpcc_access_log_format format, uint64_t dropped)
{
    struct grpcc_text text = {.at = line, .size = GRPCC_ACCESS_LINE_MAX};
    bool json = format == GRPCC_ACCESS_LOG_JSON;
    if (json)
        grpcc_text_add(&text, "{\"time\":\"");
    grpcc_text_time(&text, grpcc_now_unix_ns() / GRPCC_NS_PER_MS);
    grpcc_text_printf(&text, json ? "\",\"dropped\":%" PRIu64 "}\n" : " dropped=%" PRIu64 "\n",
                      dropped);
    return text.n;
}

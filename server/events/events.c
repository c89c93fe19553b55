/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "server/events/events_driver.h"

static bool is_word(comb_str part)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return part.len > 0;
}

/* Takes the first part; false at the end. */
static bool next_part(comb_str *rest, comb_str *ret_part)
{
    if (!rest->ptr)
        return false;
    const char *dot = rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;
    size_t len = dot ? (size_t)(dot - rest->ptr) : rest->len;
    *ret_part = comb_str_of(rest->ptr, len);
    *rest = dot ? comb_str_of(dot + 1, rest->len - len - 1) : (comb_str){0};
    return true;
}

static enum comb_status check_parts(comb_str text, bool wild, const char *field,
                                    struct comb_error *err)
{
    comb_str rest = text.ptr ? text : STR(""), part;
    if (text.len == 0 || text.len > COMB_EVENTS_TOPIC_BYTES_MAX)
        return comb_error_field(err, field, "has 1 to %d bytes", COMB_EVENTS_TOPIC_BYTES_MAX);
    for (int n = 0; next_part(&rest, &part);) {
        bool star = wild && comb_str_equal(part, STR("*"));
        bool tail = wild && !rest.ptr && comb_str_equal(part, STR(">"));
        if (++n > COMB_EVENTS_TOPIC_PARTS_MAX)
            return comb_error_field(err, field, "has at most %d parts",
                                    COMB_EVENTS_TOPIC_PARTS_MAX);
        if (!star && !tail && !is_word(part))
            return comb_error_field(err, field, "%s",
                                    wild ? "has parts of letters, digits, \"-\" and \"_\", joined "
                                           "by \".\"; \"*\" for any one part, \">\" at the end "
                                           "for all further ones"
                                         : "has parts of letters, digits, \"-\" and \"_\", joined "
                                           "by \".\"");
    }
    return COMB_OK;
}

enum comb_status comb_events_check_topic(comb_str topic, const char *field, struct comb_error *err)
{
    return check_parts(topic, false, field, err);
}

enum comb_status comb_events_check_pattern(comb_str pattern, const char *field,
                                           struct comb_error *err)
{
    return check_parts(pattern, true, field, err);
}

bool comb_events_match(comb_str pattern, comb_str topic)
{
    comb_str wanted, part;
    while (next_part(&pattern, &wanted)) {
        if (!next_part(&topic, &part))
            return false;
        if (comb_str_equal(wanted, STR(">")))
            return true;
        if (!comb_str_equal(wanted, STR("*")) && !comb_str_equal(wanted, part))
            return false;
    }
    return !topic.ptr;
}

enum comb_status comb_events_publish(struct comb_events *events, comb_str topic, comb_str bytes,
                                     struct comb_error *err)
{
    enum comb_status status = comb_events_check_topic(topic, "topic", err);
    if (status != COMB_OK)
        return status;
    if (bytes.len > COMB_EVENTS_BYTES_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "a message has at most %d bytes",
                              COMB_EVENTS_BYTES_MAX);
    return events->driver->publish(events, topic, bytes, err);
}

enum comb_status comb_events_subscribe(struct comb_events *events, comb_str pattern, comb_str group,
                                       const struct comb_events_sink *sink,
                                       struct comb_events_subscription **ret_subscription,
                                       struct comb_error *err)
{
    enum comb_status status = comb_events_check_pattern(pattern, "pattern", err);
    if (status != COMB_OK)
        return status;
    if (group.len > COMB_EVENTS_GROUP_BYTES_MAX || (group.len > 0 && !is_word(group)))
        return comb_error_field(err, "queue_group",
                                "has at most %d letters, digits, \"-\" and \"_\"",
                                COMB_EVENTS_GROUP_BYTES_MAX);
    struct comb_events_subscription *subscription = NULL;
    status = events->driver->subscribe(events, pattern, group, sink, &subscription, err);
    if (status != COMB_OK)
        return status;
    assert(subscription);
    *ret_subscription = subscription;
    return COMB_OK;
}

void comb_events_unsubscribe(struct comb_events *events,
                             struct comb_events_subscription *subscription)
{
    events->driver->unsubscribe(events, subscription);
}

enum comb_status comb_events_check(struct comb_events *events, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    return status == COMB_OK ? events->driver->check(events, ctx, err) : status;
}

void comb_events_status(struct comb_events *events, struct comb_store_status *ret_status)
{
    events->driver->status(events, ret_status);
}

void comb_events_close(struct comb_events *events)
{
    if (events)
        events->driver->close(events);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/store_load_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/config.grpcc.h"
#include "comb/v1/events.grpcc.h"
#include "comb/v1/registry.grpcc.h"
#include "comb/v1/vault.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/support/cmocka.h"

#define TOPIC "load.numbers"
#define SERVICE "load"
/* A value that another call of ours set meanwhile, whose answer was lost: read again. */
#define TRIALS_MAX 5
/* What the registry's watch may take to bring what a replica has just entered itself. */
#define ENTERED_MS_MAX 10000
#define HEARD_MS_MAX 60000
/* Between attempts to listen again, and to be heard. */
#define AGAIN_MS 20
#define LIST_PAGE_MAX 1000

enum { HEARD = 1, AFTER_LOSS = 2 };

/* A number as text, in arena. */
static char *text_of(struct grpcc_arena *arena, const char *before, unsigned number)
{
    char *text = grpcc_arena_printf(arena, "%s%u", before, number);
    assert_non_null(text);
    return text;
}

/* What a place has, against what it must have at least. */
static enum grpcc_status judge(const struct store_load *load, unsigned number, int64_t found,
                               struct grpcc_error *err)
{
    int64_t expected = store_load_last_acknowledged(load, number);
    if (found < expected)
        return store_load_wrong(err, "older than what was acknowledged", found);
    if (found >= (int64_t)number)
        return store_load_wrong(err, "was never written", found);
    return GRPCC_OK;
}

/* ---- configuration ---- */

/* *ret_found: -1: it has no value. */
static enum grpcc_status get_value(struct store_load *load, struct grpcc_arena *arena,
                                   unsigned slot, struct comb_v1_config_get_response **ret_response,
                                   int64_t *ret_found, struct grpcc_error *err)
{
    struct comb_v1_config_get_request *request = comb_v1_config_get_request_new(arena);
    *ret_response = NULL;
    *ret_found = -1;
    request->path = text_of(arena, "/load/v", slot);
    enum grpcc_status status = comb_v1_config_get(comb_client_channel(load->client), arena, NULL,
                                                  request, ret_response, err);
    if (status == GRPCC_NOT_FOUND)
        return GRPCC_OK;
    if (status == GRPCC_OK)
        *ret_found = strtoll((*ret_response)->entry->value, NULL, 10);
    return status;
}

static enum grpcc_status set_once(struct store_load *load, struct grpcc_arena *arena,
                                  unsigned number, struct grpcc_error *err)
{
    struct comb_v1_config_set_request *request = comb_v1_config_set_request_new(arena);
    struct comb_v1_config_change *change = comb_v1_config_change_new(arena);
    struct comb_v1_config_set_response *response = NULL;
    struct comb_v1_config_get_response *was = NULL;
    int64_t found;
    enum grpcc_status status = get_value(load, arena, number % STORE_LOAD_SLOTS, &was, &found, err);
    bool stale = was && was->stale;
    if (status == GRPCC_OK && !stale)
        status = judge(load, number, found, err);
    if (status != GRPCC_OK)
        return status;
    change->path = text_of(arena, "/load/v", number % STORE_LOAD_SLOTS);
    change->value = text_of(arena, "", number);
    /* Who knows only what was does not write by it. */
    if (stale)
        return grpcc_error_set(err, GRPCC_UNAVAILABLE, "the value is stale");
    comb_v1_config_change_set_expected_revision(change, was ? was->entry->revision : 0);
    assert_true(comb_v1_config_set_request_add_changes(arena, request, change));
    return comb_v1_config_set(comb_client_channel(load->client), arena, NULL, request, &response,
                              err);
}

enum grpcc_status store_load_set(struct store_load *load, struct grpcc_arena *arena,
                                 unsigned number, struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_FAILED_PRECONDITION;
    for (int i = 0; i < TRIALS_MAX && status == GRPCC_FAILED_PRECONDITION; i++)
        status = set_once(load, arena, number, err);
    return status;
}

enum grpcc_status store_load_is_set(struct store_load *load, struct grpcc_arena *arena,
                                    unsigned number, struct grpcc_error *err)
{
    struct comb_v1_config_get_response *response = NULL;
    int64_t found;
    enum grpcc_status status =
        get_value(load, arena, number % STORE_LOAD_SLOTS, &response, &found, err);
    if (status == GRPCC_OK && found < (int64_t)number)
        return store_load_wrong(err, "older than what was acknowledged", found);
    return status;
}

/* ---- vault ---- */

static enum grpcc_status get_secret(struct store_load *load, struct grpcc_arena *arena,
                                    unsigned slot, struct comb_v1_vault_get_response **ret_response,
                                    int64_t *ret_found, struct grpcc_error *err)
{
    struct comb_v1_vault_get_request *request = comb_v1_vault_get_request_new(arena);
    *ret_response = NULL;
    *ret_found = -1;
    request->path = text_of(arena, "load/v", slot);
    enum grpcc_status status = comb_v1_vault_get(comb_client_channel(load->client), arena, NULL,
                                                 request, ret_response, err);
    if (status == GRPCC_NOT_FOUND)
        return GRPCC_OK;
    if (status != GRPCC_OK)
        return status;
    char *text = grpcc_arena_strndup(arena, (const char *)(*ret_response)->value.data,
                                     (*ret_response)->value.len);
    assert_non_null(text);
    *ret_found = strtoll(text, NULL, 10);
    return GRPCC_OK;
}

static enum grpcc_status hide_once(struct store_load *load, struct grpcc_arena *arena,
                                   unsigned number, struct grpcc_error *err)
{
    struct comb_v1_vault_put_request *request = comb_v1_vault_put_request_new(arena);
    struct comb_v1_vault_put_response *response = NULL;
    struct comb_v1_vault_get_response *was = NULL;
    int64_t found;
    enum grpcc_status status =
        get_secret(load, arena, number % STORE_LOAD_SLOTS, &was, &found, err);
    if (status == GRPCC_OK)
        status = judge(load, number, found, err);
    if (status != GRPCC_OK)
        return status;
    char *value = text_of(arena, "", number);
    request->path = text_of(arena, "load/v", number % STORE_LOAD_SLOTS);
    request->value = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
    comb_v1_vault_put_request_set_expected_version(request, was ? was->version : 0);
    return comb_v1_vault_put(comb_client_channel(load->client), arena, NULL, request, &response,
                             err);
}

enum grpcc_status store_load_hide(struct store_load *load, struct grpcc_arena *arena,
                                  unsigned number, struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_FAILED_PRECONDITION;
    for (int i = 0; i < TRIALS_MAX && status == GRPCC_FAILED_PRECONDITION; i++)
        status = hide_once(load, arena, number, err);
    return status;
}

enum grpcc_status store_load_is_hidden(struct store_load *load, struct grpcc_arena *arena,
                                       unsigned number, struct grpcc_error *err)
{
    struct comb_v1_vault_get_response *response = NULL;
    int64_t found;
    enum grpcc_status status =
        get_secret(load, arena, number % STORE_LOAD_SLOTS, &response, &found, err);
    if (status == GRPCC_OK && found < (int64_t)number)
        return store_load_wrong(err, "older than what was acknowledged", found);
    return status;
}

/* ---- registry ---- */

enum grpcc_status store_load_enter(struct store_load *load, struct grpcc_arena *arena,
                                   unsigned number, struct grpcc_error *err)
{
    struct comb_v1_registry_register_request *request =
        comb_v1_registry_register_request_new(arena);
    struct comb_v1_registry_register_response *response = NULL;
    struct comb_v1_registry_entry *entry = comb_v1_registry_entry_new(arena);
    comb_v1_registry_entry_set_service(entry, SERVICE);
    entry->id = text_of(arena, "e", number % STORE_LOAD_SLOTS);
    entry->version = text_of(arena, "", number);
    request->entry = entry;
    request->ttl_ms = 3600000;
    return comb_v1_registry_register_rpc(comb_client_channel(load->client), arena, NULL, request,
                                         &response, err);
}

/* The number in an entry's version; -1: there is no such entry. */
static enum grpcc_status find_entry(struct store_load *load, struct grpcc_arena *arena,
                                    unsigned slot, int64_t *ret_found, struct grpcc_error *err)
{
    struct comb_v1_registry_list_request *request = comb_v1_registry_list_request_new(arena);
    struct comb_v1_registry_list_response *response = NULL;
    const char *id = text_of(arena, "e", slot);
    *ret_found = -1;
    comb_v1_registry_list_request_set_service(request, SERVICE);
    request->page_size = LIST_PAGE_MAX;
    enum grpcc_status status = comb_v1_registry_list(comb_client_channel(load->client), arena, NULL,
                                                     request, &response, err);
    for (size_t i = 0; status == GRPCC_OK && i < response->n_entries; i++) {
        if (strcmp(response->entries[i]->id, id) == 0)
            *ret_found = strtoll(response->entries[i]->version, NULL, 10);
    }
    return status;
}

/* A registration has no condition: one whose answer was lost may be done after a later one. */
static bool may_stand(const struct store_load *load, unsigned number, int64_t found)
{
    return found >= (int64_t)number || (found >= 0 && load->calls[found].status != GRPCC_OK);
}

enum grpcc_status store_load_is_entered(struct store_load *load, struct grpcc_arena *arena,
                                        unsigned number, struct grpcc_error *err)
{
    int64_t found = -1, until_ns = calls_now_ns() + ENTERED_MS_MAX * INT64_C(1000000);
    enum grpcc_status status;
    do {
        status = find_entry(load, arena, number % STORE_LOAD_SLOTS, &found, err);
        if (status == GRPCC_OK && may_stand(load, number, found))
            return GRPCC_OK;
        calls_sleep_ms(AGAIN_MS);
    } while (calls_now_ns() < until_ns);
    return status == GRPCC_OK ? store_load_wrong(err, "older than what was acknowledged", found)
                              : status;
}

/* ---- events ---- */

enum grpcc_status store_load_publish(struct store_load *load, struct grpcc_arena *arena,
                                     unsigned number, struct grpcc_error *err)
{
    struct comb_v1_events_publish_request *request = comb_v1_events_publish_request_new(arena);
    struct comb_v1_events_publish_response *response = NULL;
    char *text = text_of(arena, "", number);
    comb_v1_events_publish_request_set_topic(request, TOPIC);
    request->payload = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    return comb_v1_events_publish(comb_client_channel(load->client), arena, NULL, request,
                                  &response, err);
}

static void note_wrong(struct store_ear *ear, const char *what, long long number)
{
    if (!ear->wrong[0])
        snprintf(ear->wrong, sizeof ear->wrong, "%s: %lld", what, number);
}

static void hear(struct store_ear *ear, const struct comb_v1_events_message *message,
                 bool after_loss)
{
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)message->payload.len,
             (const char *)message->payload.data);
    long long number = strtoll(text, NULL, 10);
    if (number < 0 || number >= STORE_LOAD_CALLS_MAX)
        note_wrong(ear, "heard what nobody said", number);
    else if (number <= atomic_load(&ear->newest))
        note_wrong(ear, "heard out of order, or twice", number);
    else
        ear->heard[number] = (unsigned char)(HEARD | (after_loss ? AFTER_LOSS : 0));
    ear->n_heard++;
    atomic_store(&ear->newest, number);
}

/* One call; what is between two of them is a loss that is told by the end of the first. */
static void listen_once(struct store_ear *ear, struct grpcc_arena *arena)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_events_subscribe_request *request = comb_v1_events_subscribe_request_new(arena);
    struct comb_v1_events_subscribe_response *event = NULL;
    bool after_loss = true;
    comb_v1_events_subscribe_request_set_pattern(request, TOPIC);
    struct comb_v1_events_subscribe_stream *stream =
        comb_v1_events_subscribe_stream_open(comb_client_channel(ear->client), NULL, request, &err);
    assert_non_null(stream);
    struct grpcc_arena *answers = grpcc_arena_new(0);
    while (comb_v1_events_subscribe_stream_read(stream, answers, &event, &err) == 1) {
        if (event->event_case == COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_LOSS) {
            after_loss = true;
            ear->n_told++;
        } else if (event->event_case == COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_MESSAGE) {
            hear(ear, event->message, after_loss);
            after_loss = false;
        }
        atomic_store(&ear->listens, true);
        if (atomic_load(&ear->stop))
            comb_v1_events_subscribe_stream_cancel(stream);
        grpcc_arena_reset(answers);
    }
    enum grpcc_status status = comb_v1_events_subscribe_stream_finish(stream, answers, &err);
    comb_v1_events_subscribe_stream_free(stream);
    grpcc_arena_free(answers);
    ear->n_ends++;
    if (status != GRPCC_UNAVAILABLE && !atomic_load(&ear->stop))
        note_wrong(ear, err.message, (long long)status);
}

static void *listen_on(void *data)
{
    struct store_ear *ear = data;
    while (!atomic_load(&ear->stop)) {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        listen_once(ear, arena);
        grpcc_arena_free(arena);
        calls_sleep_ms(AGAIN_MS);
    }
    atomic_store(&ear->listens, false);
    return NULL;
}

void store_ear_start(struct store_ear *ear, const struct combd *combd)
{
    memset(ear, 0, sizeof *ear);
    atomic_store(&ear->newest, -1);
    ear->heard = calloc(STORE_LOAD_CALLS_MAX, 1);
    assert_non_null(ear->heard);
    ear->client = combd_client(combd);
    assert_int_equal(pthread_create(&ear->thread, NULL, listen_on, ear), 0);
    while (!atomic_load(&ear->listens))
        calls_sleep_ms(AGAIN_MS);
}

static void sum_up(const struct store_ear *ear, const struct store_load *load,
                   struct store_ear_sum *ret_sum)
{
    unsigned missed = 0; /* since the last that was heard */
    *ret_sum = (struct store_ear_sum){0};
    for (unsigned i = 0; i < atomic_load(&load->n); i++) {
        enum grpcc_status status = load->calls[i].status;
        if (!(ear->heard[i] & HEARD)) {
            missed += status == GRPCC_OK;
            continue;
        }
        ret_sum->phantom += status == GRPCC_UNAVAILABLE;
        ret_sum->missed += missed;
        ret_sum->silent += ear->heard[i] & AFTER_LOSS ? 0 : missed;
        missed = 0;
    }
}

static void say_one_more(struct store_load *load, int64_t until_ns)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    unsigned number = atomic_load(&load->n);
    assert_true(number < STORE_LOAD_CALLS_MAX && calls_now_ns() < until_ns);
    load->calls[number].status = store_load_publish(load, arena, number, &err);
    atomic_store(&load->n, number + 1);
    grpcc_arena_free(arena);
    calls_sleep_ms(AGAIN_MS);
}

void store_ear_stop(struct store_ear *ear, struct store_load *load, struct store_ear_sum *ret_sum)
{
    unsigned first = atomic_load(&load->n);
    int64_t until_ns = calls_now_ns() + HEARD_MS_MAX * INT64_C(1000000);
    while (atomic_load(&ear->newest) < (long long)first)
        say_one_more(load, until_ns);
    /* What he hears wakes him. */
    for (atomic_store(&ear->stop, true); atomic_load(&ear->listens);)
        say_one_more(load, until_ns);
    pthread_join(ear->thread, NULL);
    sum_up(ear, load, ret_sum);
    if (ear->wrong[0])
        fail_msg("who listens %s", ear->wrong);
    comb_client_close(ear->client);
    free(ear->heard);
}

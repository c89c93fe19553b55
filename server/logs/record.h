/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries as items. Place and id: 14 hexadecimal digits of the time in microseconds, 14 of the
 * SHA-256 of the batch's id, 4 of the index there. Body: a packed comb.v1.LogEntry without id and
 * time. Keys, by which items are walked:
 *
 *   l1 … l5   the level          w0123456789abcdef   a word's SHA-256, so far
 *   s…, u…    service and user, likewise             t and 32 digits   the trace
 *
 * What a short hash may mistake is looked at again in the body.
 */
#ifndef COMB_LOGS_RECORD_H
#define COMB_LOGS_RECORD_H

#include "server/logs/logs.h"

/* Words, as server/text cuts them, each once. */
struct logs_words {
    comb_str *words;
    size_t n, max;
};

/* Adds those of text until there are max. False: no room. */
bool logs_add_words(struct grpcc_arena *arena, struct logs_words *words,
                    comb_str text) COMB_MUST_CHECK;
/* Those by which an entry is found; at most COMB_LOGS_WORDS_MAX. */
enum comb_status logs_words_of(struct grpcc_arena *arena, const struct comb_v1_log_entry *entry,
                               struct logs_words *ret_words,
                               struct comb_error *err) COMB_MUST_CHECK;

/* kind: 'w', 's' or 'u'. */
enum comb_status logs_hash_key(struct grpcc_arena *arena, char kind, comb_str text,
                               comb_str *ret_key, struct comb_error *err) COMB_MUST_CHECK;
comb_str logs_level_key(enum comb_log_level level);
/* In lower case. ptr NULL: no room. */
comb_str logs_trace_key(struct grpcc_arena *arena, comb_str trace);

/* Before every place of that time, and behind those of earlier ones. ptr NULL: no room. */
comb_str logs_place(struct grpcc_arena *arena, int64_t time_us);
/* -1: it is no place. */
int64_t logs_time_of(comb_str place);

/* entry is number `index` of the batch. INVALID_ARGUMENT (FIELD_INVALID). */
enum comb_status logs_to_item(struct comb_ctx *ctx, const struct comb_uuid *batch, size_t index,
                              const struct comb_log_entry *entry, struct comb_item *ret_item,
                              struct comb_error *err) COMB_MUST_CHECK;
/* DATA_LOSS: it is damaged. */
enum comb_status logs_read_item(struct grpcc_arena *arena, const struct comb_item *item,
                                struct comb_v1_log_entry **ret_entry,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif

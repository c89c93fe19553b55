/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/move.h"

#include <stdio.h>
#include <string.h>

#include "server/core/memory.h"

/* Between two tellings. */
#define TELL_RECORDS 1000

void comb_move_row_free(struct comb_move_row *row)
{
    if (row)
        row->ops->free(row);
}

/* ---- sums ---- */

struct comb_move_summer {
    struct comb_move_sums sums;
    struct comb_sha256 sha;
    bool is_hashing;
};

struct comb_move_summer *comb_move_summer_new(void)
{
    return comb_memory_zalloc(sizeof(struct comb_move_summer));
}

static void end_part(struct comb_move_summer *summer)
{
    if (summer->is_hashing)
        comb_sha256_finish(&summer->sha, summer->sums.items[summer->sums.n - 1].sha256);
}

static enum comb_status begin_part(struct comb_move_summer *summer, comb_str part,
                                   struct comb_error *err)
{
    struct comb_move_sums *sums = &summer->sums;
    end_part(summer);
    if (sums->n == COMB_MOVE_PARTS_MAX || part.len > COMB_MOVE_PART_BYTES_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "a row has too many parts");
    if (!summer->is_hashing) {
        enum comb_status status = comb_sha256_init(&summer->sha, err);
        if (status != COMB_OK)
            return status;
        summer->is_hashing = true;
    }
    struct comb_move_sum *sum = &sums->items[sums->n++];
    memcpy(sum->part, part.ptr, part.len);
    return COMB_OK;
}

static void hash_bytes(struct comb_sha256 *sha, comb_str bytes)
{
    uint64_t len = bytes.len;
    uint8_t size[8];
    for (int i = 7; i >= 0; i--, len >>= 8)
        size[i] = (uint8_t)len;
    comb_sha256_update(sha, size, sizeof size);
    comb_sha256_update(sha, bytes.ptr, bytes.len);
}

enum comb_status comb_move_summer_add(struct comb_move_summer *summer,
                                      const struct comb_move_record *record, struct comb_error *err)
{
    struct comb_move_sums *sums = &summer->sums;
    if (sums->n == 0 ||
        !comb_str_equal(record->part, comb_str_from(sums->items[sums->n - 1].part))) {
        enum comb_status status = begin_part(summer, record->part, err);
        if (status != COMB_OK)
            return status;
    }
    struct comb_move_sum *sum = &sums->items[sums->n - 1];
    sum->records++;
    sum->bytes += record->key.len + record->value.len;
    hash_bytes(&summer->sha, record->key);
    hash_bytes(&summer->sha, record->value);
    return COMB_OK;
}

void comb_move_summer_end(struct comb_move_summer *summer, struct comb_move_sums *ret_sums)
{
    end_part(summer);
    *ret_sums = summer->sums;
}

void comb_move_summer_free(struct comb_move_summer *summer)
{
    if (!summer)
        return;
    if (summer->is_hashing)
        comb_sha256_done(&summer->sha);
    comb_memory_free(summer);
}

struct pass {
    struct comb_move_summer *summer;
    const struct comb_move_sink *sink;
    const struct comb_move_progress *progress;
    const char *what;
    uint64_t records, bytes;
};

static enum comb_status pass_on(void *data, const struct comb_move_record *record,
                                struct comb_error *err)
{
    struct pass *pass = data;
    const struct comb_move_progress *progress = pass->progress;
    enum comb_status status = comb_move_summer_add(pass->summer, record, err);
    if (status == COMB_OK && pass->sink)
        status = pass->sink->take(pass->sink->data, record, err);
    pass->records++;
    pass->bytes += record->key.len + record->value.len;
    if (status == COMB_OK && progress && pass->records % TELL_RECORDS == 0 &&
        !progress->tell(progress->data, pass->what, record->part, pass->records, pass->bytes))
        status = comb_error_set(err, COMB_CANCELLED, 0, "stopped; it can be gone on with");
    return status;
}

enum comb_status comb_move_sum(struct comb_move_row *row, const char *what,
                               const struct comb_move_sink *sink,
                               const struct comb_move_progress *progress,
                               struct comb_move_sums *ret_sums, struct comb_error *err)
{
    struct pass pass = {comb_move_summer_new(), sink, progress, what, 0, 0};
    const struct comb_move_sink passing = {pass_on, &pass};
    enum comb_status status =
        pass.summer ? row->ops->give(row, &passing, err) : comb_error_no_memory(err);
    if (status == COMB_OK)
        comb_move_summer_end(pass.summer, ret_sums);
    comb_move_summer_free(pass.summer);
    if (status == COMB_OK && progress &&
        !progress->tell(progress->data, what, STR(""), pass.records, pass.bytes))
        status = comb_error_set(err, COMB_CANCELLED, 0, "stopped; it can be gone on with");
    return status;
}

/* ---- comparing ---- */

static const struct comb_move_sum *sum_of(const struct comb_move_sums *sums, const char *part)
{
    for (size_t i = 0; i < sums->n; i++)
        if (strcmp(sums->items[i].part, part) == 0)
            return &sums->items[i];
    return NULL;
}

enum comb_status comb_move_compare(const char *row, const struct comb_move_sums *from,
                                   const struct comb_move_sums *to, struct comb_error *err)
{
    if (from->n != to->n)
        return comb_error_set(err, COMB_DATA_LOSS, 0,
                              "%s: the copy has %zu parts, and %zu were copied", row, to->n,
                              from->n);
    for (size_t i = 0; i < from->n; i++) {
        const struct comb_move_sum *was = &from->items[i], *is = sum_of(to, was->part);
        if (!is || is->records != was->records ||
            memcmp(is->sha256, was->sha256, sizeof is->sha256) != 0)
            return comb_error_set(err, COMB_DATA_LOSS, 0,
                                  "%s: of %s %llu records were copied, and the copy has %llu, or "
                                  "others",
                                  row, was->part, (unsigned long long)was->records,
                                  (unsigned long long)(is ? is->records : 0));
    }
    return COMB_OK;
}

/* ---- copying ---- */

static enum comb_status take_in(void *data, const struct comb_move_record *record,
                                struct comb_error *err)
{
    struct comb_move_row *to = data;
    return to->ops->take(to, record, err);
}

enum comb_status comb_move_copy(struct comb_move_row *from, struct comb_move_row *to,
                                const struct comb_move_progress *progress,
                                struct comb_move_sums *ret_sums, struct comb_error *err)
{
    struct comb_move_sums sums[2] = {{.n = 0}, {.n = 0}};
    const struct comb_move_sink sink = {take_in, to};
    enum comb_status status = comb_move_sum(from, "copying", &sink, progress, &sums[0], err);
    if (status == COMB_OK && to->ops->flush)
        status = to->ops->flush(to, err);
    if (status == COMB_OK)
        status = comb_move_sum(to, "verifying", NULL, progress, &sums[1], err);
    if (status == COMB_OK)
        status = comb_move_compare(from->ops->name, &sums[0], &sums[1], err);
    if (status == COMB_OK)
        *ret_sums = sums[0];
    return status;
}

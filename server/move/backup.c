/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/backup.h"

#include <string.h>

#include "server/core/clock.h"
#include "server/move/record.h"
#include "server/move/state.h"

#define STEP_MS 30000

/* In the order of the file. */
enum { SQL, VAULT, CONFIG, DATA, DOCS, ROWS };
static const char *const names[ROWS] = {"sql", "vault", "config", "data", "docs"};

struct opened {
    struct comb_move_row *rows[ROWS];
};

static void close_rows(struct opened *opened)
{
    /* The contents' names are read from the sql row's snapshot. */
    for (int i = ROWS - 1; i >= 0; i--)
        comb_move_row_free(opened->rows[i]);
}

/* snapshot NULL: for taking in only. */
static enum comb_status open_others(const struct comb_backup_rows *rows,
                                    struct comb_sql_snapshot *snapshot, struct opened *opened,
                                    struct comb_error *err)
{
    enum comb_status status = comb_move_vault_new(rows->vault, &opened->rows[VAULT], err);
    if (status == COMB_OK)
        status = comb_move_config_new(rows->config, &opened->rows[CONFIG], err);
    if (status == COMB_OK)
        status = comb_move_data_new(rows->blobs, snapshot, &opened->rows[DATA], err);
    if (status == COMB_OK)
        status = comb_move_docs_new(&rows->docs, &opened->rows[DOCS], err);
    return status;
}

/* ---- facts ---- */

static void pack_u64(uint64_t value, char ret_bytes[8])
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        ret_bytes[i] = (char)value;
}

static enum comb_status write_fact(struct comb_archive_writer *writer, const char *name,
                                   comb_str value, struct comb_error *err)
{
    const struct comb_archive_item item = {
        .kind = COMB_ARCHIVE_HEAD, .part = comb_str_from(name), .value = value};
    return comb_archive_write(writer, &item, err);
}

static enum comb_status write_head(struct comb_archive_writer *writer,
                                   const struct comb_backup_facts *facts, struct comb_error *err)
{
    char incarnation[8], time_us[8];
    pack_u64(facts->incarnation, incarnation);
    pack_u64((uint64_t)facts->time_us, time_us);
    enum comb_status status =
        write_fact(writer, "installation", comb_uuid_bytes(&facts->installation), err);
    if (status == COMB_OK)
        status = write_fact(writer, "incarnation", comb_str_of(incarnation, 8), err);
    if (status == COMB_OK)
        status = write_fact(writer, "time_us", comb_str_of(time_us, 8), err);
    return status;
}

static void read_fact(struct comb_backup_facts *facts, const struct comb_archive_item *item)
{
    comb_str value = item->value;
    uint64_t number = 0;
    if (comb_str_equal(item->part, STR("installation")) &&
        value.len == sizeof facts->installation.bytes)
        memcpy(facts->installation.bytes, value.ptr, value.len);
    else if (comb_str_equal(item->part, STR("incarnation")) && move_get_u64(&value, &number))
        facts->incarnation = number;
    else if (comb_str_equal(item->part, STR("time_us")) && move_get_u64(&value, &number))
        facts->time_us = (int64_t)number;
}

/* ---- writing ---- */

static enum comb_status write_record(void *data, const struct comb_move_record *record,
                                     struct comb_error *err)
{
    const struct comb_archive_item item = {COMB_ARCHIVE_RECORD, record->part, record->key,
                                           record->value};
    return comb_archive_write(data, &item, err);
}

static enum comb_status write_sums(struct comb_archive_writer *writer,
                                   const struct comb_move_sums *sums, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < sums->n; i++) {
        char value[8 + COMB_SHA256_SIZE];
        pack_u64(sums->items[i].records, value);
        memcpy(value + 8, sums->items[i].sha256, COMB_SHA256_SIZE);
        const struct comb_archive_item item = {.kind = COMB_ARCHIVE_SUM,
                                               .part = comb_str_from(sums->items[i].part),
                                               .value = comb_str_of(value, sizeof value)};
        status = comb_archive_write(writer, &item, err);
    }
    return status;
}

static void count(struct comb_backup_facts *facts, const struct comb_move_sums *sums)
{
    for (size_t i = 0; i < sums->n; i++) {
        facts->records += sums->items[i].records;
        facts->bytes += sums->items[i].bytes;
    }
}

static enum comb_status write_row(struct comb_archive_writer *writer, const char *name,
                                  struct comb_move_row *row,
                                  const struct comb_move_progress *progress,
                                  struct comb_backup_facts *facts, struct comb_error *err)
{
    const struct comb_archive_item begin = {.kind = COMB_ARCHIVE_ROW, .part = comb_str_from(name)};
    const struct comb_move_sink sink = {write_record, writer};
    struct comb_move_sums sums;
    enum comb_status status = comb_archive_write(writer, &begin, err);
    if (status == COMB_OK)
        status = comb_move_sum(row, name, &sink, progress, &sums, err);
    if (status == COMB_OK) {
        count(facts, &sums);
        status = write_sums(writer, &sums, err);
    }
    return status;
}

enum comb_status comb_backup_write(const struct comb_backup_rows *rows,
                                   struct comb_archive_writer *writer,
                                   const struct comb_move_progress *progress,
                                   struct comb_backup_facts *ret_facts, struct comb_error *err)
{
    struct opened opened = {{NULL}};
    struct comb_sql_snapshot *snapshot = NULL;
    struct comb_sql_info info;
    comb_sql_get_info(rows->sql, &info);
    struct comb_backup_facts facts = {.installation = info.installation,
                                      .incarnation = info.incarnation,
                                      .time_us = comb_clock_wall_us()};
    enum comb_status status = comb_move_sql_new(rows->sql, &opened.rows[SQL], err);
    if (status == COMB_OK)
        status = comb_move_sql_hold(opened.rows[SQL], &snapshot, err);
    if (status == COMB_OK)
        status = open_others(rows, snapshot, &opened, err);
    if (status == COMB_OK)
        status = write_head(writer, &facts, err);
    for (int i = 0; status == COMB_OK && i < ROWS; i++)
        status = write_row(writer, names[i], opened.rows[i], progress, &facts, err);
    if (status == COMB_OK)
        comb_move_data_faults(opened.rows[DATA], &facts.faults);
    close_rows(&opened);
    if (status == COMB_OK)
        status = comb_archive_end(writer, err);
    if (status == COMB_OK)
        *ret_facts = facts;
    return status;
}

/* ---- reading ---- */

struct reading {
    struct opened opened;
    int row; /* whose records come; -1: none yet */
    struct comb_move_summer *summer;
    struct comb_move_sums came[ROWS];     /* as they came */
    struct comb_move_sums recorded[ROWS]; /* as the file says */
    bool has[ROWS];
    uint64_t records, bytes;
};

static enum comb_status end_row(struct reading *reading, struct comb_error *err)
{
    if (reading->row < 0 || !reading->summer)
        return COMB_OK;
    struct comb_move_row *row = reading->opened.rows[reading->row];
    comb_move_summer_end(reading->summer, &reading->came[reading->row]);
    comb_move_summer_free(reading->summer);
    reading->summer = NULL;
    return row->ops->flush ? row->ops->flush(row, err) : COMB_OK;
}

static enum comb_status begin_row(struct reading *reading, comb_str name, struct comb_error *err)
{
    enum comb_status status = end_row(reading, err);
    if (status != COMB_OK)
        return status;
    for (reading->row = 0; reading->row < ROWS; reading->row++)
        if (comb_str_equal(name, comb_str_from(names[reading->row])))
            break;
    if (reading->row == ROWS || reading->has[reading->row])
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the backup has a row \"%.*s\", which this version does not know",
                              COMB_STR_ARG(name));
    reading->has[reading->row] = true;
    reading->summer = comb_move_summer_new();
    return reading->summer ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status take_record(struct reading *reading, const struct comb_archive_item *item,
                                    const struct comb_move_progress *progress,
                                    struct comb_error *err)
{
    const struct comb_move_record record = {item->part, item->key, item->value};
    if (!reading->summer)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the backup has a record of no row");
    struct comb_move_row *row = reading->opened.rows[reading->row];
    enum comb_status status = comb_move_summer_add(reading->summer, &record, err);
    if (status == COMB_OK)
        status = row->ops->take(row, &record, err);
    reading->records++;
    reading->bytes += item->key.len + item->value.len;
    if (status == COMB_OK && progress && reading->records % 1000 == 0 &&
        !progress->tell(progress->data, names[reading->row], item->part, reading->records,
                        reading->bytes))
        status = comb_error_set(err, COMB_CANCELLED, 0, "stopped");
    return status;
}

static enum comb_status take_sum(struct reading *reading, const struct comb_archive_item *item,
                                 struct comb_error *err)
{
    comb_str value = item->value;
    enum comb_status status = end_row(reading, err);
    if (status != COMB_OK)
        return status;
    struct comb_move_sums *sums = reading->row < 0 ? NULL : &reading->recorded[reading->row];
    if (!sums || sums->n == COMB_MOVE_PARTS_MAX || item->part.len > COMB_MOVE_PART_BYTES_MAX ||
        value.len != 8 + COMB_SHA256_SIZE)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the backup has a sum of no row");
    struct comb_move_sum *sum = &sums->items[sums->n++];
    memcpy(sum->part, item->part.ptr, item->part.len);
    if (!move_get_u64(&value, &sum->records))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the backup has a sum of no row");
    memcpy(sum->sha256, value.ptr, COMB_SHA256_SIZE);
    return COMB_OK;
}

static enum comb_status take_items(struct reading *reading, struct comb_archive_reader *reader,
                                   const struct comb_move_progress *progress,
                                   struct comb_backup_facts *facts, struct comb_error *err)
{
    struct comb_archive_item item = {.kind = COMB_ARCHIVE_HEAD};
    enum comb_status status = COMB_OK;
    while (status == COMB_OK && item.kind != COMB_ARCHIVE_END) {
        status = comb_archive_read(reader, &item, err);
        if (status != COMB_OK)
            break;
        switch (item.kind) {
        case COMB_ARCHIVE_HEAD:
            read_fact(facts, &item);
            break;
        case COMB_ARCHIVE_ROW:
            status = begin_row(reading, item.part, err);
            break;
        case COMB_ARCHIVE_RECORD:
            status = take_record(reading, &item, progress, err);
            break;
        case COMB_ARCHIVE_SUM:
            status = take_sum(reading, &item, err);
            break;
        case COMB_ARCHIVE_END:
            status = end_row(reading, err);
            break;
        }
    }
    for (int i = 0; status == COMB_OK && i < ROWS; i++)
        status = reading->has[i]
                     ? comb_move_compare(names[i], &reading->recorded[i], &reading->came[i], err)
                     : comb_error_set(err, COMB_DATA_LOSS, 0, "the backup has no row %s", names[i]);
    return status;
}

static enum comb_status check_empty(struct reading *reading, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (int i = 0; status == COMB_OK && i < ROWS; i++) {
        bool empty = false;
        struct comb_move_row *row = reading->opened.rows[i];
        status = row->ops->is_empty(row, &empty, err);
        if (status == COMB_OK && !empty)
            return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                  "%s: there is something in this store already: a backup is put "
                                  "back into empty stores only",
                                  names[i]);
    }
    return status;
}

static enum comb_status set_filling(struct comb_sql *sql, struct comb_error *err)
{
    const struct comb_move_state state = {.phase = COMB_MOVE_FILLING, .other = "a backup"};
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0), .deadline_ns = comb_clock_in_ms(STEP_MS)};
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = comb_move_state_check(sql, &ctx, err);
    if (status == COMB_OK)
        status = comb_move_state_set(sql, &ctx, &state, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

/* All rows are read again, and held against the file. */
static enum comb_status verify(const struct comb_backup_rows *rows, struct reading *reading,
                               const struct comb_move_progress *progress,
                               struct comb_backup_facts *facts, struct comb_error *err)
{
    struct comb_sql_snapshot *snapshot = NULL;
    struct comb_move_sums sums;
    comb_move_row_free(reading->opened.rows[DATA]);
    reading->opened.rows[DATA] = NULL;
    enum comb_status status = comb_move_sql_hold(reading->opened.rows[SQL], &snapshot, err);
    if (status == COMB_OK)
        status = comb_move_data_new(rows->blobs, snapshot, &reading->opened.rows[DATA], err);
    for (int i = 0; status == COMB_OK && i < ROWS; i++) {
        status = comb_move_sum(reading->opened.rows[i], "verifying", NULL, progress, &sums, err);
        if (status == COMB_OK)
            status = comb_move_compare(names[i], &reading->recorded[i], &sums, err);
        if (status == COMB_OK)
            count(facts, &sums);
    }
    if (status == COMB_OK)
        comb_move_data_faults(reading->opened.rows[DATA], &facts->faults);
    return status;
}

enum comb_status comb_backup_read(const struct comb_backup_rows *rows,
                                  struct comb_archive_reader *reader,
                                  const struct comb_move_progress *progress,
                                  struct comb_backup_facts *ret_facts, struct comb_error *err)
{
    struct reading reading = {.row = -1};
    struct comb_backup_facts facts = {.incarnation = 0};
    enum comb_status status = comb_move_sql_new(rows->sql, &reading.opened.rows[SQL], err);
    if (status == COMB_OK)
        status = open_others(rows, NULL, &reading.opened, err);
    if (status == COMB_OK)
        status = check_empty(&reading, err);
    if (status == COMB_OK)
        status = set_filling(rows->sql, err);
    if (status == COMB_OK)
        status = reading.opened.rows[SQL]->ops->prepare(reading.opened.rows[SQL], err);
    if (status == COMB_OK)
        status = take_items(&reading, reader, progress, &facts, err);
    if (status == COMB_OK && comb_uuid_is_nil(&facts.installation))
        status = comb_error_set(err, COMB_DATA_LOSS, 0, "the backup does not say whose it is");
    if (status == COMB_OK)
        status = verify(rows, &reading, progress, &facts, err);
    comb_move_summer_free(reading.summer);
    close_rows(&reading.opened);
    if (status == COMB_OK)
        *ret_facts = facts;
    return status;
}

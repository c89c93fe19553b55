/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/archive.h"

#include <string.h>

#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/core/seal.h"
#include "server/move/record.h"

/* A frame is sealed as soon as it has so many bytes; one item may make it larger. */
#define FRAME_BYTES (256u << 10)
#define FRAME_BYTES_MAX (16u << 20)
#define SALT_SIZE 32
#define SIZE_SIZE 4

static const char magic[] = "COMBBACKUP 1\n";
#define MAGIC_SIZE (sizeof magic - 1)

/* What both sides count: the frame's number, whether it is the last, and the salt. */
struct place {
    uint8_t key[COMB_SEAL_KEY_SIZE];
    uint8_t salt[SALT_SIZE];
    uint64_t number;
};

static enum comb_status derive(struct place *place, const uint8_t key[COMB_ARCHIVE_KEY_SIZE],
                               struct comb_error *err)
{
    return comb_hmac_sha256(comb_str_of(key, COMB_ARCHIVE_KEY_SIZE),
                            comb_str_of(place->salt, sizeof place->salt), place->key, err);
}

static comb_str bound(const struct place *place, bool last, uint8_t bytes[9])
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(place->number >> (56 - 8 * i));
    bytes[8] = last;
    return comb_str_of(bytes, 9);
}

/* ---- writing ---- */

struct comb_archive_writer {
    struct place place;
    struct comb_buf frame;
    struct grpcc_arena *arena;
    enum comb_status (*out)(void *data, comb_str bytes, struct comb_error *err);
    void *data;
};

static enum comb_status write_frame(struct comb_archive_writer *writer, bool last,
                                    struct comb_error *err)
{
    uint8_t bytes[9], size[SIZE_SIZE];
    comb_str sealed;
    enum comb_status status =
        comb_seal(writer->arena, writer->place.key, comb_buf_str(&writer->frame),
                  bound(&writer->place, last, bytes), &sealed, err);
    if (status != COMB_OK)
        return status;
    for (int i = 0; i < SIZE_SIZE; i++)
        size[i] = (uint8_t)(sealed.len >> (24 - 8 * i));
    status = writer->out(writer->data, comb_str_of(size, sizeof size), err);
    if (status == COMB_OK)
        status = writer->out(writer->data, sealed, err);
    grpcc_arena_reset(writer->arena);
    comb_buf_clear(&writer->frame);
    writer->place.number++;
    return status;
}

enum comb_status
comb_archive_writer_new(const uint8_t key[COMB_ARCHIVE_KEY_SIZE],
                        enum comb_status (*out)(void *data, comb_str bytes, struct comb_error *err),
                        void *data, struct comb_archive_writer **ret_writer, struct comb_error *err)
{
    struct comb_archive_writer *writer = comb_memory_zalloc(sizeof *writer);
    if (!writer)
        return comb_error_no_memory(err);
    writer->out = out;
    writer->data = data;
    comb_buf_init(&writer->frame, FRAME_BYTES_MAX);
    comb_random(writer->place.salt, sizeof writer->place.salt);
    writer->arena = grpcc_arena_new(0);
    enum comb_status status =
        writer->arena ? derive(&writer->place, key, err) : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = out(data, comb_str_of(magic, MAGIC_SIZE), err);
    if (status == COMB_OK)
        status = out(data, comb_str_of(writer->place.salt, SALT_SIZE), err);
    if (status == COMB_OK)
        *ret_writer = writer;
    else
        comb_archive_writer_free(writer);
    return status;
}

enum comb_status comb_archive_write(struct comb_archive_writer *writer,
                                    const struct comb_archive_item *item, struct comb_error *err)
{
    struct comb_buf *frame = &writer->frame;
    if (!move_put_u8(frame, (uint8_t)item->kind) || !move_put_bytes(frame, item->part) ||
        !move_put_bytes(frame, item->key) || !move_put_bytes(frame, item->value))
        return comb_error_no_memory(err);
    return frame->len >= FRAME_BYTES ? write_frame(writer, false, err) : COMB_OK;
}

enum comb_status comb_archive_end(struct comb_archive_writer *writer, struct comb_error *err)
{
    return write_frame(writer, true, err);
}

void comb_archive_writer_free(struct comb_archive_writer *writer)
{
    if (!writer)
        return;
    comb_buf_done_secret(&writer->frame);
    grpcc_arena_free(writer->arena);
    comb_memory_wipe(writer->place.key, sizeof writer->place.key);
    comb_memory_free(writer);
}

/* ---- reading ---- */

struct comb_archive_reader {
    struct place place;
    FILE *file;
    struct grpcc_arena *arena;
    comb_str frame; /* what is left of it */
    bool is_last, has_ended;
};

static enum comb_status damaged(struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0,
                          "the backup is damaged or cut off, or its key is another one");
}

enum comb_status comb_archive_reader_new(const uint8_t key[COMB_ARCHIVE_KEY_SIZE], FILE *file,
                                         struct comb_archive_reader **ret_reader,
                                         struct comb_error *err)
{
    char head[MAGIC_SIZE];
    struct comb_archive_reader *reader = comb_memory_zalloc(sizeof *reader);
    if (!reader)
        return comb_error_no_memory(err);
    reader->file = file;
    reader->arena = grpcc_arena_new(0);
    enum comb_status status = reader->arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK &&
        (fread(head, 1, sizeof head, file) != sizeof head || memcmp(head, magic, MAGIC_SIZE) != 0))
        status = comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "the file is no backup of Comb");
    if (status == COMB_OK &&
        fread(reader->place.salt, 1, SALT_SIZE, file) != sizeof reader->place.salt)
        status = damaged(err);
    if (status == COMB_OK)
        status = derive(&reader->place, key, err);
    if (status == COMB_OK)
        *ret_reader = reader;
    else
        comb_archive_reader_free(reader);
    return status;
}

static enum comb_status read_frame(struct comb_archive_reader *reader, struct comb_error *err)
{
    uint8_t size[SIZE_SIZE], bytes[9];
    size_t n = 0;
    comb_str plain;
    grpcc_arena_reset(reader->arena);
    if (fread(size, 1, sizeof size, reader->file) != sizeof size)
        return damaged(err);
    for (int i = 0; i < SIZE_SIZE; i++)
        n = n << 8 | size[i];
    char *sealed = n <= 2 * FRAME_BYTES_MAX ? grpcc_arena_alloc(reader->arena, n + 1) : NULL;
    if (!sealed || fread(sealed, 1, n, reader->file) != n)
        return damaged(err);
    comb_str content = comb_str_of(sealed, n);
    bool last = false;
    enum comb_status status = comb_seal_open(reader->arena, reader->place.key, content,
                                             bound(&reader->place, false, bytes), &plain, NULL);
    if (status == COMB_INVALID_ARGUMENT) {
        last = true;
        status = comb_seal_open(reader->arena, reader->place.key, content,
                                bound(&reader->place, true, bytes), &plain, NULL);
    }
    if (status != COMB_OK)
        return status == COMB_INVALID_ARGUMENT ? damaged(err) : comb_error_no_memory(err);
    reader->frame = plain;
    reader->is_last = last;
    reader->place.number++;
    return COMB_OK;
}

enum comb_status comb_archive_read(struct comb_archive_reader *reader,
                                   struct comb_archive_item *ret_item, struct comb_error *err)
{
    uint8_t kind;
    struct comb_archive_item item = {.kind = COMB_ARCHIVE_END};
    while (reader->frame.len == 0 && !reader->is_last) {
        enum comb_status status = read_frame(reader, err);
        if (status != COMB_OK)
            return status;
    }
    if (reader->frame.len == 0 && reader->has_ended)
        return damaged(err);
    if (reader->frame.len == 0) {
        reader->has_ended = true;
        *ret_item = item;
        return COMB_OK;
    }
    if (!move_get_u8(&reader->frame, &kind) || !move_get_bytes(&reader->frame, &item.part) ||
        !move_get_bytes(&reader->frame, &item.key) || !move_get_bytes(&reader->frame, &item.value))
        return damaged(err);
    item.kind = (enum comb_archive_kind)kind;
    *ret_item = item;
    return COMB_OK;
}

void comb_archive_reader_free(struct comb_archive_reader *reader)
{
    if (!reader)
        return;
    grpcc_arena_free(reader->arena);
    comb_memory_wipe(reader->place.key, sizeof reader->place.key);
    comb_memory_free(reader);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/letters.h"

#include "server/search/terms.h"

struct comb_uuid letter_id(unsigned number)
{
    struct comb_uuid id = {{0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80}};
    for (int i = 0; i < 4; i++)
        id.bytes[2 + i] = (uint8_t)(number >> (24 - 8 * i));
    return id;
}

unsigned letter_number(const struct comb_uuid *id)
{
    return (unsigned)id->bytes[2] << 24 | (unsigned)id->bytes[3] << 16 |
           (unsigned)id->bytes[4] << 8 | id->bytes[5];
}

static enum comb_status write_one(struct grpcc_arena *arena, unsigned number,
                                  struct comb_search_document *document,
                                  struct comb_search_content *content, struct comb_error *err)
{
    const char *name = grpcc_arena_printf(arena, "letter %u", number);
    const char *text =
        grpcc_arena_printf(arena, "common %s w%u", number % 2 ? "odd" : "even", number % 1000);
    if (!name || !text)
        return comb_error_no_memory(err);
    *document = (struct comb_search_document){.id = letter_id(number),
                                              .version = {1, 1},
                                              .parent = letter_id(0),
                                              .size = (int64_t)number % 100,
                                              .name = comb_str_from(name),
                                              .media = STR("text/plain"),
                                              .meta_terms = STR(""),
                                              .keyed_terms = STR("")};
    *content = (struct comb_search_content){.id = letter_id(number),
                                            .version = {1, 1},
                                            .blob = letter_id(number),
                                            .outcome = 1,
                                            .text = comb_str_from(text)};
    enum comb_status status = comb_search_terms(arena, document->name, &document->name_terms, err);
    return status == COMB_OK ? comb_search_terms(arena, content->text, &content->terms, err)
                             : status;
}

enum comb_status letters_write(struct grpcc_arena *arena, unsigned first, unsigned n,
                               struct comb_search_document documents[],
                               struct comb_search_content contents[], struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (unsigned i = 0; i < n && status == COMB_OK; i++)
        status = write_one(arena, first + i, &documents[i], &contents[i], err);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/extract/reading.h"

#include <stdio.h>

#include "tests/support/cmocka.h"

struct pieces {
    comb_str left;
    size_t bytes;
};

static bool fetch(void *data, comb_str *ret_piece)
{
    struct pieces *pieces = data;
    size_t n = pieces->left.len < pieces->bytes ? pieces->left.len : pieces->bytes;
    *ret_piece = comb_str_of(pieces->left.ptr, n);
    pieces->left = comb_str_of(pieces->left.ptr + n, pieces->left.len - n);
    return true;
}

static bool keep(void *data, comb_str text)
{
    return comb_buf_append_str(data, text);
}

void reading_init(struct reading *reading)
{
    static bool is_prepared;
    if (!is_prepared)
        comb_extract_formats_prepare();
    is_prepared = true;
    *reading = (struct reading){.piece_bytes = 0};
    comb_buf_init(&reading->text, COMB_EXTRACT_OUTPUT_BYTES_MAX);
}

void reading_done(struct reading *reading)
{
    comb_buf_done(&reading->text);
}

void reading_read(struct reading *reading, const char *name, comb_str content)
{
    static struct comb_extract_sink sink;
    struct comb_extract_limits limits = reading->limits;
    struct comb_extract_input input;
    struct pieces pieces = {content, reading->piece_bytes};
    const struct comb_extract_file_view file = {
        .name = comb_str_from(name), .input = &input, .sink = &sink, .limits = &limits};

    comb_extract_limits_complete(&limits);
    comb_buf_clear(&reading->text);
    comb_extract_sink_init(&sink, limits.output_bytes, keep, &reading->text);
    if (reading->piece_bytes)
        comb_extract_input_init(&input, fetch, &pieces);
    else
        comb_extract_input_init_memory(&input, content);
    comb_extract_read(&file, &reading->outcome, &reading->reason);
    comb_extract_input_done(&input);
    assert_true(comb_str_is_utf8(comb_buf_str(&reading->text)));
}

static const char *text_of(const struct reading *reading)
{
    return reading->text.len > 0 ? reading->text.data : "";
}

void reading_is(const struct reading *reading, enum comb_extract_outcome outcome,
                enum comb_extract_reason reason, const char *text)
{
    if (reading->outcome != outcome || reading->reason != reason)
        fprintf(stderr, "%s, %s: %.200s\n", comb_extract_outcome_name(reading->outcome),
                comb_extract_reason_name(reading->reason), text_of(reading));
    assert_int_equal(reading->outcome, outcome);
    assert_int_equal(reading->reason, reason);
    if (text)
        assert_string_equal(text_of(reading), text);
}

static bool has(const struct reading *reading, const char *text)
{
    return strstr(text_of(reading), text) != NULL;
}

void reading_has(const struct reading *reading, const char *text)
{
    if (!has(reading, text))
        fail_msg("'%s' is not in '%.400s'", text, text_of(reading));
}

void reading_lacks(const struct reading *reading, const char *text)
{
    if (has(reading, text))
        fail_msg("'%s' is in '%.400s'", text, text_of(reading));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is ours between a file and its text, chosen by the first byte: the sink in pieces, the XML
 * of office files, names of parts, packets from a process that a file has taken over.
 */
#include "server/extract/wire.h"
#include "server/extract/worker/parts.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_BYTES_MAX 4096u

struct text {
    char bytes[TEXT_BYTES_MAX];
    size_t len;
};

static bool keep(void *data, comb_str piece)
{
    struct text *text = data;
    must(piece.len <= sizeof text->bytes - text->len, "the limit of output holds");
    must(comb_str_is_utf8(piece), "pieces end with whole characters");
    memcpy(text->bytes + text->len, piece.ptr, piece.len);
    text->len += piece.len;
    return true;
}

static void check(const struct text *text)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->bytes[i];
        must(c != 0x7f && (c >= 0x20 || c == '\n' || c == '\t'), "no control characters");
    }
}

/* The second byte: how long pieces are, and whether bytes or units of UTF-16. */
static void sink(const uint8_t *data, size_t size)
{
    static struct comb_extract_sink sink;
    struct text text = {.len = 0};
    size_t step = 1 + data[0] % 7;
    comb_extract_sink_init(&sink, TEXT_BYTES_MAX, keep, &text);
    sink.guess = data[0] & 64;
    for (size_t i = 1; i < size; i += step) {
        size_t n = size - i < step ? size - i : step;
        if (data[0] & 128) {
            comb_extract_sink_put_utf16(&sink, (uint16_t)(data[i] << 8 | data[i + n - 1]));
        } else {
            comb_extract_sink_put(&sink, comb_str_of(data + i, n));
        }
        if (data[i] == ' ')
            comb_extract_sink_space(&sink);
        else if (data[i] == '|')
            comb_extract_sink_break(&sink);
    }
    comb_extract_sink_flush(&sink);
    check(&text);
}

static void part(const uint8_t *data, size_t size)
{
    static struct comb_extract_sink sink;
    struct text text = {.len = 0};
    struct comb_extract_part_walk walk;
    struct comb_extract_xml_events events;
    struct comb_extract_xml *xml;
    comb_extract_sink_init(&sink, TEXT_BYTES_MAX, keep, &text);
    events = comb_extract_part_walk_init(
        &walk, (enum comb_extract_part)(data[0] % (COMB_EXTRACT_PART_NOTES + 1)), &sink);
    xml = comb_extract_xml_new(&events, 16);
    must(xml != NULL, "there is memory for a parser");
    if (!comb_extract_xml_feed(xml, comb_str_of(data + 1, (size - 1) / 2), false))
        (void)comb_extract_xml_feed(
            xml, comb_str_of(data + 1 + (size - 1) / 2, size - 1 - (size - 1) / 2), true);
    comb_extract_xml_free(xml);
    comb_extract_sink_flush(&sink);
    check(&text);
}

static void packet(comb_str bytes)
{
    enum comb_extract_packet packet;
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason;
    comb_str payload;
    if (!comb_extract_packet_parse(bytes, &packet, &payload))
        return;
    must(payload.len == bytes.len - 1, "a payload is what is behind the first byte");
    if (comb_extract_end_parse(payload, &outcome, &reason))
        must((reason != COMB_EXTRACT_REASON_NONE) ==
                 (outcome == COMB_EXTRACT_TRUNCATED || outcome == COMB_EXTRACT_REFUSED),
             "a reason stands where one has to");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t number;
    if (size < 2)
        return 0;
    switch (data[0] % 4) {
    case 0:
        sink(data + 1, size - 1);
        break;
    case 1:
        part(data + 1, size - 1);
        break;
    case 2:
        (void)comb_extract_part_of(comb_str_of(data + 2, size - 2), data[1] & 1, &number);
        break;
    default:
        packet(comb_str_of(data + 1, size - 1));
    }
    return 0;
}

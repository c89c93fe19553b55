/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/audit_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "comb-audit-export-1"
/* Bytes of a record that a line may have. */
#define RECORD_MAX (1u << 20)
/* Words of a line at most. */
#define WORDS_MAX 6

/* ---- writing ---- */

static void put_hex(FILE *out, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    putc(' ', out);
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02x", bytes[i]);
}

static void put_seal(FILE *out, const struct comb_v1_audit_seal *seal)
{
    fprintf(out, "%s %" PRIu64 " %" PRId64 " %" PRIu32, seal->kind, seal->number, seal->time_us,
            seal->key_version);
    put_hex(out, seal->hash.data, seal->hash.len);
    put_hex(out, seal->signature.data, seal->signature.len);
    putc('\n', out);
}

void cli_audit_write(FILE *out, const struct comb_v1_audit_export_response *part)
{
    if (part->installation_id[0])
        fprintf(out, MAGIC " %s\n", part->installation_id);
    for (size_t i = 0; i < part->n_seals; i++)
        put_seal(out, part->seals[i]);
    for (size_t i = 0; i < part->n_lines; i++) {
        const struct comb_v1_audit_line *line = part->lines[i];
        fprintf(out, "line %" PRIu64 " %" PRId64, line->number, line->time_us);
        put_hex(out, line->before.data, line->before.len);
        put_hex(out, line->hash.data, line->hash.len);
        put_hex(out, line->record.data, line->record.len);
        putc('\n', out);
    }
}

/* ---- reading ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of exactly size bytes; writes over the text where bytes is the text itself. */
static bool read_hex(const char *text, uint8_t *bytes, size_t size)
{
    if (!text || strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    if (!text || digit(text[0]) < 0 || digit(text[0]) > 9)
        return false;
    *ret_number = strtoull(text, &end, 10);
    return *end == '\0';
}

/* Splits at single spaces; the number of words, or 0 where there are too many. */
static size_t split(char *text, char *words[WORDS_MAX])
{
    size_t n = 0;
    for (char *word = text; word; n++) {
        char *space = strchr(word, ' ');
        if (n == WORDS_MAX)
            return 0;
        words[n] = word;
        if (space)
            *space++ = '\0';
        word = space;
    }
    return n;
}

static bool read_seal(char *const words[WORDS_MAX], struct comb_audit_seal *ret_seal)
{
    struct comb_audit_seal seal = {.kind = strcmp(words[0], "floor") == 0 ? COMB_AUDIT_FLOOR
                                                                          : COMB_AUDIT_HEAD};
    uint64_t time_us, key;
    if (!read_number(words[1], &seal.n) || !read_number(words[2], &time_us) ||
        !read_number(words[3], &key) || !read_hex(words[4], seal.hash, sizeof seal.hash) ||
        !read_hex(words[5], seal.signature, sizeof seal.signature))
        return false;
    seal.time_us = (int64_t)time_us;
    seal.key_version = (uint32_t)key;
    *ret_seal = seal;
    return true;
}

/* The record is decoded where its text stands. */
static bool read_line(char *const words[WORDS_MAX], struct comb_audit_line *ret_line)
{
    struct comb_audit_line line;
    uint64_t time_us;
    size_t size = strlen(words[5]) / 2;
    if (!read_number(words[1], &line.n) || !read_number(words[2], &time_us) ||
        !read_hex(words[3], line.before, sizeof line.before) ||
        !read_hex(words[4], line.hash, sizeof line.hash) || size > RECORD_MAX ||
        !read_hex(words[5], (uint8_t *)words[5], size))
        return false;
    line.time_us = (int64_t)time_us;
    line.record = words[5];
    line.record_size = size;
    *ret_line = line;
    return true;
}

/* What a file has said so far. */
struct check {
    struct comb_audit_verifier *verifier;
    const uint8_t *public_key;
    char installation[COMB_AUDIT_INSTALLATION_MAX];
    bool has_header, has_begun, has_head;
    uint64_t signed_n;
};

static void begin(struct check *check, const struct comb_audit_seal *floor)
{
    comb_audit_verifier_init(check->verifier, check->installation, check->public_key, floor);
    check->has_begun = true;
}

static enum cli_audit_check take(struct check *check, char *text)
{
    char *words[WORDS_MAX] = {NULL};
    struct comb_audit_seal seal;
    struct comb_audit_line line;
    size_t n = split(text, words);
    if (!check->has_header) {
        check->has_header =
            n == 2 && strcmp(words[0], MAGIC) == 0 && strlen(words[1]) < sizeof check->installation;
        if (!check->has_header)
            return CLI_AUDIT_MALFORMED;
        memcpy(check->installation, words[1], strlen(words[1]) + 1);
        return CLI_AUDIT_CHECKED;
    }
    if (n != WORDS_MAX)
        return CLI_AUDIT_MALFORMED;
    if (strcmp(words[0], "floor") == 0) {
        if (check->has_begun || !read_seal(words, &seal))
            return CLI_AUDIT_MALFORMED;
        begin(check, &seal);
        return CLI_AUDIT_CHECKED;
    }
    if (!check->has_begun)
        begin(check, NULL);
    if (strcmp(words[0], "line") == 0) {
        if (!read_line(words, &line))
            return CLI_AUDIT_MALFORMED;
        return comb_audit_verifier_line(check->verifier, &line) ? CLI_AUDIT_CHECKED
                                                                : CLI_AUDIT_NO_MEMORY;
    }
    if (strcmp(words[0], "head") != 0 || check->verifier->checked > 0 || !read_seal(words, &seal))
        return CLI_AUDIT_MALFORMED;
    check->has_head = true;
    check->signed_n = seal.n;
    comb_audit_verifier_head(check->verifier, &seal);
    return CLI_AUDIT_CHECKED;
}

enum cli_audit_check cli_audit_check(FILE *in, const uint8_t public_key[COMB_AUDIT_KEY_SIZE],
                                     struct comb_audit_verifier *verifier, uint64_t *ret_signed,
                                     size_t *ret_line)
{
    struct check check = {.verifier = verifier, .public_key = public_key};
    enum cli_audit_check status = CLI_AUDIT_CHECKED;
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    *ret_line = 0;
    while (status == CLI_AUDIT_CHECKED && (length = getline(&text, &room, in)) > 0) {
        ++*ret_line;
        if (text[length - 1] == '\n')
            text[length - 1] = '\0';
        status = take(&check, text);
    }
    free(text);
    if (status == CLI_AUDIT_CHECKED && !check.has_header)
        status = CLI_AUDIT_MALFORMED;
    if (status != CLI_AUDIT_CHECKED)
        return status;
    if (!check.has_begun)
        begin(&check, NULL);
    comb_audit_verifier_end(verifier);
    if (!check.has_head && verifier->checked > 0)
        comb_audit_verifier_find(verifier, COMB_AUDIT_NO_HEAD, 1, 1);
    *ret_signed = check.signed_n;
    return status;
}

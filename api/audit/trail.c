/* SPDX-License-Identifier: Apache-2.0 */
#include "api/audit/trail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

static void write_number(uint8_t bytes[8], uint64_t number)
{
    for (int i = 7; i >= 0; i--, number >>= 8)
        bytes[i] = (uint8_t)number;
}

bool comb_audit_line_hash(const uint8_t before[COMB_AUDIT_HASH_SIZE], uint64_t n, int64_t time_us,
                          const void *record, size_t record_size,
                          uint8_t ret_hash[COMB_AUDIT_HASH_SIZE])
{
    uint8_t numbers[16];
    write_number(numbers, n);
    write_number(numbers + 8, (uint64_t)time_us);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, before, COMB_AUDIT_HASH_SIZE) == 1 &&
              EVP_DigestUpdate(context, numbers, sizeof numbers) == 1 &&
              EVP_DigestUpdate(context, record, record_size) == 1 &&
              EVP_DigestFinal_ex(context, ret_hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static bool same(const uint8_t a[COMB_AUDIT_HASH_SIZE], const uint8_t b[COMB_AUDIT_HASH_SIZE])
{
    return memcmp(a, b, COMB_AUDIT_HASH_SIZE) == 0;
}

/* ---- findings ---- */

void comb_audit_verifier_find(struct comb_audit_verifier *verifier, enum comb_audit_fault fault,
                              uint64_t n, uint64_t other)
{
    if (verifier->finding.fault == COMB_AUDIT_WHOLE)
        verifier->finding = (struct comb_audit_finding){fault, n, other};
}

void comb_audit_finding_text(const struct comb_audit_finding *finding, char *ret_text, size_t size)
{
    static const char *const texts[] = {
        [COMB_AUDIT_WHOLE] = "the trail is whole",
        [COMB_AUDIT_CHANGED] = "line %" PRIu64 " was changed",
        [COMB_AUDIT_MISSING] = "line %" PRIu64 " is missing, and all up to line %" PRIu64,
        [COMB_AUDIT_SWAPPED] = "line %" PRIu64 " and line %" PRIu64 " have changed places",
        [COMB_AUDIT_CUT] =
            "the trail is cut off from line %" PRIu64 " on; a head was signed for line %" PRIu64,
        [COMB_AUDIT_REWRITTEN] = "the trail was written anew at or behind line %" PRIu64
                                 ": the signed head of line %" PRIu64 " is of another trail",
        [COMB_AUDIT_FORGED] = "what stands for line %" PRIu64 " was not signed by the trail's key",
        [COMB_AUDIT_PUT_BACK] = "the head of line %" PRIu64 " in the configuration was put back: "
                                "there was one of line %" PRIu64,
        [COMB_AUDIT_NO_HEAD] =
            "the head in the configuration is gone; it was of line %" PRIu64 " or a later one",
    };
    size_t fault = (size_t)finding->fault;
    if (fault >= sizeof texts / sizeof texts[0])
        fault = COMB_AUDIT_CHANGED;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(ret_text, size, texts[fault], finding->n, finding->other);
#pragma GCC diagnostic pop
}

/* ---- checking ---- */

void comb_audit_verifier_init(struct comb_audit_verifier *verifier, const char *installation,
                              const uint8_t public_key[COMB_AUDIT_KEY_SIZE],
                              const struct comb_audit_seal *floor)
{
    *verifier = (struct comb_audit_verifier){.first = 1};
    snprintf(verifier->installation, sizeof verifier->installation, "%s", installation);
    memcpy(verifier->public_key, public_key, COMB_AUDIT_KEY_SIZE);
    if (!floor)
        return;
    if (floor->kind != COMB_AUDIT_FLOOR ||
        !comb_audit_seal_is_signed(floor, verifier->installation, public_key))
        comb_audit_verifier_find(verifier, COMB_AUDIT_FORGED, floor->n, floor->n);
    verifier->first = floor->n + 1;
    verifier->last = verifier->agreed = floor->n;
    memcpy(verifier->hash, floor->hash, COMB_AUDIT_HASH_SIZE);
}

void comb_audit_verifier_head(struct comb_audit_verifier *verifier,
                              const struct comb_audit_seal *head)
{
    if (head->kind != COMB_AUDIT_HEAD ||
        !comb_audit_seal_is_signed(head, verifier->installation, verifier->public_key)) {
        comb_audit_verifier_find(verifier, COMB_AUDIT_FORGED, head->n, head->n);
        return;
    }
    if (verifier->n_heads < COMB_AUDIT_SEALS_MAX)
        verifier->heads[verifier->n_heads++] = *head;
}

/* Looks for what belongs where a line was found to be changed. */
static bool look_for_suspect(struct comb_audit_verifier *verifier,
                             const struct comb_audit_line *line)
{
    struct comb_audit_finding *finding = &verifier->finding;
    uint8_t hash[COMB_AUDIT_HASH_SIZE];
    if (finding->fault == COMB_AUDIT_MISSING && line->n == finding->n)
        finding->fault = COMB_AUDIT_SWAPPED;
    if (finding->fault != COMB_AUDIT_CHANGED || line->n <= finding->n)
        return true;
    if (line->n == finding->n + 1) {
        memcpy(verifier->suspect_next, line->before, sizeof verifier->suspect_next);
        verifier->has_suspect_next = true;
    }
    if (!comb_audit_line_hash(verifier->suspect_before, finding->n, line->time_us, line->record,
                              line->record_size, hash))
        return false;
    if (same(hash, line->hash) || same(hash, verifier->suspect_hash) ||
        (verifier->has_suspect_next && same(hash, verifier->suspect_next)))
        *finding = (struct comb_audit_finding){COMB_AUDIT_SWAPPED, finding->n, line->n};
    return true;
}

static void suspect(struct comb_audit_verifier *verifier, const struct comb_audit_line *line)
{
    comb_audit_verifier_find(verifier, COMB_AUDIT_CHANGED, line->n, line->n);
    memcpy(verifier->suspect_before, verifier->hash, sizeof verifier->suspect_before);
    memcpy(verifier->suspect_hash, line->hash, sizeof verifier->suspect_hash);
}

/* What the heads say of a line that agrees with the one before it. */
static void compare_heads(struct comb_audit_verifier *verifier, const struct comb_audit_line *line)
{
    for (size_t i = 0; i < verifier->n_heads; i++) {
        const struct comb_audit_seal *head = &verifier->heads[i];
        if (head->n != line->n)
            continue;
        if (!same(head->hash, line->hash))
            comb_audit_verifier_find(verifier, COMB_AUDIT_REWRITTEN, verifier->agreed + 1, line->n);
        else
            verifier->agreed = line->n;
    }
}

bool comb_audit_verifier_line(struct comb_audit_verifier *verifier,
                              const struct comb_audit_line *line)
{
    uint8_t hash[COMB_AUDIT_HASH_SIZE];
    verifier->checked++;
    if (verifier->finding.fault != COMB_AUDIT_WHOLE)
        return look_for_suspect(verifier, line);
    if (!comb_audit_line_hash(line->before, line->n, line->time_us, line->record, line->record_size,
                              hash))
        return false;
    if (line->n > verifier->last + 1)
        /* The other one: the last that is missing, or what stands in the place of the first. */
        comb_audit_verifier_find(verifier, COMB_AUDIT_MISSING, verifier->last + 1, line->n - 1);
    else if (line->n <= verifier->last)
        comb_audit_verifier_find(verifier, COMB_AUDIT_SWAPPED, line->n, verifier->last);
    else if (!same(hash, line->hash))
        suspect(verifier, line);
    else if (!same(line->before, verifier->hash) && verifier->last >= verifier->first)
        /* In itself it is right: the one before it was changed together with its hash. */
        comb_audit_verifier_find(verifier, COMB_AUDIT_CHANGED, verifier->last, verifier->last);
    else if (!same(line->before, verifier->hash))
        comb_audit_verifier_find(verifier, COMB_AUDIT_CHANGED, line->n, line->n);
    else
        compare_heads(verifier, line);
    verifier->last = line->n;
    memcpy(verifier->hash, line->hash, sizeof verifier->hash);
    return true;
}

void comb_audit_verifier_end(struct comb_audit_verifier *verifier)
{
    uint64_t most = 0;
    for (size_t i = 0; i < verifier->n_heads; i++) {
        const struct comb_audit_seal *head = &verifier->heads[i];
        if (head->n > most)
            most = head->n;
        /* All lines were trimmed up to the head's own. */
        if (head->n + 1 == verifier->first && verifier->checked == 0 &&
            !same(head->hash, verifier->hash))
            comb_audit_verifier_find(verifier, COMB_AUDIT_REWRITTEN, head->n, head->n);
    }
    if (most > verifier->last)
        comb_audit_verifier_find(verifier, COMB_AUDIT_CUT, verifier->last + 1, most);
}

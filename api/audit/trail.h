/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of the audit trail, and how it is checked: what the server and a program that has
 * nothing but an export and a public key have in common (docs/audit.md).
 *
 * A line's hash covers the line before it, so a line that is changed, missing or moved breaks the
 * chain. Who can write the whole trail can make a chain of his own, but not the signature of a
 * seal: a head, which says what the last line was at some time, or a floor, which says what stood
 * in front of the first line that is left.
 *
 * Threads: any, one per object.
 */
#ifndef COMB_AUDIT_TRAIL_H
#define COMB_AUDIT_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMB_AUDIT_HASH_SIZE 32
#define COMB_AUDIT_KEY_SIZE 32
#define COMB_AUDIT_SIGNATURE_SIZE 64
/* An installation's id as text. */
#define COMB_AUDIT_INSTALLATION_MAX 64
#define COMB_AUDIT_PEM_MAX 256

struct comb_audit_line {
    uint64_t n;         /* from 1 */
    int64_t time_us;    /* when it was numbered, microseconds since 1970 */
    const void *record; /* borrowed: the bytes of a comb.v1.AuditRecord */
    size_t record_size;
    uint8_t before[COMB_AUDIT_HASH_SIZE]; /* hash of the line before; of the first one zeros */
    uint8_t hash[COMB_AUDIT_HASH_SIZE];
};

/* SHA-256 over before, n and time_us (8 bytes each, big-endian), and the record. False: no memory.
 */
bool comb_audit_line_hash(const uint8_t before[COMB_AUDIT_HASH_SIZE], uint64_t n, int64_t time_us,
                          const void *record, size_t record_size,
                          uint8_t ret_hash[COMB_AUDIT_HASH_SIZE]);

/* ---- seals ---- */

enum comb_audit_seal_kind { COMB_AUDIT_HEAD = 1, COMB_AUDIT_FLOOR = 2 };

struct comb_audit_seal {
    enum comb_audit_seal_kind kind;
    uint64_t n;
    int64_t time_us;                    /* when it was signed */
    uint32_t key_version;               /* which key, for people; the key itself decides */
    uint8_t hash[COMB_AUDIT_HASH_SIZE]; /* of line n */
    uint8_t signature[COMB_AUDIT_SIGNATURE_SIZE];
};

/* "head" or "floor". */
const char *comb_audit_seal_kind_name(enum comb_audit_seal_kind kind);

/* Fills seal's signature: Ed25519 with that private key over the text that docs/audit.md gives.
 * False: no memory. */
bool comb_audit_seal_sign(struct comb_audit_seal *seal, const char *installation,
                          const uint8_t private_key[COMB_AUDIT_KEY_SIZE]);
/* Whether the key's owner signed exactly this for this installation. */
bool comb_audit_seal_is_signed(const struct comb_audit_seal *seal, const char *installation,
                               const uint8_t public_key[COMB_AUDIT_KEY_SIZE]);

/* False: no memory. */
bool comb_audit_public_key(const uint8_t private_key[COMB_AUDIT_KEY_SIZE],
                           uint8_t ret_public_key[COMB_AUDIT_KEY_SIZE]);
/* PEM of a SubjectPublicKeyInfo, as openssl reads and writes it. False: no memory, or not the PEM
 * of an Ed25519 key. */
bool comb_audit_key_to_pem(const uint8_t public_key[COMB_AUDIT_KEY_SIZE],
                           char ret_pem[COMB_AUDIT_PEM_MAX]);
bool comb_audit_key_from_pem(const char *pem, size_t size,
                             uint8_t ret_public_key[COMB_AUDIT_KEY_SIZE]);

/* ---- checking ---- */

/* The numbers are those of comb.v1.AuditFault. */
enum comb_audit_fault {
    COMB_AUDIT_WHOLE = 0,
    COMB_AUDIT_CHANGED = 1,
    COMB_AUDIT_MISSING = 2,
    COMB_AUDIT_SWAPPED = 3,
    COMB_AUDIT_CUT = 4,
    COMB_AUDIT_REWRITTEN = 5,
    COMB_AUDIT_FORGED = 6,
    COMB_AUDIT_PUT_BACK = 7,
    COMB_AUDIT_NO_HEAD = 8
};

struct comb_audit_finding {
    enum comb_audit_fault fault;
    uint64_t n, other; /* as comb.v1.AuditFault says */
};

#define COMB_AUDIT_SEALS_MAX 4

/* A check under way. Members are private but for checked and finding. */
struct comb_audit_verifier {
    uint64_t checked;                  /* lines so far */
    struct comb_audit_finding finding; /* what was wrong first */

    char installation[COMB_AUDIT_INSTALLATION_MAX];
    uint8_t public_key[COMB_AUDIT_KEY_SIZE];
    struct comb_audit_seal heads[COMB_AUDIT_SEALS_MAX];
    size_t n_heads;
    uint64_t first, last;               /* of the lines; last: the newest, or the floor */
    uint64_t agreed;                    /* up to here a seal agrees */
    uint8_t hash[COMB_AUDIT_HASH_SIZE]; /* of the last one */
    /* Where the finding is CHANGED: what would have been the line's right hash, if known. */
    uint8_t suspect_before[COMB_AUDIT_HASH_SIZE];
    uint8_t suspect_hash[COMB_AUDIT_HASH_SIZE], suspect_next[COMB_AUDIT_HASH_SIZE];
    bool has_suspect_next;
};

/* floor: what stands in front of the first line; NULL: nothing does. A floor that is not signed is
 * the first finding. installation: at most COMB_AUDIT_INSTALLATION_MAX - 1 bytes, or it is cut. */
void comb_audit_verifier_init(struct comb_audit_verifier *verifier, const char *installation,
                              const uint8_t public_key[COMB_AUDIT_KEY_SIZE],
                              const struct comb_audit_seal *floor);
/* A head, before the lines; any number up to COMB_AUDIT_SEALS_MAX. One that is not signed is a
 * finding. */
void comb_audit_verifier_head(struct comb_audit_verifier *verifier,
                              const struct comb_audit_seal *head);
/* The next line, in the order in which they stand. False: no memory. */
bool comb_audit_verifier_line(struct comb_audit_verifier *verifier,
                              const struct comb_audit_line *line);
/* Behind the last line; verifier->finding is complete then. */
void comb_audit_verifier_end(struct comb_audit_verifier *verifier);
/* Notes a finding of the caller's own, where there is none in front of it. */
void comb_audit_verifier_find(struct comb_audit_verifier *verifier, enum comb_audit_fault fault,
                              uint64_t n, uint64_t other);

/* A finding in words, NUL-terminated; cut where there is no room. */
void comb_audit_finding_text(const struct comb_audit_finding *finding, char *ret_text, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Certification authorities, certificates and revocation lists for tests, made in the process. */
#ifndef GRPCC_TESTING_CA_H
#define GRPCC_TESTING_CA_H

#include <stdbool.h>
#include <stddef.h>

/* A new folder under $TEST_TMPDIR, removed with all that is in it by ca_folder_remove(). */
enum { CA_PATH_SIZE = 400 };
void ca_folder_new(char ret_folder[CA_PATH_SIZE]);
void ca_folder_remove(const char *folder);
/* FOLDER/NAME, in one of a few buffers that are used in turn: copy what is to last. */
const char *ca_path(const char *folder, const char *name);

struct ca;
/* A CA that signed itself, valid for a day. */
struct ca *ca_new(const char *name);
void ca_free(struct ca *ca);
/* Its certificate as PEM; other (NULL: none) goes into the same file. */
void ca_write(const struct ca *ca, const struct ca *other, const char *path);

struct ca_leaf {
    const char *name; /* common name; NULL: none */
    const char *sans; /* OpenSSL's syntax: "DNS:localhost,URI:spiffe://a/b"; NULL: none */
    bool expired;
};
/* Issues a certificate with a key of its own and writes both; each file is there as a whole or as
 * it was. Returns its serial number. */
long ca_issue(struct ca *ca, const struct ca_leaf *leaf, const char *certificate_path,
              const char *key_path);
/* As ca_issue, into FOLDER/FILE.pem and FOLDER/FILE.key. */
long ca_issue_in(struct ca *ca, const struct ca_leaf *leaf, const char *folder, const char *file);
/* A key that is of use only with a passphrase. */
void ca_write_locked_key(const char *path);
struct ca_list {
    long number;         /* counts up */
    const long *revoked; /* serial numbers, and a 0 */
    bool expired;        /* past its nextUpdate */
};
/* Writes the revocation list where OpenSSL looks for it. */
void ca_write_list(const struct ca *ca, const struct ca_list *list, const char *folder);
/* Where that is. */
const char *ca_list_path(const struct ca *ca, const char *folder);

#endif

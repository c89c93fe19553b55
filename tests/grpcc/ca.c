/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/grpcc/ca.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAY_S = 24 * 3600, HOUR_S = 3600 };

struct ca {
    EVP_PKEY *key;
    X509 *certificate;
};

static long last_serial;

/* ---- folders ---- */

void ca_folder_new(char ret_folder[CA_PATH_SIZE])
{
    const char *base = getenv("TEST_TMPDIR");
    snprintf(ret_folder, CA_PATH_SIZE, "%s/ca-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(ret_folder));
}

void ca_folder_remove(const char *folder)
{
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        const char *path = ca_path(folder, entry->d_name);
        struct stat info;
        assert_int_equal(lstat(path, &info), 0);
        if (S_ISDIR(info.st_mode)) {
            char below[CA_PATH_SIZE];
            snprintf(below, sizeof(below), "%s", path);
            ca_folder_remove(below);
        } else {
            unlink(path);
        }
    }
    closedir(listing);
    rmdir(folder);
}

const char *ca_path(const char *folder, const char *name)
{
    enum { BUFFERS = 16 };
    static _Thread_local char buffers[BUFFERS][CA_PATH_SIZE];
    static _Thread_local unsigned turn;
    char *buffer = buffers[turn++ % BUFFERS];
    assert_true((size_t)snprintf(buffer, CA_PATH_SIZE, "%s/%s", folder, name) < CA_PATH_SIZE);
    return buffer;
}

/* ---- certificates ---- */

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *unsigned_certificate(EVP_PKEY *key, const char *name, long serial, bool expired)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * HOUR_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), expired ? -HOUR_S : DAY_S);
    X509_set_pubkey(certificate, key);
    if (name)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)name, -1, -1, 0);
    return certificate;
}

struct ca *ca_new(const char *name)
{
    struct ca *ca = calloc(1, sizeof(*ca));
    assert_non_null(ca);
    ca->key = EVP_EC_gen("P-256");
    ca->certificate = unsigned_certificate(ca->key, name, ++last_serial, false);
    X509_set_issuer_name(ca->certificate, X509_get_subject_name(ca->certificate));
    add_extension(ca->certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    assert_true(X509_sign(ca->certificate, ca->key, EVP_sha256()) > 0);
    return ca;
}

void ca_free(struct ca *ca)
{
    EVP_PKEY_free(ca->key);
    X509_free(ca->certificate);
    free(ca);
}

/* ---- files ---- */

static FILE *open_new(const char *path, char ret_temporary[CA_PATH_SIZE])
{
    assert_true((size_t)snprintf(ret_temporary, CA_PATH_SIZE, "%s.new", path) < CA_PATH_SIZE);
    FILE *file = fopen(ret_temporary, "we");
    assert_non_null(file);
    return file;
}

static void close_new(FILE *file, const char *temporary, const char *path)
{
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
}

void ca_write(const struct ca *ca, const struct ca *other, const char *path)
{
    char temporary[CA_PATH_SIZE];
    FILE *file = open_new(path, temporary);
    assert_int_equal(PEM_write_X509(file, ca->certificate), 1);
    if (other)
        assert_int_equal(PEM_write_X509(file, other->certificate), 1);
    close_new(file, temporary, path);
}

long ca_issue(struct ca *ca, const struct ca_leaf *leaf, const char *certificate_path,
              const char *key_path)
{
    char temporary[CA_PATH_SIZE];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = unsigned_certificate(key, leaf->name, ++last_serial, leaf->expired);
    X509_set_issuer_name(certificate, X509_get_subject_name(ca->certificate));
    if (leaf->sans)
        add_extension(certificate, NID_subject_alt_name, leaf->sans);
    assert_true(X509_sign(certificate, ca->key, EVP_sha256()) > 0);
    FILE *file = open_new(certificate_path, temporary);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    close_new(file, temporary, certificate_path);
    file = open_new(key_path, temporary);
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    close_new(file, temporary, key_path);
    EVP_PKEY_free(key);
    X509_free(certificate);
    return last_serial;
}

long ca_issue_in(struct ca *ca, const struct ca_leaf *leaf, const char *folder, const char *file)
{
    char certificate[CA_PATH_SIZE], key[CA_PATH_SIZE];
    const char *base = ca_path(folder, file);
    assert_true((size_t)snprintf(certificate, sizeof(certificate), "%s.pem", base) <
                sizeof(certificate));
    snprintf(key, sizeof(key), "%s.key", base);
    return ca_issue(ca, leaf, certificate, key);
}

void ca_write_locked_key(const char *path)
{
    char temporary[CA_PATH_SIZE];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = open_new(path, temporary);
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    close_new(file, temporary, path);
    EVP_PKEY_free(key);
}

/* ---- revocation lists ---- */

static X509_CRL *list_new(const struct ca *ca, const struct ca_list *content)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -2 * HOUR_S);
    ASN1_TIME *next = X509_gmtime_adj(NULL, content->expired ? -HOUR_S : DAY_S);
    ASN1_INTEGER *integer = ASN1_INTEGER_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(ca->certificate));
    X509_CRL_set1_lastUpdate(list, now);
    X509_CRL_set1_nextUpdate(list, next);
    ASN1_INTEGER_set(integer, content->number);
    X509_CRL_add1_ext_i2d(list, NID_crl_number, integer, 0, 0);
    for (const long *revoked = content->revoked; *revoked; revoked++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER_set(integer, *revoked);
        X509_REVOKED_set_serialNumber(entry, integer);
        X509_REVOKED_set_revocationDate(entry, now);
        X509_CRL_add0_revoked(list, entry);
    }
    ASN1_INTEGER_free(integer);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    assert_true(X509_CRL_sign(list, ca->key, EVP_sha256()) > 0);
    return list;
}

const char *ca_list_path(const struct ca *ca, const char *folder)
{
    char name[32];
    unsigned long hash =
        X509_NAME_hash_ex(X509_get_subject_name(ca->certificate), NULL, NULL, NULL);
    snprintf(name, sizeof(name), "%08lx.r0", hash);
    return ca_path(folder, name);
}

void ca_write_list(const struct ca *ca, const struct ca_list *list, const char *folder)
{
    char temporary[CA_PATH_SIZE];
    const char *path = ca_list_path(ca, folder);
    X509_CRL *made = list_new(ca, list);
    FILE *file = open_new(path, temporary);
    assert_int_equal(PEM_write_X509_CRL(file, made), 1);
    close_new(file, temporary, path);
    X509_CRL_free(made);
}

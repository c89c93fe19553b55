/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/tls_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>

/* An encrypted key is refused: without this OpenSSL asks the terminal for the passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)data;
    return -1;
}

static const char *reason_or(const char *text)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : text;
}

static const char *use_certificate(SSL_CTX *ctx, BIO *pem)
{
    X509 *certificate = PEM_read_bio_X509_AUX(pem, NULL, no_passphrase, NULL);
    if (!certificate)
        return "no certificate is in it";
    const char *problem = NULL;
    if (SSL_CTX_use_certificate(ctx, certificate) != 1)
        problem = reason_or("the certificate cannot be used");
    X509_free(certificate);
    while (!problem && (certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL)) != NULL) {
        /* The context takes the certificate where it succeeds. */
        if (SSL_CTX_add_extra_chain_cert(ctx, certificate) == 1)
            continue;
        X509_free(certificate);
        problem = reason_or("the certificate's chain cannot be used");
    }
    if (!problem && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        problem = "the certificate's chain is damaged";
    return problem;
}

static const char *use_key(SSL_CTX *ctx, BIO *pem)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
    if (!key)
        return "the key is not a PEM key without a passphrase";
    const char *problem = NULL;
    if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        problem = "the key does not fit the certificate";
    EVP_PKEY_free(key);
    return problem;
}

const char *grpcc_tls_check_identity(const char *pem, size_t length)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    BIO *certificates = BIO_new_mem_buf(pem, (int)length);
    BIO *key = BIO_new_mem_buf(pem, (int)length);
    const char *problem = "no memory to look at it";
    if (ctx && certificates && key)
        problem = use_certificate(ctx, certificates);
    if (!problem)
        problem = use_key(ctx, key);
    BIO_free(key);
    BIO_free(certificates);
    SSL_CTX_free(ctx);
    ERR_clear_error(); /* the thread's, which core uses too */
    return problem;
}

const char *grpcc_tls_check_roots(const char *pem, size_t length)
{
    size_t n = 0;
    X509 *root = NULL;
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    if (!bio)
        return "no memory to look at it";
    while ((root = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL)) != NULL) {
        X509_free(root);
        n++;
    }
    bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    ERR_clear_error();
    if (n && whole)
        return NULL;
    return n ? "a certificate in it is damaged" : "no certificate is in it";
}

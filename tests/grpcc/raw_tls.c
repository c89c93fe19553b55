/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/grpcc/raw_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The preface of HTTP/2 with an empty SETTINGS frame. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

int raw_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to whom has hung up */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static SSL_CTX *context_of(const struct raw_tls *options)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    if (options->version) {
        SSL_CTX_set_security_level(context, 0); /* OpenSSL's default forbids old versions itself */
        assert_int_equal(SSL_CTX_set_min_proto_version(context, options->version), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(context, options->version), 1);
    }
    if (options->certificate_file) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(context, options->certificate_file), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, options->key_file, SSL_FILETYPE_PEM),
                         1);
    }
    return context;
}

static void offer(SSL *ssl, const char *protocol)
{
    unsigned char list[32];
    size_t length = strlen(protocol);
    assert_true(length < sizeof(list));
    list[0] = (unsigned char)length;
    memcpy(list + 1, protocol, length);
    assert_int_equal(SSL_set_alpn_protos(ssl, list, (unsigned)length + 1), 0);
}

static long serial_of(const SSL *ssl)
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    if (!certificate)
        return 0;
    long serial = ASN1_INTEGER_get(X509_get0_serialNumber(certificate));
    X509_free(certificate);
    return serial;
}

struct raw_tls_seen raw_tls_connect(int port, const struct raw_tls *options)
{
    struct raw_tls_seen seen = {.accepted = false};
    char frame[9];
    int fd = raw_connect(port);
    SSL_CTX *context = context_of(options);
    SSL *ssl = SSL_new(context);
    const char *alpn = options->alpn ? options->alpn : "h2";
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    if (*alpn)
        offer(ssl, alpn);
    ERR_clear_error();
    /* In TLS 1.3 a client is done before the server has looked at its certificate: only what the
     * server sends then shows that it let it in. */
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, preface, sizeof(preface) - 1) > 0)
        seen.accepted = SSL_read(ssl, frame, sizeof(frame)) == (int)sizeof(frame);
    seen.version = SSL_version(ssl);
    seen.serial = serial_of(ssl);
    seen.reason = ERR_GET_REASON(ERR_peek_last_error());
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return seen;
}

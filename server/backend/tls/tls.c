/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/tls/tls.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The line is a JSON object of what the server can do, and of its peers. */
#define INFO_BYTES_MAX 65536

bool comb_tls_is_refusal(const char *message)
{
    return strstr(message, "certificate verify failed") != NULL;
}

/* -1: nobody answers. */
static int connect_to(const struct comb_tls_server *server, unsigned timeout_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval timeout = {timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000};
    struct addrinfo *found = NULL;
    char port[8];
    int fd = -1;
    snprintf(port, sizeof port, "%u", server->port);
    if (getaddrinfo(server->host, port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        /* Linux lets a connect wait no longer than a write. */
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
                        connect(fd, a->ai_addr, a->ai_addrlen) != 0)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Asks PostgreSQL for TLS; it answers with one letter. */
static bool ask_postgres(int fd)
{
    static const unsigned char ssl_request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    char answer = 0;
    return send(fd, ssl_request, sizeof ssl_request, MSG_NOSIGNAL) == sizeof ssl_request &&
           recv(fd, &answer, 1, 0) == 1 && answer == 'S';
}

/* NATS says who it is, in one line, before it speaks TLS. */
static bool hear_nats(int fd)
{
    char c = 0;
    for (int n = 0; c != '\n' && n < INFO_BYTES_MAX; n++)
        if (recv(fd, &c, 1, 0) != 1)
            return false;
    return c == '\n';
}

static bool open_tls(const struct comb_tls_server *server, int fd)
{
    switch (server->opening) {
    case COMB_TLS_POSTGRES:
        return ask_postgres(fd);
    case COMB_TLS_NATS:
        return hear_nats(fd);
    default:
        return true;
    }
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* A handshake that checks as the libraries do. The verdict is X509_V_OK where it was not reached.
 */
static long shake_hands(SSL_CTX *context, const struct comb_tls_server *server, int fd)
{
    SSL *ssl = SSL_new(context);
    long verdict = X509_V_OK;
    if (!ssl)
        return verdict;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    bool named = is_address(server->host)
                     ? X509_VERIFY_PARAM_set1_ip_asc(param, server->host) == 1
                     : X509_VERIFY_PARAM_set1_host(param, server->host, 0) == 1 &&
                           SSL_set_tlsext_host_name(ssl, server->host) == 1;
    if (named && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) != 1)
        verdict = SSL_get_verify_result(ssl);
    SSL_free(ssl);
    return verdict;
}

static const char *advice(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "has expired: renew it";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "is not valid yet: mend the clocks, or wait";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "is for other names: give the host by one of those, or renew it for this one";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "is of an authority that is not known here: name the right file of authorities";
    default:
        return NULL;
    }
}

static long ask(const struct comb_tls_server *server, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    long verdict = X509_V_OK;
    if (!context)
        return verdict;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    int loaded = server->ca ? SSL_CTX_load_verify_locations(context, server->ca, NULL)
                            : SSL_CTX_set_default_verify_paths(context);
    if (loaded == 1)
        verdict = shake_hands(context, server, fd);
    SSL_CTX_free(context);
    return verdict;
}

bool comb_tls_explain(const struct comb_tls_server *server, unsigned timeout_ms,
                      struct comb_error *err)
{
    long verdict = X509_V_OK;
    int fd = connect_to(server, timeout_ms);
    if (fd < 0)
        return false;
    if (open_tls(server, fd))
        verdict = ask(server, fd);
    close(fd);
    if (verdict == X509_V_OK)
        return false;
    const char *words = advice(verdict);
    snprintf(err->msg, sizeof err->msg, "the certificate of %.100s:%u %s", server->host,
             server->port, words ? words : X509_verify_cert_error_string(verdict));
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"
#define PORT_MAX 65535

/* HOST:PORT in its parts; false where there is no port. "[::1]:70" has the host "[::1]". */
static bool split(const char *address, char ret_host[COMB_ADDRESS_TEXT_MAX], unsigned *ret_port)
{
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    if (!colon || colon == address || (size_t)(colon - address) >= COMB_ADDRESS_TEXT_MAX)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port > PORT_MAX)
        return false;
    snprintf(ret_host, COMB_ADDRESS_TEXT_MAX, "%.*s", (int)(colon - address), address);
    *ret_port = (unsigned)port;
    return true;
}

static bool is_this_machine(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 ||
           strcmp(host, "[::1]") == 0;
}

static enum comb_status bind_address(struct grpcc_server *server, const char *address,
                                     const struct comb_options *options, int *ret_port,
                                     struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    struct grpcc_server_tls tls = {
        .certificate_file = options->tls_certificate,
        .key_file = options->tls_key,
        .client_ca_file = options->tls_client_ca,
    };
    enum grpcc_status status = grpcc_server_listen(
        server, address, options->tls_certificate ? &tls : NULL, ret_port, &failure);
    if (status == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, (enum comb_status)status, 0, "listening on %s: %.160s", address,
                          failure.message);
}

enum comb_status comb_listen(struct grpcc_server *server, const char *address,
                             const struct comb_options *options,
                             char ret_address[COMB_ADDRESS_TEXT_MAX], struct comb_error *err)
{
    char host[COMB_ADDRESS_TEXT_MAX];
    unsigned asked = 0;
    int port = 0;
    bool local = strncmp(address, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) == 0;
    if (!local && !split(address, host, &asked))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "\"%.100s\" is no address to listen on: HOST:PORT or unix:PATH",
                              address);
    if (!local && !is_this_machine(host) && !options->tls_certificate && !options->insecure)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%.100s reaches beyond this machine without TLS: give "
                              "--tls-certificate and --tls-key, or --insecure if you mean it",
                              address);
    enum comb_status status = bind_address(server, address, options, &port, err);
    if (status != COMB_OK)
        return status;
    if (local)
        snprintf(ret_address, COMB_ADDRESS_TEXT_MAX, "%s", address);
    else
        snprintf(ret_address, COMB_ADDRESS_TEXT_MAX, "%.200s:%d", host, port);
    return COMB_OK;
}

enum comb_status comb_advertise_check(const char *address, struct comb_error *err)
{
    char host[COMB_ADDRESS_TEXT_MAX];
    unsigned port = 0;
    if (strncmp(address, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) == 0)
        return COMB_OK;
    if (split(address, host, &port) && port > 0 && !strpbrk(host, "/, ") &&
        strcmp(host, "0.0.0.0") != 0 && strcmp(host, "[::]") != 0)
        return COMB_OK;
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                          "--advertise \"%.100s\" is no address to connect to: HOST:PORT or "
                          "unix:PATH",
                          address);
}

enum comb_status comb_listen_next(struct grpcc_server *server, const char *address,
                                  const struct comb_options *options,
                                  char ret_address[COMB_ADDRESS_TEXT_MAX], struct comb_error *err)
{
    char host[COMB_ADDRESS_TEXT_MAX];
    unsigned port = 0;
    enum comb_status status = comb_listen(server, address, options, ret_address, err);
    for (unsigned next = 1; status == COMB_UNAVAILABLE && next < COMB_LISTEN_PORTS_MAX; next++) {
        char candidate[COMB_ADDRESS_TEXT_MAX];
        if (!split(address, host, &port) || port == 0 || port + next > PORT_MAX)
            break;
        snprintf(candidate, sizeof candidate, "%.200s:%u", host, port + next);
        status = comb_listen(server, candidate, options, ret_address, err);
    }
    return status;
}

enum comb_status comb_listen_plain_check(const char *flag, const char *address,
                                         const struct comb_options *options,
                                         char ret_host[COMB_ADDRESS_TEXT_MAX],
                                         struct comb_error *err)
{
    unsigned port = 0;
    if (!split(address, ret_host, &port))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "%s: \"%.100s\" is not HOST:PORT",
                              flag, address);
    if (!is_this_machine(ret_host) && !options->insecure)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s: %.100s reaches beyond this machine without TLS: listen on "
                              "127.0.0.1, or give --insecure if you mean it",
                              flag, address);
    return COMB_OK;
}

enum comb_status comb_ready_write(const char *path, const char *listen, const char *admin,
                                  const char *metrics, struct comb_error *err)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "--ready-file: the path is too long");
    FILE *file = fopen(temporary, "we");
    bool ok = file && fprintf(file, "listen=%s\nadmin=%s\n", listen, admin) > 0;
    if (ok && metrics[0])
        ok = fprintf(file, "metrics=%s\n", metrics) > 0;
    if (file && fclose(file) != 0)
        ok = false;
    if (ok && rename(temporary, path) == 0)
        return COMB_OK;
    int error = errno;
    (void)unlink(temporary);
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "--ready-file %.120s: %s", path,
                          strerror(error));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The server of the official interop cases, on grpcc. Prints the port that it listens on, one line;
 * SIGTERM and SIGINT end it. */
#include <grpcc/server.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/interop/flags.h"
#include "tests/interop/service.h"

/* Java's very_large_request has 10 MiB. */
enum { REQUEST_BYTES_MAX = 16 << 20 };

struct settings {
    const char *host, *tls_cert_file, *tls_key_file;
    int port;
    bool use_tls;
};

static bool read_settings(struct settings *settings, int argc, char **argv)
{
    const struct flag flags[] = {
        {"port", FLAG_NUMBER, &settings->port, "port to listen on; 0: any"},
        {"host", FLAG_TEXT, &settings->host, "address to listen on"},
        {"use_tls", FLAG_BOOL, &settings->use_tls, "TLS instead of plaintext"},
        {"tls_cert_file", FLAG_TEXT, &settings->tls_cert_file, "PEM, the leaf first"},
        {"tls_key_file", FLAG_TEXT, &settings->tls_key_file, "PEM"},
    };
    if (!flags_read(flags, sizeof(flags) / sizeof(flags[0]), argc, argv))
        return false;
    if (settings->port > UINT16_MAX) {
        fprintf(stderr, "--port=%d: ports end at %d\n", settings->port, UINT16_MAX);
        return false;
    }
    if (settings->use_tls && (!settings->tls_cert_file || !settings->tls_key_file)) {
        fprintf(stderr, "--use_tls needs --tls_cert_file and --tls_key_file: there is no built-in "
                        "certificate; docs/interop.md shows how to make one\n");
        return false;
    }
    return true;
}

static bool serve(struct grpcc_server *server, struct interop_service *service,
                  const struct settings *settings, struct grpcc_error *err)
{
    const struct grpcc_server_tls tls = {.certificate_file = settings->tls_cert_file,
                                         .key_file = settings->tls_key_file};
    char address[300];
    int port = 0;
    snprintf(address, sizeof(address), "%s:%d", settings->host, settings->port);
    if (grpc_testing_test_service_register(server, &interop_service_table, service, err) ||
        grpcc_server_listen(server, address, settings->use_tls ? &tls : NULL, &port, err) ||
        grpcc_server_start(server, err))
        return false;
    printf("%d\n", port);
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct settings settings = {.host = "[::]", .port = 10000};
    struct interop_service service;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const struct grpcc_server_options options = {
        .size = sizeof(options), .request_bytes_max = REQUEST_BYTES_MAX, .accept_compressed = true};
    sigset_t ends;
    int received = 0;

    if (!read_settings(&settings, argc, argv))
        return 2;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    interop_service_init(&service);
    struct grpcc_server *server = grpcc_server_new(&options, &err);
    bool serves = server && serve(server, &service, &settings, &err);
    if (serves)
        sigwait(&ends, &received);
    else
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
    grpcc_server_free(server);
    return serves ? 0 : 1;
}

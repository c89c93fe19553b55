/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server listens, and its certificates. */
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"

enum { RELOAD_S_DEFAULT = 10 };

static enum grpcc_status must_be_readable(const char *path, struct grpcc_error *err)
{
    if (access(path, R_OK) == 0)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
}

static enum grpcc_status tls_credentials(const struct grpcc_server_tls *tls,
                                         grpc_server_credentials **ret_credentials,
                                         struct grpcc_error *err)
{
    if (!tls->certificate_file || !tls->key_file)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "TLS needs a certificate file and a key file");
    enum grpcc_status status = must_be_readable(tls->certificate_file, err);
    if (!status)
        status = must_be_readable(tls->key_file, err);
    if (!status && tls->client_ca_file)
        status = must_be_readable(tls->client_ca_file, err);
    if (status)
        return status;
    grpc_tls_certificate_provider *provider = grpc_tls_certificate_provider_file_watcher_create(
        tls->key_file, tls->certificate_file, tls->client_ca_file,
        tls->reload_s ? tls->reload_s : RELOAD_S_DEFAULT);
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    grpc_ssl_client_certificate_request_type request = GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    if (tls->client_ca_file) {
        grpc_tls_credentials_options_watch_root_certs(options);
        request = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    }
    grpc_tls_credentials_options_set_cert_request_type(options, request);
    *ret_credentials = grpc_tls_server_credentials_create(options);
    return GRPCC_OK;
}

enum grpcc_status grpcc_server_listen(struct grpcc_server *server, const char *address,
                                      const struct grpcc_server_tls *tls, int *ret_port,
                                      struct grpcc_error *err)
{
    bool local = strncmp(address, "unix:", 5) == 0;
    grpc_server_credentials *credentials = NULL;
    if (server->state != GRPCC_SERVER_NEW)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "the server has been started");
    enum grpcc_status status = grpcc_server_core_create(server, err);
    if (!status && tls)
        status = tls_credentials(tls, &credentials, err);
    if (status)
        return status;
    if (!tls)
        credentials = grpc_insecure_server_credentials_create();
    /* The socket is made inside core: only the mask keeps others out from its first moment on. */
    mode_t mask = local ? umask(S_IRWXG | S_IRWXO | S_IXUSR) : 0;
    int port = grpc_server_add_http2_port(server->core, address, credentials);
    if (local)
        umask(mask);
    grpc_server_credentials_release(credentials);
    if (port == 0)
        return grpcc_error_set(err, GRPCC_UNAVAILABLE,
                               "cannot listen on %s: the address is taken, or not of this machine",
                               address);
    if (ret_port)
        *ret_port = local ? 0 : port;
    return GRPCC_OK;
}

enum grpcc_status grpcc_server_add_fd(struct grpcc_server *server, int fd, struct grpcc_error *err)
{
    if (server->state != GRPCC_SERVER_RUNNING) {
        close(fd);
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "the server does not run");
    }
    /* Core asserts that the descriptor does not block. */
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        close(fd);
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "not a usable descriptor: %s",
                               strerror(errno));
    }
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    grpc_server_add_channel_from_fd(server->core, fd, credentials);
    grpc_server_credentials_release(credentials);
    return GRPCC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server listens, and its certificates. */
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/runtime/src/security/spiffe.h"
#include "gen/runtime/src/security/tls_files.h"
#include "gen/runtime/src/security/tls_verifier.h"
#include "gen/runtime/src/server/server.h"
#include "grpcc/listen.h"

enum { UNIX_MODE_DEFAULT = S_IRUSR | S_IWUSR, UNIX_MODE_MAX = 0777 };

/* What the options ask of clients, with the default resolved. */
static enum grpcc_client_certificate asked_of_clients(const struct grpcc_listen_options *options)
{
    if (options->client_certificate != GRPCC_CLIENT_CERTIFICATE_DEFAULT)
        return options->client_certificate;
    return options->client_ca_file ? GRPCC_CLIENT_CERTIFICATE_REQUIRED
                                   : GRPCC_CLIENT_CERTIFICATE_NONE;
}

static enum grpcc_status invalid(struct grpcc_error *err, const char *why)
{
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s", why);
}

static enum grpcc_status check_options(const struct grpcc_listen_options *options, bool local,
                                       struct grpcc_error *err)
{
    bool asks = asked_of_clients(options) != GRPCC_CLIENT_CERTIFICATE_NONE;
    if (!options->certificate_file != !options->key_file)
        return invalid(err, "TLS needs a certificate_file and a key_file");
    if (!options->certificate_file && (options->client_ca_file || asks))
        return invalid(err, "client certificates need TLS: give certificate_file and key_file");
    if ((unsigned)options->client_certificate > GRPCC_CLIENT_CERTIFICATE_REQUIRED)
        return invalid(err, "client_certificate is none of its values");
    if (asks != (options->client_ca_file != NULL))
        return invalid(err, asks ? "client certificates need a client_ca_file to be checked by"
                                 : "client_ca_file is of no use where no certificate is asked for");
    if (options->crl_directory && !asks)
        return invalid(err, "crl_directory is of no use without client certificates");
    if (options->client_spiffe_ids && !asks)
        return invalid(err, "client_spiffe_ids are of no use without client certificates");
    if (options->unix_mode > UNIX_MODE_MAX)
        return invalid(err, "unix_mode has more than the bits of a file's mode");
    if (options->unix_mode && !local)
        return invalid(err, "unix_mode is for addresses that begin with unix:");
    return GRPCC_OK;
}

static grpc_ssl_client_certificate_request_type request_type(enum grpcc_client_certificate asked)
{
    if (asked == GRPCC_CLIENT_CERTIFICATE_REQUIRED)
        return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    if (asked == GRPCC_CLIENT_CERTIFICATE_OPTIONAL)
        return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

static enum grpcc_status make_verifier(const struct grpcc_listen_options *options,
                                       grpc_tls_certificate_verifier **ret_verifier,
                                       struct grpcc_error *err)
{
    struct grpcc_spiffe_list *list = NULL;
    if (!options->client_spiffe_ids)
        return GRPCC_OK;
    enum grpcc_status status =
        grpcc_spiffe_list_new(options->client_spiffe_ids, "client_spiffe_ids", &list, err);
    if (status)
        return status;
    bool optional = asked_of_clients(options) == GRPCC_CLIENT_CERTIFICATE_OPTIONAL;
    *ret_verifier = grpcc_tls_verifier_new(list, optional);
    return *ret_verifier ? GRPCC_OK
                         : grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory to listen");
}

static enum grpcc_status tls_credentials(struct grpcc_server *server,
                                         const struct grpcc_listen_options *given,
                                         grpc_server_credentials **ret_credentials,
                                         struct grpcc_error *err)
{
    const struct grpcc_tls_sources sources = {.certificate_file = given->certificate_file,
                                              .key_file = given->key_file,
                                              .ca_file = given->client_ca_file,
                                              .crl_directory = given->crl_directory,
                                              .reload_s = given->reload_s};
    struct grpcc_tls_files *files = NULL;
    grpc_tls_certificate_verifier *verifier = NULL;
    if (server->n_tls_files == GRPCC_LISTENERS_MAX)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "more than %d listeners with TLS",
                               GRPCC_LISTENERS_MAX);
    enum grpcc_status status = make_verifier(given, &verifier, err);
    if (!status)
        status = grpcc_tls_files_open(&sources, &files, err);
    if (!status) {
        server->tls_files[server->n_tls_files++] = files;
        grpc_tls_credentials_options *options = grpcc_tls_files_options(files);
        grpc_tls_credentials_options_set_cert_request_type(options,
                                                           request_type(asked_of_clients(given)));
        if (verifier)
            grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
        *ret_credentials = grpc_tls_server_credentials_create(options);
    }
    if (verifier)
        grpc_tls_certificate_verifier_release(verifier);
    return status;
}

enum grpcc_status grpcc_server_listen_with(struct grpcc_server *server, const char *address,
                                           const struct grpcc_listen_options *given, int *ret_port,
                                           struct grpcc_error *err)
{
    bool local = strncmp(address, "unix:", 5) == 0;
    struct grpcc_listen_options options = {.size = sizeof(options)};
    grpc_server_credentials *credentials = NULL;
    grpcc_options_copy(&options, sizeof(options), given);
    if (server->state != GRPCC_SERVER_NEW)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "the server has been started");
    enum grpcc_status status = check_options(&options, local, err);
    if (!status)
        status = grpcc_server_core_create(server, err);
    if (!status && options.certificate_file)
        status = tls_credentials(server, &options, &credentials, err);
    if (status)
        return status;
    if (!credentials)
        credentials = grpc_insecure_server_credentials_create();
    /* The socket is made inside core: only the mask keeps others out from its first moment on. */
    mode_t mode = options.unix_mode ? options.unix_mode : UNIX_MODE_DEFAULT;
    mode_t mask = local ? umask(~mode & UNIX_MODE_MAX) : 0;
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

enum grpcc_status grpcc_server_listen(struct grpcc_server *server, const char *address,
                                      const struct grpcc_server_tls *tls, int *ret_port,
                                      struct grpcc_error *err)
{
    struct grpcc_listen_options options = {.size = sizeof(options)};
    if (tls && (!tls->certificate_file || !tls->key_file))
        return invalid(err, "TLS needs a certificate_file and a key_file");
    if (tls) {
        options.certificate_file = tls->certificate_file;
        options.key_file = tls->key_file;
        options.client_ca_file = tls->client_ca_file;
        options.reload_s = tls->reload_s;
    }
    return grpcc_server_listen_with(server, address, &options, ret_port, err);
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

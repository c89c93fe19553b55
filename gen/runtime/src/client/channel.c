/* SPDX-License-Identifier: Apache-2.0 */
/* A channel: its arguments, its credentials, its methods. */
#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/client/service_config.h"
#include "gen/runtime/src/client/target.h"
#include "gen/runtime/src/core/compression.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/observe/metrics.h"
#include "gen/runtime/src/security/credentials.h"
#include "gen/runtime/src/security/spiffe.h"
#include "gen/runtime/src/security/tls_files.h"
#include "gen/runtime/src/security/tls_verifier.h"

enum { RESPONSE_BYTES_MAX_DEFAULT = 16 << 20, KEEPALIVE_MS_DEFAULT = 30000 };
enum { METADATA_BYTES_MAX_DEFAULT = 16 << 10 };
enum { ARGUMENTS_MAX = 26 };

struct arguments {
    grpc_arg items[ARGUMENTS_MAX];
    size_t n;
};

static void add_integer(struct arguments *arguments, const char *key, size_t value)
{
    arguments->items[arguments->n++] =
        (grpc_arg){.type = GRPC_ARG_INTEGER,
                   .key = (char *)(uintptr_t)key,
                   .value.integer = value > INT32_MAX ? INT32_MAX : (int)value};
}

static void add_string(struct arguments *arguments, const char *key, const char *value)
{
    if (value)
        arguments->items[arguments->n++] = (grpc_arg){.type = GRPC_ARG_STRING,
                                                      .key = (char *)(uintptr_t)key,
                                                      .value.string = (char *)(uintptr_t)value};
}

static void set_connection_arguments(struct arguments *arguments,
                                     const struct grpcc_channel_options *options)
{
    unsigned keepalive_ms = options->keepalive_ms ? options->keepalive_ms : KEEPALIVE_MS_DEFAULT;
    if (!options->keepalive_off) {
        add_integer(arguments, GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
        add_integer(arguments, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,
                    !options->keepalive_calls_only);
        if (options->keepalive_timeout_ms)
            add_integer(arguments, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options->keepalive_timeout_ms);
    }
    if (options->idle_ms)
        add_integer(arguments, GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, options->idle_ms);
    if (options->own_connections)
        add_integer(arguments, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (options->reconnect_min_ms)
        add_integer(arguments, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, options->reconnect_min_ms);
    if (options->reconnect_max_ms)
        add_integer(arguments, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, options->reconnect_max_ms);
}

static void set_arguments(struct arguments *arguments, const struct grpcc_channel_options *options,
                          const char *service_config)
{
    arguments->n = 0;
    set_connection_arguments(arguments, options);
    add_integer(arguments, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, options->response_bytes_max);
    if (options->request_bytes_max)
        add_integer(arguments, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, options->request_bytes_max);
    add_integer(arguments, GRPC_ARG_MAX_METADATA_SIZE,
                options->metadata_bytes_max ? options->metadata_bytes_max
                                            : METADATA_BYTES_MAX_DEFAULT);
    add_integer(arguments, GRPC_ARG_ENABLE_RETRIES, !options->retries_off);
    /* Core inflates without a limit on what comes out: it is done here, or not at all. */
    add_integer(arguments, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET,
                (size_t)grpcc_compression_bitset(options->accept_compressed));
    add_integer(arguments, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    add_string(arguments, GRPC_ARG_SERVICE_CONFIG, service_config);
    add_string(arguments, GRPC_ARG_PRIMARY_USER_AGENT_STRING, options->user_agent);
    add_string(arguments, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, options->host_override);
}

/* ---- credentials ---- */

static bool wants_tls(const struct grpcc_channel_options *options)
{
    return options->tls || options->ca_file || options->certificate_file || options->key_file ||
           options->crl_directory || options->server_spiffe_ids;
}

static enum grpcc_status check_tls(const struct grpcc_channel_options *options,
                                   struct grpcc_error *err)
{
    if (!options->certificate_file != !options->key_file)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "a client certificate needs its key file, and the other way round");
    if (options->crl_directory && !options->ca_file)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "crl_directory needs the ca_file that its lists belong to");
    if (options->server_spiffe_ids && !options->ca_file)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "server_spiffe_ids need the ca_file that vouches for them");
    return GRPCC_OK;
}

/* The server is known by its SPIFFE ID, and has no host name. */
static enum grpcc_status expect_spiffe_ids(grpc_tls_credentials_options *options,
                                           struct grpcc_spiffe_list *list, struct grpcc_error *err)
{
    grpc_tls_certificate_verifier *verifier = grpcc_tls_verifier_new(list, false);
    if (!verifier)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a channel");
    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_credentials_options_set_check_call_host(options, 0);
    grpc_tls_certificate_verifier_release(verifier);
    return GRPCC_OK;
}

static enum grpcc_status make_credentials(struct grpcc_channel *channel,
                                          const struct grpcc_channel_options *given,
                                          grpc_channel_credentials **ret_credentials,
                                          struct grpcc_error *err)
{
    const struct grpcc_tls_sources sources = {.certificate_file = given->certificate_file,
                                              .key_file = given->key_file,
                                              .ca_file = given->ca_file,
                                              .crl_directory = given->crl_directory,
                                              .reload_s = given->reload_s};
    struct grpcc_spiffe_list *list = NULL;
    if (!wants_tls(given)) {
        *ret_credentials = grpc_insecure_credentials_create();
        return GRPCC_OK;
    }
    enum grpcc_status status = check_tls(given, err);
    if (!status && given->server_spiffe_ids)
        status = grpcc_spiffe_list_new(given->server_spiffe_ids, "server_spiffe_ids", &list, err);
    if (!status)
        status = grpcc_tls_files_open(&sources, &channel->tls_files, err);
    if (status) {
        grpcc_spiffe_list_free(list);
        return status;
    }
    grpc_tls_credentials_options *options = grpcc_tls_files_options(channel->tls_files);
    if (list)
        status = expect_spiffe_ids(options, list, err);
    /* It takes the options: there is no other way to be rid of them. */
    *ret_credentials = grpc_tls_credentials_create(options);
    return status;
}

/* ---- life ---- */

/* As core reads a target: one without a scheme that it knows is a name for DNS. */
static char *canonical_target(const char *target)
{
    static const char *const schemes[] = {
        "dns:", "ipv4:", "ipv6:", "unix:", "xds:", "unix-abstract:", "fd:", "policy:", "vsock:"};
    const char *scheme = "dns:///";
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(target, schemes[i], strlen(schemes[i])) == 0)
            scheme = "";
    size_t size = strlen(scheme) + strlen(target) + 1;
    char *text = grpcc_memory_alloc(size);
    if (text)
        snprintf(text, size, "%s%s", scheme, target);
    return text;
}

/* Sets up what is told of the channel's calls; false: no memory. */
static bool observe(struct grpcc_channel *channel, const char *target,
                    const struct grpcc_channel_options *options)
{
    channel->target = canonical_target(target);
    if (!channel->target)
        return false;
    if (options->spans) {
        grpcc_options_copy(&channel->spans, sizeof(channel->spans), options->spans);
        channel->has_spans = true;
    }
    if (options->metrics)
        channel->metrics = grpcc_metrics_target(options->metrics, channel->target);
    return !options->metrics || channel->metrics;
}

static struct grpcc_channel *channel_new(const char *target,
                                         const struct grpcc_channel_options *options,
                                         struct grpcc_error *err)
{
    struct grpcc_channel *channel = grpcc_memory_zalloc(sizeof(*channel));
    if (!channel) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a channel");
        return NULL;
    }
    if (grpcc_client_acquire(&channel->queue, &channel->clock, err)) {
        grpcc_memory_free(channel);
        return NULL;
    }
    atomic_store(&channel->refs, 1);
    pthread_mutex_init(&channel->lock, NULL);
    channel->limits = options->message_limits;
    channel->metadata_bytes_max =
        options->metadata_bytes_max ? options->metadata_bytes_max : METADATA_BYTES_MAX_DEFAULT;
    grpcc_budget_init(&channel->budget, GRPCC_BUDGET_TOKENS_DEFAULT, GRPCC_BUDGET_RATIO_DEFAULT);
    channel->inflated_bytes_max = options->inflated_bytes_max;
    if (observe(channel, target, options))
        return channel;
    grpcc_channel_release(channel);
    grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a channel");
    return NULL;
}

static struct grpcc_channel_options complete(const struct grpcc_channel_options *given)
{
    struct grpcc_channel_options options = {.size = sizeof(options)};
    grpcc_options_copy(&options, sizeof(options), given);
    if (!options.response_bytes_max)
        options.response_bytes_max = RESPONSE_BYTES_MAX_DEFAULT;
    if (!options.inflated_bytes_max)
        options.inflated_bytes_max = options.response_bytes_max;
    return options;
}

/* Adds what is asked for at each call to what the connection is made with. */
static enum grpcc_status add_call_credentials(const struct grpcc_channel *channel,
                                              const struct grpcc_credentials *of_calls,
                                              grpc_channel_credentials **credentials,
                                              struct grpcc_error *err)
{
    if (!of_calls)
        return GRPCC_OK;
    if (!channel->tls_files && !of_calls->allow_plaintext)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "the credentials would go in plain text: use TLS, or set their "
                               "allow_plaintext where the way to the server is safe");
    grpc_channel_credentials *both =
        grpc_composite_channel_credentials_create(*credentials, of_calls->core, NULL);
    grpc_channel_credentials_release(*credentials);
    *credentials = both;
    return GRPCC_OK;
}

static enum grpcc_status create_core(struct grpcc_channel *channel, const char *target,
                                     const struct grpcc_channel_options *options,
                                     const char *service_config, struct grpcc_error *err)
{
    struct arguments arguments;
    grpc_channel_credentials *credentials = NULL;
    enum grpcc_status status = make_credentials(channel, options, &credentials, err);
    if (!status)
        status = add_call_credentials(channel, options->credentials, &credentials, err);
    if (status) {
        if (credentials)
            grpc_channel_credentials_release(credentials);
        return status;
    }
    set_arguments(&arguments, options, service_config);
    grpc_channel_args args = {arguments.n, arguments.items};
    channel->core = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    /* What core cannot use it answers with a channel that fails every call, and is never idle. */
    if (channel->core &&
        grpc_channel_check_connectivity_state(channel->core, 0) == GRPC_CHANNEL_IDLE)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: not a usable target%s", target,
                           options->service_config ? ", or core does not accept the service config"
                                                   : "");
}

static enum grpcc_status connect_to(struct grpcc_channel *channel, const char *target,
                                    const struct grpcc_channel_options *options,
                                    struct grpcc_error *err)
{
    struct grpcc_service_config config;
    enum grpcc_status status = grpcc_service_config_init(&config, options, err);
    if (!status)
        status = create_core(channel, target, options, config.text, err);
    if (!status)
        grpcc_budget_init(&channel->budget, config.budget_tokens, config.budget_ratio);
    grpcc_service_config_done(&config);
    return status;
}

struct grpcc_channel *grpcc_channel_new(const char *target,
                                        const struct grpcc_channel_options *given,
                                        struct grpcc_error *err)
{
    struct grpcc_channel_options options = complete(given);
    if (grpcc_target_check(target, err))
        return NULL;
    struct grpcc_channel *channel = channel_new(target, &options, err);
    if (channel && connect_to(channel, target, &options, err)) {
        grpcc_channel_release(channel);
        return NULL;
    }
    return channel;
}

struct grpcc_channel *grpcc_channel_new_fd(int fd, const struct grpcc_channel_options *given,
                                           struct grpcc_error *err)
{
    struct grpcc_channel_options options = complete(given);
    struct arguments arguments;
    struct grpcc_channel *channel = channel_new("fd:", &options, err);
    int flags = fcntl(fd, F_GETFL);
    if (!channel || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        if (channel)
            grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "not a usable descriptor: %s",
                            strerror(errno));
        grpcc_channel_release(channel);
        close(fd);
        return NULL;
    }
    if (wants_tls(&options) || options.credentials) {
        grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                        "a channel over a descriptor has neither TLS nor credentials");
        grpcc_channel_release(channel);
        close(fd);
        return NULL;
    }
    set_arguments(&arguments, &options, NULL);
    grpc_channel_args args = {arguments.n, arguments.items};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    channel->core = grpc_channel_create_from_fd("fd", fd, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

struct grpcc_channel *grpcc_channel_new_policy(const struct grpcc_channel_policy *policy,
                                               void *self, struct grpcc_error *err)
{
    struct grpcc_channel_options options = complete(NULL);
    struct grpcc_channel *channel = channel_new("policy:", &options, err);
    if (channel) {
        channel->policy = policy;
        channel->policy_self = self;
    }
    return channel;
}

void grpcc_channel_release(struct grpcc_channel *channel)
{
    if (!channel || atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (channel->free_calls) {
        struct grpcc_client_call *call = channel->free_calls;
        channel->free_calls = call->next_free;
        grpcc_client_call_destroy(call);
    }
    if (channel->core)
        grpc_channel_destroy(channel->core);
    grpcc_tls_files_close(channel->tls_files);
    grpcc_memory_free(channel->registered);
    grpcc_memory_free(channel->target);
    pthread_mutex_destroy(&channel->lock);
    grpcc_memory_free(channel);
    grpcc_client_release();
}

void grpcc_channel_free(struct grpcc_channel *channel)
{
    /* In the child of a fork nothing of core may be touched: what is left there is lost with the
     * process. */
    if (!grpcc_client_is_forked())
        grpcc_channel_release(channel);
}

/* ---- methods ---- */

static size_t slot_of(const struct grpcc_registered *table, size_t capacity,
                      const struct grpcc_method *method)
{
    size_t slot = ((uintptr_t)method / sizeof(*method)) & (capacity - 1);
    while (table[slot].method && table[slot].method != method)
        slot = (slot + 1) & (capacity - 1);
    return slot;
}

static bool table_grow_locked(struct grpcc_channel *channel)
{
    size_t capacity = channel->capacity ? channel->capacity * 2 : 64;
    struct grpcc_registered *table = grpcc_memory_zalloc(capacity * sizeof(*table));
    if (!table)
        return false;
    for (size_t i = 0; i < channel->capacity; i++)
        if (channel->registered[i].method)
            table[slot_of(table, capacity, channel->registered[i].method)] = channel->registered[i];
    grpcc_memory_free(channel->registered);
    channel->registered = table;
    channel->capacity = capacity;
    return true;
}

void *grpcc_channel_handle(struct grpcc_channel *channel, const struct grpcc_method *method)
{
    void *handle = NULL;
    pthread_mutex_lock(&channel->lock);
    /* At most half full, so that searches are short and end. */
    if (channel->n_registered * 2 < channel->capacity || table_grow_locked(channel)) {
        struct grpcc_registered *entry =
            &channel->registered[slot_of(channel->registered, channel->capacity, method)];
        if (!entry->method) {
            entry->method = method;
            entry->handle = grpc_channel_register_call(channel->core, method->path, NULL, NULL);
            channel->n_registered++;
        }
        handle = entry->handle;
    }
    pthread_mutex_unlock(&channel->lock);
    return handle;
}

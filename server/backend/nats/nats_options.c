/* SPDX-License-Identifier: Apache-2.0 */
/* The URL and the credentials as cnats wants them. */
#include <stdio.h>
#include <string.h>

#include "server/backend/nats/internal.h"
#include "server/core/url.h"

#define PORT 4222
#define PREFIX_BYTES_MAX 64
#define CONNECT_TIMEOUT_MS 2000
#define PING_MS 500
#define PINGS_OUT_MAX 2
#define RECONNECT_MS 50
#define RECONNECT_JITTER_MS 200
/* What is published while the server is away, until it is refused. */
#define WAITING_BYTES_MAX (1 << 20)
/* A publisher is not held longer by a server that does not read. */
#define WRITE_DEADLINE_MS 500

static enum comb_status refuse(struct comb_error *err, const char *what)
{
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                          "events take nats://HOST:PORT,HOST:PORT/PREFIX: %s", what);
}

static bool is_prefix(comb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return text.len > 0 && text.len <= PREFIX_BYTES_MAX;
}

static natsStatus set_servers(struct comb_nats *nats, const struct comb_url *url, bool tls)
{
    const char *servers[COMB_URL_HOSTS_MAX];
    for (size_t i = 0; i < url->n_hosts; i++) {
        comb_str name = url->hosts[i].name;
        const char *open = memchr(name.ptr, ':', name.len) ? "[" : "";
        servers[i] = grpcc_arena_printf(nats->arena, "%s://%s%s%s:%u", tls ? "tls" : "nats", open,
                                        name.ptr, open[0] ? "]" : "", (unsigned)url->hosts[i].port);
        if (!servers[i])
            return NATS_NO_MEMORY;
    }
    return natsOptions_SetServers(nats->options, servers, (int)url->n_hosts);
}

static bool wants_tls(const struct comb_url *url)
{
    return comb_url_param(url, "tls").ptr || comb_url_param(url, "ca").ptr ||
           comb_url_param(url, "cert").ptr || comb_url_param(url, "key").ptr;
}

static enum comb_status set_tls(struct comb_nats *nats, const struct comb_url *url,
                                struct comb_error *err)
{
    comb_str ca = comb_url_param(url, "ca"), tls = comb_url_param(url, "tls");
    comb_str cert = comb_url_param(url, "cert"), key = comb_url_param(url, "key");
    if (tls.ptr && !comb_str_equal(tls, STR("on")))
        return refuse(err, "tls is on, or left out");
    if (!wants_tls(url))
        return COMB_OK;
    if (!cert.ptr != !key.ptr)
        return refuse(err, "cert and key come together");
    if (natsOptions_SetSecure(nats->options, true) != NATS_OK)
        return refuse(err, "this build's cnats has no TLS");
    if (ca.ptr && natsOptions_LoadCATrustedCertificates(nats->options, ca.ptr) != NATS_OK)
        return refuse(err, "the file of ca cannot be read, or is no certificate in PEM");
    if (cert.ptr && natsOptions_LoadCertificatesChain(nats->options, cert.ptr, key.ptr) != NATS_OK)
        return refuse(err, "the files of cert and key cannot be read, or do not belong together");
    if (url->n_hosts == 1 &&
        natsOptions_SetExpectedHostname(nats->options, url->hosts[0].name.ptr) != NATS_OK)
        return comb_error_no_memory(err);
    return COMB_OK;
}

/* "user:password", or a token. */
static natsStatus set_credentials(struct comb_nats *nats, comb_str text)
{
    if (text.len == 0)
        return NATS_OK;
    nats->secret = comb_str_dup(nats->arena, text);
    if (!nats->secret)
        return NATS_NO_MEMORY;
    char *colon = strchr(nats->secret, ':');
    if (!colon)
        return natsOptions_SetToken(nats->options, nats->secret);
    *colon = '\0';
    natsStatus status = natsOptions_SetUserInfo(nats->options, nats->secret, colon + 1);
    *colon = ':';
    return status;
}

static natsStatus set_manners(struct comb_nats *nats)
{
    natsOptions *to = nats->options;
    natsStatus status = natsOptions_SetName(to, "combd");
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(to, CONNECT_TIMEOUT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(to, PING_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxPingsOut(to, PINGS_OUT_MAX);
    if (status == NATS_OK)
        status = natsOptions_SetAllowReconnect(to, true);
    if (status == NATS_OK)
        status = natsOptions_SetMaxReconnect(to, -1);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(to, RECONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectJitter(to, RECONNECT_JITTER_MS, RECONNECT_JITTER_MS);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectBufSize(to, WAITING_BYTES_MAX);
    if (status == NATS_OK)
        status = natsOptions_SetWriteDeadline(to, WRITE_DEADLINE_MS);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(to, true);
    if (status == NATS_OK)
        status = natsOptions_UseGlobalMessageDelivery(to, true);
    return status;
}

enum comb_status comb_nats_configure(struct comb_nats *nats,
                                     const struct comb_store_options *options,
                                     struct comb_error *err)
{
    static const char *const names[] = {"ca", "cert", "key", "tls", NULL};
    struct comb_url url;
    enum comb_status status = comb_url_parse(nats->arena, options->url, PORT, names, &url, err);
    if (status != COMB_OK)
        return status;
    if (!comb_str_equal(url.scheme, STR("nats")))
        return refuse(err, "it has another scheme");
    if (url.user.len > 0)
        return refuse(err, "user and password, or token, come from --events-credentials-file");
    if (url.path.len > 0 && !is_prefix(url.path))
        return refuse(err, "PREFIX has at most 64 letters, digits, \"-\" and \"_\"");
    nats->prefix = url.path.len > 0 ? url.path.ptr : "comb";
    natsStatus native = natsOptions_Create(&nats->options);
    if (native == NATS_OK)
        native = set_servers(nats, &url, wants_tls(&url));
    if (native == NATS_OK)
        native = set_credentials(nats, options->credentials);
    if (native == NATS_OK)
        native = set_manners(nats);
    if (native != NATS_OK)
        return comb_nats_error(err, native, NULL);
    if (wants_tls(&url))
        nats->tls = (struct comb_tls_server){url.hosts[0].name.ptr, url.hosts[0].port,
                                             COMB_TLS_NATS, comb_url_param(&url, "ca").ptr};
    return set_tls(nats, &url, err);
}

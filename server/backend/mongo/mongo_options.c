/* SPDX-License-Identifier: Apache-2.0 */
/* The URL and the credentials as libmongoc wants them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/backend/mongo/internal.h"
#include "server/core/clock.h"
#include "server/core/url.h"

#define PORT 27017
#define TIMEOUT_MS_DEFAULT 10000
#define TIMEOUT_MS_MAX 300000
#define CONNECTIONS_DEFAULT 8
#define DATABASE_BYTES_MAX 63
/* Connecting, and finding out who is the primary. */
#define CONNECT_MS 2000
/* Of the keeper's questions: a server that is silent for longer is away. */
#define QUESTION_MS 2000

static enum comb_status refuse(struct comb_error *err, const char *what)
{
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                          "docs take mongodb://HOST:PORT,HOST:PORT/DATABASE: %s", what);
}

static enum comb_status read_number(const struct comb_url *url, const char *name, unsigned most,
                                    unsigned without, unsigned *ret, struct comb_error *err)
{
    comb_str text = comb_url_param(url, name);
    char *end = NULL;
    *ret = without;
    if (!text.ptr)
        return COMB_OK;
    unsigned long value = strtoul(text.ptr, &end, 10);
    if (text.len == 0 || *end != '\0' || value < 1 || value > most)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "%s of mongodb:// is 1 to %u", name,
                              most);
    *ret = (unsigned)value;
    return COMB_OK;
}

static bool is_name(comb_str text, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return text.len > 0 && text.len <= max;
}

/* "mongodb://host:port,[::1]:port/": the rest is set by libmongoc's functions. */
static mongoc_uri_t *make_uri(const struct comb_url *url, struct grpcc_arena *arena)
{
    char *text = grpcc_arena_strdup(arena, "mongodb://");
    for (size_t i = 0; i < url->n_hosts && text; i++) {
        comb_str name = url->hosts[i].name;
        bool is_six = memchr(name.ptr, ':', name.len) != NULL;
        text = grpcc_arena_printf(arena, "%s%s%s%s%s:%u", text, i > 0 ? "," : "", is_six ? "[" : "",
                                  name.ptr, is_six ? "]" : "", (unsigned)url->hosts[i].port);
    }
    return text ? mongoc_uri_new(text) : NULL;
}

static bool set_credentials(mongoc_uri_t *uri, const struct comb_url *url, const char *user,
                            const char *password)
{
    comb_str source = comb_url_param(url, "authSource");
    if (!user)
        return true;
    return mongoc_uri_set_username(uri, user) && mongoc_uri_set_password(uri, password) &&
           mongoc_uri_set_auth_source(uri, source.len > 0 ? source.ptr : "admin");
}

static bool set_manners(mongoc_uri_t *uri, const struct comb_url *url, unsigned timeout_ms,
                        unsigned connections)
{
    comb_str set = comb_url_param(url, "replicaSet");
    return mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, (int32_t)timeout_ms) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_MS) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, CONNECT_MS) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, (int32_t)connections) &&
           mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false) &&
           mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false) &&
           mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_APPNAME, "combd") &&
           (set.len == 0 || mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_REPLICASET, set.ptr));
}

static enum comb_status set_tls(struct comb_mongo *mongo, const struct comb_url *url,
                                struct comb_error *err)
{
    comb_str tls = comb_url_param(url, "tls"), ca = comb_url_param(url, "ca");
    comb_str cert = comb_url_param(url, "cert");
    if (tls.ptr && !comb_str_equal(tls, STR("on")))
        return refuse(err, "tls is on, or left out");
    mongo->has_tls = tls.ptr || ca.ptr || cert.ptr;
    if (ca.ptr && access(ca.ptr, R_OK) != 0)
        return refuse(err, "the file of ca cannot be read");
    if (cert.ptr && access(cert.ptr, R_OK) != 0)
        return refuse(err, "the file of cert, certificate and key in one, cannot be read");
    mongo->ssl = *mongoc_ssl_opt_get_default();
    mongo->ssl.ca_file = ca.len > 0 ? ca.ptr : NULL;
    mongo->ssl.pem_file = cert.len > 0 ? cert.ptr : NULL;
    mongo->tls = (struct comb_tls_server){
        .host = url->hosts[0].name.ptr,
        .port = url->hosts[0].port,
        .ca = mongo->ssl.ca_file,
    };
    return COMB_OK;
}

/* "user:password" as two texts. */
static enum comb_status split_credentials(struct comb_mongo *mongo, comb_str text, char **ret_user,
                                          char **ret_password, struct comb_error *err)
{
    *ret_user = *ret_password = NULL;
    if (text.len == 0)
        return COMB_OK;
    char *own = comb_str_dup(mongo->arena, text);
    if (!own)
        return comb_error_no_memory(err);
    mongo->secret = comb_str_of(own, text.len);
    char *colon = strchr(own, ':');
    if (!colon || colon == own || strlen(own) != text.len)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "--docs-credentials-file has one line: user:password");
    *colon = '\0';
    *ret_user = own;
    *ret_password = colon + 1;
    return COMB_OK;
}

static enum comb_status set_uris(struct comb_mongo *mongo, const struct comb_url *url,
                                 comb_str credentials, struct comb_error *err)
{
    unsigned timeout_ms = 0, connections = 0;
    char *user = NULL, *password = NULL;
    enum comb_status status =
        read_number(url, "timeout_ms", TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT, &timeout_ms, err);
    if (status == COMB_OK)
        status = read_number(url, "connections", COMB_MONGO_CONNECTIONS_MAX, CONNECTIONS_DEFAULT,
                             &connections, err);
    if (status == COMB_OK)
        status = split_credentials(mongo, credentials, &user, &password, err);
    if (status != COMB_OK)
        return status;
    mongo->wanted = connections;
    mongo->timeout_ns = (int64_t)timeout_ms * COMB_NS_PER_MS;
    mongo->uri = make_uri(url, mongo->arena);
    mongo->keeper_uri = make_uri(url, mongo->arena);
    if (!mongo->uri || !mongo->keeper_uri)
        return refuse(err, "libmongoc does not take its hosts");
    if (!set_credentials(mongo->uri, url, user, password) ||
        !set_credentials(mongo->keeper_uri, url, user, password) ||
        !set_manners(mongo->uri, url, timeout_ms, connections) ||
        !set_manners(mongo->keeper_uri, url, QUESTION_MS, 1))
        return refuse(err, "libmongoc does not take the user, replicaSet or authSource");
    if (mongo->has_tls && (!mongoc_uri_set_option_as_bool(mongo->uri, MONGOC_URI_TLS, true) ||
                           !mongoc_uri_set_option_as_bool(mongo->keeper_uri, MONGOC_URI_TLS, true)))
        return refuse(err, "this build's libmongoc has no TLS");
    return COMB_OK;
}

enum comb_status comb_mongo_configure(struct comb_mongo *mongo,
                                      const struct comb_store_options *options,
                                      struct comb_error *err)
{
    static const char *const names[] = {"replicaSet", "authSource", "tls",         "ca",
                                        "cert",       "timeout_ms", "connections", NULL};
    struct comb_url url;
    enum comb_status status = comb_url_parse(mongo->arena, options->url, PORT, names, &url, err);
    if (status != COMB_OK)
        return status;
    if (!comb_str_equal(url.scheme, STR("mongodb")))
        return refuse(err, "it has another scheme");
    if (url.user.len > 0)
        return refuse(err, "user and password come from --docs-credentials-file");
    if (!is_name(url.path, DATABASE_BYTES_MAX))
        return refuse(err, "DATABASE has at most 63 letters, digits, \"-\" and \"_\"");
    mongo->database = comb_str_dup(mongo->arena, url.path);
    if (!mongo->database)
        return comb_error_no_memory(err);
    status = set_tls(mongo, &url, err);
    return status == COMB_OK ? set_uris(mongo, &url, options->credentials, err) : status;
}

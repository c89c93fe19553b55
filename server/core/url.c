/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/url.h"

#include <ctype.h>
#include <string.h>

#include "grpcc/arena.h"

#define PORT_MAX 65535u

/* What is left of the text, and where errors go. */
struct reader {
    struct grpcc_arena *arena;
    comb_str rest;
    struct comb_error *err;
};

static enum comb_status refuse(struct comb_error *err, const char *what)
{
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                          "the URL of a store is SCHEME://HOST:PORT/PATH?NAME=VALUE: %s", what);
}

/* Takes what stands before the first of the characters, which it leaves; all where there is none.
 */
static comb_str take_until(comb_str *rest, const char *stops)
{
    size_t n = 0;
    while (n < rest->len && !memchr(stops, rest->ptr[n], strlen(stops)))
        n++;
    comb_str taken = comb_str_of(rest->ptr, n);
    *rest = comb_str_of(rest->ptr + n, rest->len - n);
    return taken;
}

static bool take(comb_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = comb_str_of(rest->ptr + 1, rest->len - 1);
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum comb_status decode(const struct reader *r, comb_str raw, comb_str *ret)
{
    char *text = grpcc_arena_alloc(r->arena, raw.len + 1);
    size_t n = 0;
    if (!text)
        return comb_error_no_memory(r->err);
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? digit_of(raw.ptr[i + 1]) : -1;
            int low = i + 2 < raw.len ? digit_of(raw.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return refuse(r->err, "% takes two hexadecimal digits behind it");
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return refuse(r->err, "it must not contain NUL");
        text[n++] = c;
    }
    text[n] = '\0';
    *ret = comb_str_of(text, n);
    return COMB_OK;
}

static enum comb_status read_port(struct reader *r, comb_str digits, uint16_t *ret_port)
{
    unsigned port = 0;
    for (size_t i = 0; i < digits.len && port <= PORT_MAX; i++) {
        if (!isdigit((unsigned char)digits.ptr[i]))
            return refuse(r->err, "a port is a number");
        port = port * 10 + (unsigned)(digits.ptr[i] - '0');
    }
    if (port == 0 || port > PORT_MAX)
        return refuse(r->err, "a port is a number from 1 to 65535");
    *ret_port = (uint16_t)port;
    return COMB_OK;
}

/* HOST, HOST:PORT or [ADDRESS]:PORT */
static enum comb_status read_host(struct reader *r, comb_str text, uint16_t default_port,
                                  struct comb_url_host *ret_host)
{
    comb_str name;
    if (take(&text, '[')) {
        name = take_until(&text, "]");
        if (!take(&text, ']'))
            return refuse(r->err, "an IPv6 address ends with ]");
    } else {
        name = take_until(&text, ":");
    }
    ret_host->port = default_port;
    if (name.len == 0)
        return refuse(r->err, "a host is missing");
    enum comb_status status = decode(r, name, &ret_host->name);
    if (status != COMB_OK || text.len == 0)
        return status;
    return take(&text, ':') ? read_port(r, text, &ret_host->port)
                            : refuse(r->err, "behind a host comes :PORT, or a comma and the next");
}

static enum comb_status read_authority(struct reader *r, comb_str text, uint16_t default_port,
                                       struct comb_url *url)
{
    const char *at = memchr(text.ptr, '@', text.len);
    if (at) {
        comb_str user = comb_str_of(text.ptr, (size_t)(at - text.ptr));
        if (memchr(user.ptr, ':', user.len))
            return refuse(r->err, "a password does not belong into it, since others can read the "
                                  "command line; give it by the row's credentials file");
        enum comb_status status = decode(r, user, &url->user);
        if (status != COMB_OK)
            return status;
        text = comb_str_of(at + 1, text.len - user.len - 1);
    }
    do {
        comb_str host = take_until(&text, ",");
        if (url->n_hosts == COMB_URL_HOSTS_MAX)
            return refuse(r->err, "it has more than 16 hosts");
        enum comb_status status = read_host(r, host, default_port, &url->hosts[url->n_hosts]);
        if (status != COMB_OK)
            return status;
        url->n_hosts++;
    } while (take(&text, ','));
    return COMB_OK;
}

static bool is_known(comb_str name, const char *const *names)
{
    for (size_t i = 0; names && names[i]; i++) {
        if (comb_str_equal(name, comb_str_from(names[i])))
            return true;
    }
    return false;
}

static enum comb_status read_param(struct reader *r, const char *const *names, struct comb_url *url)
{
    comb_str pair = take_until(&r->rest, "&#"), raw_name = take_until(&pair, "="), name, value;
    enum comb_status status = decode(r, raw_name, &name);
    take(&pair, '=');
    if (status == COMB_OK)
        status = decode(r, pair, &value);
    if (status != COMB_OK)
        return status;
    if (!is_known(name, names))
        return comb_error_set(r->err, COMB_INVALID_ARGUMENT, 0,
                              "the URL's parameter \"%.64s\" is not one that this store has",
                              name.ptr);
    if (comb_url_param(url, name.ptr).ptr || url->n_params == COMB_URL_PARAMS_MAX)
        return refuse(r->err, "a parameter comes twice");
    url->params[url->n_params].name = name;
    url->params[url->n_params++].value = value;
    return COMB_OK;
}

enum comb_status comb_url_parse(struct grpcc_arena *arena, comb_str text, uint16_t default_port,
                                const char *const *names, struct comb_url *ret_url,
                                struct comb_error *err)
{
    struct reader r = {arena, text, err};
    *ret_url = (struct comb_url){.scheme = take_until(&r.rest, ":/?#")};
    if (ret_url->scheme.len == 0 || !take(&r.rest, ':') || !take(&r.rest, '/') ||
        !take(&r.rest, '/'))
        return refuse(err, "it does not begin with SCHEME://");
    comb_str authority = take_until(&r.rest, "/?#");
    if (authority.len == 0)
        return refuse(err, "a host is missing");
    enum comb_status status = read_authority(&r, authority, default_port, ret_url);
    ret_url->path = STR("");
    if (status == COMB_OK && take(&r.rest, '/'))
        status = decode(&r, take_until(&r.rest, "?#"), &ret_url->path);
    bool more = status == COMB_OK && take(&r.rest, '?') && r.rest.len > 0;
    while (status == COMB_OK && more) {
        status = read_param(&r, names, ret_url);
        more = take(&r.rest, '&');
    }
    if (status == COMB_OK && r.rest.len > 0)
        return refuse(err, "it has no #FRAGMENT");
    return status;
}

comb_str comb_url_param(const struct comb_url *url, const char *name)
{
    for (size_t i = 0; i < url->n_params; i++) {
        if (comb_str_equal(url->params[i].name, comb_str_from(name)))
            return url->params[i].value;
    }
    return (comb_str){0};
}

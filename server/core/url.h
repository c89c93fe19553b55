/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The URL of a clustered store: SCHEME://[USER@]HOST[:PORT][,HOST[:PORT]…][/PATH][?NAME=VALUE&…].
 * RFC 3986 but for the list of hosts, which etcd's, NATS' and PostgreSQL's clients write so.
 */
#ifndef COMB_CORE_URL_H
#define COMB_CORE_URL_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/error.h"
#include "server/core/str.h"

#define COMB_URL_HOSTS_MAX 16
#define COMB_URL_PARAMS_MAX 16

struct comb_url_host {
    comb_str name; /* without the brackets of an IPv6 address; zero-terminated */
    uint16_t port;
};

struct comb_url {
    comb_str scheme; /* "etcd" */
    comb_str user;   /* empty: none */
    struct comb_url_host hosts[COMB_URL_HOSTS_MAX];
    size_t n_hosts; /* at least 1 */
    comb_str path;  /* without the first "/"; zero-terminated */
    struct {
        comb_str name, value; /* zero-terminated */
    } params[COMB_URL_PARAMS_MAX];
    size_t n_params;
};

/*
 * User, path, names and values are decoded (%XX) into arena. names: the parameters that the driver
 * knows, NULL at the end. INVALID_ARGUMENT, with what to do: no scheme or host, a port outside of
 * 1…65535, a parameter that is unknown or comes twice, a fragment, a broken %XX, a NUL, and a
 * password, which belongs into the row's credentials file.
 */
enum comb_status comb_url_parse(struct grpcc_arena *arena, comb_str text, uint16_t default_port,
                                const char *const *names, struct comb_url *ret_url,
                                struct comb_error *err) COMB_MUST_CHECK;
/* The parameter's value; ptr is NULL where it is not given. */
comb_str comb_url_param(const struct comb_url *url, const char *name);

#endif

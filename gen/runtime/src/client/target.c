/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets, as gRPC names them. Core takes what it does not understand for a name of DNS, and the
 * calls fail much later, or wait: what cannot be right is told here.
 */
#include "gen/runtime/src/client/target.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/un.h>

enum { TARGET_BYTES_MAX = 4096, ADDRESS_BYTES_MAX = 256, PORT_MAX = 65535, PORT_DIGITS_MAX = 5 };

static enum grpcc_status bad(struct grpcc_error *err, const char *target, const char *why)
{
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "\"%.128s\" is not a target: %s", target,
                           why);
}

static bool is_port(const char *text)
{
    unsigned port = 0;
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > PORT_DIGITS_MAX || text[length] != '\0')
        return false;
    for (; *text; text++)
        port = port * 10 + (unsigned)(*text - '0');
    return port > 0 && port <= PORT_MAX;
}

/* Cuts "host:port" or "[host]:port" in two, in place; *ret_port NULL: there is none. */
static bool split(char *address, char **ret_host, char **ret_port)
{
    char *colon = strrchr(address, ':');
    *ret_host = address;
    *ret_port = NULL;
    if (address[0] == '[') {
        char *end = strchr(address, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        *ret_port = end[1] ? end + 2 : NULL;
        *end = '\0';
        *ret_host = address + 1;
    } else if (colon && strchr(address, ':') == colon) {
        *colon = '\0';
        *ret_port = colon + 1;
    }
    return **ret_host != '\0';
}

/* One of "ipv4:a:p,b:p"; family AF_INET or AF_INET6. */
static bool is_numeric(const char *text, size_t length, int family)
{
    char address[ADDRESS_BYTES_MAX], *host, *port;
    unsigned char bytes[sizeof(struct in6_addr)];
    if (length >= sizeof(address))
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!split(address, &host, &port) || !port || !is_port(port))
        return false;
    char *zone = strchr(host, '%');
    if (zone)
        *zone = '\0';
    return inet_pton(family, host, bytes) == 1;
}

static enum grpcc_status check_numeric(const char *target, const char *list, int family,
                                       struct grpcc_error *err)
{
    for (;;) {
        size_t length = strcspn(list, ",");
        if (!is_numeric(list, length, family))
            return bad(err, target,
                       family == AF_INET ? "\"ipv4:\" wants addresses as in 127.0.0.1:7000"
                                         : "\"ipv6:\" wants addresses as in [::1]:7000");
        if (list[length] == '\0')
            return GRPCC_OK;
        list += length + 1;
    }
}

static enum grpcc_status check_unix(const char *target, const char *path, struct grpcc_error *err)
{
    const struct sockaddr_un *address = NULL;
    if (*path == '\0')
        return bad(err, target, "the socket has no name");
    if (strlen(path) >= sizeof(address->sun_path))
        return bad(err, target, "the socket's name is too long for the kernel");
    return GRPCC_OK;
}

/* "host", "host:port"; core's port is 443 where there is none. */
static enum grpcc_status check_dns(const char *target, const char *name, struct grpcc_error *err)
{
    char address[ADDRESS_BYTES_MAX], *host, *port;
    if (strlen(name) >= sizeof(address))
        return bad(err, target, "the name is too long");
    memcpy(address, name, strlen(name) + 1);
    if (strpbrk(name, " \t\r\n/,@"))
        return bad(err, target, "the name has a character that no name has");
    if (!split(address, &host, &port))
        return bad(err, target, "there is no host");
    bool is_service = port && (strcmp(port, "http") == 0 || strcmp(port, "https") == 0);
    if (port && !is_service && !is_port(port))
        return bad(err, target, "the port must be a number from 1 to 65535");
    return GRPCC_OK;
}

/* What follows "scheme:", without an authority; NULL: the target is not of that scheme. */
static const char *after_scheme(const char *target, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(target, scheme, length) == 0 && target[length] == ':' ? target + length + 1
                                                                         : NULL;
}

/* dns:///name, dns://authority/name, dns:name. */
static const char *without_authority(const char *rest)
{
    if (strncmp(rest, "//", 2) != 0)
        return rest;
    const char *slash = strchr(rest + 2, '/');
    return slash ? slash + 1 : "";
}

enum grpcc_status grpcc_target_check(const char *target, struct grpcc_error *err)
{
    const char *rest;
    if (!target || *target == '\0')
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "the target is empty");
    if (strlen(target) > TARGET_BYTES_MAX)
        return bad(err, target, "it is too long");
    if ((rest = after_scheme(target, "ipv4")))
        return check_numeric(target, rest, AF_INET, err);
    if ((rest = after_scheme(target, "ipv6")))
        return check_numeric(target, rest, AF_INET6, err);
    if ((rest = after_scheme(target, "unix")))
        return check_unix(target, strncmp(rest, "//", 2) == 0 ? rest + 2 : rest, err);
    if ((rest = after_scheme(target, "unix-abstract")))
        return check_unix(target, rest, err);
    if ((rest = after_scheme(target, "dns")))
        return check_dns(target, without_authority(rest), err);
    if (after_scheme(target, "xds"))
        return GRPCC_OK;
    if (strstr(target, "://"))
        return bad(err, target, "its scheme is none of dns, ipv4, ipv6, unix, unix-abstract, xds");
    return check_dns(target, target, err);
}

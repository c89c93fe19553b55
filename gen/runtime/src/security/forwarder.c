/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/forwarder.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/security/spiffe.h"

enum { ADDRESS_BYTES = 16, ADDRESS_BITS = 128, IPV4_OFFSET_BITS = 96 };

/* IPv4 is kept as IPv6 writes it: ::ffff:1.2.3.4. */
struct network {
    unsigned char address[ADDRESS_BYTES];
    unsigned bits;
};

struct grpcc_forwarders {
    bool local; /* "unix" */
    struct network *networks;
    size_t n_networks;
    char **ids;
    size_t n_ids;
};

static bool parse_address(const char *text, unsigned char ret_address[ADDRESS_BYTES], bool *ret_v4)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *ret_v4 = inet_pton(AF_INET, text, ret_address + sizeof(mapped)) == 1;
    if (*ret_v4)
        memcpy(ret_address, mapped, sizeof(mapped));
    return *ret_v4 || inet_pton(AF_INET6, text, ret_address) == 1;
}

/* "10.0.0.0/8", or an address alone. */
static bool parse_network(const char *text, struct network *ret_network)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    bool v4 = false;
    if (length >= sizeof(address))
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!parse_address(address, ret_network->address, &v4))
        return false;
    ret_network->bits = ADDRESS_BITS;
    if (!slash)
        return true;
    char *end = NULL;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || bits > (v4 ? 32 : ADDRESS_BITS))
        return false;
    ret_network->bits = (unsigned)bits + (v4 ? IPV4_OFFSET_BITS : 0);
    return true;
}

static bool is_in(const struct network *network, const unsigned char *address)
{
    unsigned bytes = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address, address, bytes) != 0)
        return false;
    return rest == 0 || (network->address[bytes] ^ address[bytes]) >> (8 - rest) == 0;
}

static enum grpcc_status add(struct grpcc_forwarders *forwarders, const char *from,
                             struct grpcc_error *err)
{
    if (strcmp(from, "unix") == 0) {
        forwarders->local = true;
        return GRPCC_OK;
    }
    if (parse_network(from, &forwarders->networks[forwarders->n_networks])) {
        forwarders->n_networks++;
        return GRPCC_OK;
    }
    if (!grpcc_spiffe_is_pattern(from))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "forwarded_from: \"%.200s\" is not \"unix\", an address such as "
                               "127.0.0.1 or 10.0.0.0/8, or a SPIFFE ID",
                               from);
    char *copy = grpcc_memory_strdup(from);
    if (!copy)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for forwarded_from");
    forwarders->ids[forwarders->n_ids++] = copy;
    return GRPCC_OK;
}

enum grpcc_status grpcc_forwarders_new(const char *const *from, struct grpcc_forwarders **ret,
                                       struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_OK;
    size_t n = 0;
    while (from[n] && n <= GRPCC_FORWARDERS_MAX)
        n++;
    if (n > GRPCC_FORWARDERS_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "forwarded_from: more than %d entries",
                               GRPCC_FORWARDERS_MAX);
    struct grpcc_forwarders *forwarders = grpcc_memory_zalloc(sizeof(*forwarders));
    if (forwarders) {
        forwarders->networks = grpcc_memory_zalloc((n + 1) * sizeof(*forwarders->networks));
        forwarders->ids = grpcc_memory_zalloc((n + 1) * sizeof(*forwarders->ids));
    }
    if (!forwarders || !forwarders->networks || !forwarders->ids)
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for forwarded_from");
    for (size_t i = 0; !status && i < n; i++)
        status = add(forwarders, from[i], err);
    if (status)
        grpcc_forwarders_free(forwarders);
    else
        *ret = forwarders;
    return status;
}

void grpcc_forwarders_free(struct grpcc_forwarders *forwarders)
{
    if (!forwarders)
        return;
    for (size_t i = 0; i < forwarders->n_ids; i++)
        grpcc_memory_free(forwarders->ids[i]);
    grpcc_memory_free(forwarders->ids);
    grpcc_memory_free(forwarders->networks);
    grpcc_memory_free(forwarders);
}

/* The address in "127.0.0.1:4711" or "%5B::1%25eth0%5D:4711", without brackets, zone and port. */
static bool host_of(const char *text, char ret_host[INET6_ADDRSTRLEN])
{
    bool bracket = strncmp(text, "%5B", 3) == 0;
    text += bracket ? 3 : text[0] == '[';
    size_t length = strcspn(text, "%]");
    if (!text[length]) {
        const char *colon = strrchr(text, ':');
        length = colon ? (size_t)(colon - text) : length;
    }
    if (length >= INET6_ADDRSTRLEN)
        return false;
    memcpy(ret_host, text, length);
    ret_host[length] = '\0';
    return true;
}

bool grpcc_forwarders_has_peer(const struct grpcc_forwarders *forwarders, const char *peer)
{
    char host[INET6_ADDRSTRLEN];
    unsigned char address[ADDRESS_BYTES];
    bool v4 = false;
    if (strncmp(peer, "unix:", 5) == 0)
        return forwarders->local;
    if (strncmp(peer, "ipv4:", 5) != 0 && strncmp(peer, "ipv6:", 5) != 0)
        return false;
    if (!host_of(peer + 5, host) || !parse_address(host, address, &v4))
        return false;
    for (size_t i = 0; i < forwarders->n_networks; i++)
        if (is_in(&forwarders->networks[i], address))
            return true;
    return false;
}

bool grpcc_forwarders_has_ids(const struct grpcc_forwarders *forwarders)
{
    return forwarders->n_ids != 0;
}

bool grpcc_forwarders_has_id(const struct grpcc_forwarders *forwarders, const char *spiffe_id)
{
    for (size_t i = 0; i < forwarders->n_ids; i++)
        if (grpcc_spiffe_matches(forwarders->ids[i], spiffe_id))
            return true;
    return false;
}

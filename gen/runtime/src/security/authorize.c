/* SPDX-License-Identifier: Apache-2.0 */
#include "grpcc/authorize.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/security/spiffe.h"

#define PREFIX_DNS "dns:"
#define PREFIX_CN "cn:"
/* Services that are gRPC's own begin with it. */
#define PREFIX_OWN "/grpc."

enum principal_kind { ANYONE, AUTHENTICATED, SPIFFE, DNS_NAME, COMMON_NAME };

struct compiled {
    bool allows;
    enum principal_kind kind;
    const char *name; /* of the principal, without its prefix */
    const char *methods;
    char *text; /* both of them, one after the other */
};

struct grpcc_authorizer {
    struct compiled *rules; /* those that deny first */
    size_t n;
};

/* ---- from rules ---- */

static bool is_methods(const char *text)
{
    if (strcmp(text, "*") == 0)
        return true;
    const char *slash = text[0] == '/' ? strchr(text + 1, '/') : NULL;
    return slash && slash != text + 1 && !strchr(slash + 1, '/') && !strpbrk(text, "* ");
}

/* Length of the prefix; -1: not a principal. */
static int read_kind(const char *principal, enum principal_kind *ret_kind)
{
    static const struct {
        const char *prefix;
        enum principal_kind kind;
    } kinds[] = {{PREFIX_DNS, DNS_NAME}, {PREFIX_CN, COMMON_NAME}};

    *ret_kind = SPIFFE;
    if (grpcc_spiffe_is_pattern(principal))
        return 0;
    *ret_kind = ANYONE;
    if (strcmp(principal, "anyone") == 0)
        return 0;
    *ret_kind = AUTHENTICATED;
    if (strcmp(principal, "authenticated") == 0)
        return 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].prefix);
        *ret_kind = kinds[i].kind;
        if (strncmp(principal, kinds[i].prefix, length) == 0 && principal[length])
            return (int)length;
    }
    return -1;
}

static enum grpcc_status compile(const struct grpcc_rule *rule, size_t number,
                                 struct compiled *ret_compiled, struct grpcc_error *err)
{
    enum principal_kind kind = ANYONE;
    const char *principal = rule->principal ? rule->principal : "";
    const char *methods = rule->methods ? rule->methods : "";
    int prefix = read_kind(principal, &kind);
    if (rule->effect != GRPCC_ALLOW && rule->effect != GRPCC_DENY)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "rule %zu: its effect is none", number);
    if (prefix < 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "rule %zu: \"%.200s\" is not a principal: \"anyone\", "
                               "\"authenticated\", a SPIFFE ID, \"dns:NAME\" or \"cn:NAME\"",
                               number, principal);
    if (!is_methods(methods))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "rule %zu: \"%.200s\" is not \"/package.Service/Method\", "
                               "\"/package.Service/\" or \"*\"",
                               number, methods);
    size_t length = strlen(principal) + 1;
    char *text = grpcc_memory_alloc(length + strlen(methods) + 1);
    if (!text)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the rules");
    memcpy(text, principal, length);
    memcpy(text + length, methods, strlen(methods) + 1);
    *ret_compiled = (struct compiled){.allows = rule->effect == GRPCC_ALLOW,
                                      .kind = kind,
                                      .name = text + prefix,
                                      .methods = text + length,
                                      .text = text};
    return GRPCC_OK;
}

struct grpcc_authorizer *grpcc_authorizer_new(const struct grpcc_rule *rules, size_t n,
                                              struct grpcc_error *err)
{
    static const enum grpcc_effect order[] = {GRPCC_DENY, GRPCC_ALLOW};
    enum grpcc_status status = GRPCC_OK;
    if (n > GRPCC_RULES_MAX) {
        grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "more than %d rules", GRPCC_RULES_MAX);
        return NULL;
    }
    struct grpcc_authorizer *authorizer = grpcc_memory_zalloc(sizeof(*authorizer));
    if (authorizer)
        authorizer->rules = grpcc_memory_zalloc((n + 1) * sizeof(*authorizer->rules));
    if (!authorizer || !authorizer->rules)
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the rules");
    for (size_t pass = 0; !status && pass < 2; pass++)
        for (size_t i = 0; !status && i < n; i++)
            if ((rules[i].effect == GRPCC_DENY) == (order[pass] == GRPCC_DENY)) {
                status = compile(&rules[i], i, &authorizer->rules[authorizer->n], err);
                authorizer->n += !status;
            }
    if (!status)
        return authorizer;
    grpcc_authorizer_free(authorizer);
    return NULL;
}

void grpcc_authorizer_free(struct grpcc_authorizer *authorizer)
{
    if (!authorizer)
        return;
    for (size_t i = 0; i < authorizer->n; i++)
        grpcc_memory_free(authorizer->rules[i].text);
    grpcc_memory_free(authorizer->rules);
    grpcc_memory_free(authorizer);
}

/* ---- deciding ---- */

static bool is_method(const struct compiled *rule, const char *path)
{
    size_t length = strlen(rule->methods);
    if (rule->methods[0] == '*')
        return !rule->allows || strncmp(path, PREFIX_OWN, sizeof(PREFIX_OWN) - 1) != 0;
    if (rule->methods[length - 1] == '/')
        return strncmp(rule->methods, path, length) == 0;
    return strcmp(rule->methods, path) == 0;
}

static bool has_dns_name(const struct grpcc_identity *identity, const char *name)
{
    for (size_t i = 0; i < identity->n_dns_names; i++)
        if (strcasecmp(identity->dns_names[i], name) == 0)
            return true;
    return false;
}

static bool is_principal(const struct compiled *rule, const struct grpcc_identity *identity)
{
    switch (rule->kind) {
    case ANYONE:
        return true;
    case AUTHENTICATED:
        return identity->source != GRPCC_IDENTITY_NONE;
    case SPIFFE:
        return identity->spiffe_id && grpcc_spiffe_matches(rule->name, identity->spiffe_id);
    case DNS_NAME:
        return has_dns_name(identity, rule->name);
    case COMMON_NAME:
        return identity->common_name && strcmp(identity->common_name, rule->name) == 0;
    }
    return false;
}

static enum grpcc_status refuse(const struct grpcc_identity *identity, const char *path,
                                struct grpcc_error *err)
{
    if (identity->source == GRPCC_IDENTITY_NONE)
        return grpcc_error_set(err, GRPCC_UNAUTHENTICATED,
                               "%.200s needs a client certificate: the caller is not known", path);
    const char *name = identity->spiffe_id ? identity->spiffe_id : identity->subject;
    return grpcc_error_set(err, GRPCC_PERMISSION_DENIED, "%.300s may not call %.200s",
                           name ? name : "this caller", path);
}

enum grpcc_status grpcc_authorizer_check(const struct grpcc_authorizer *authorizer,
                                         const struct grpcc_identity *identity, const char *path,
                                         struct grpcc_error *err)
{
    /* The first that fits decides: those that deny come first. */
    for (size_t i = 0; i < authorizer->n; i++) {
        const struct compiled *rule = &authorizer->rules[i];
        if (is_method(rule, path) && is_principal(rule, identity))
            return rule->allows ? GRPCC_OK : refuse(identity, path, err);
    }
    return refuse(identity, path, err);
}

static enum grpcc_verdict begin(void *self, struct grpcc_call *call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const struct grpcc_identity *identity = grpcc_call_identity(call);
    enum grpcc_status status = grpcc_authorizer_check(self, identity, grpcc_call_path(call), &err);
    /* Who is denied must not get in as nobody by a request that fills the arena. */
    if (grpcc_arena_failed(grpcc_call_arena(call)))
        status =
            grpcc_error_set(&err, GRPCC_RESOURCE_EXHAUSTED, "no room for the caller's identity");
    if (!status)
        return GRPCC_PROCEED;
    grpcc_call_fail(call, status, "%s", err.message);
    return GRPCC_ANSWERED;
}

const struct grpcc_interceptor grpcc_authorize = {.begin = begin};

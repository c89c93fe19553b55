/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/client/service_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/runtime/src/client/budget.h"
#include "gen/runtime/src/client/service_config_check.h"
#include "gen/runtime/src/core/core.h"

enum { ATTEMPTS_DEFAULT = 3, BACKOFF_MIN_MS_DEFAULT = 50, BACKOFF_MAX_MS_DEFAULT = 1000 };
enum { BUDGET_TOKENS_MAX = 1000 };
/* Core keeps three decimals. */
#define BUDGET_RATIO_MIN 0.001
#define MULTIPLIER_DEFAULT 2.0
enum { NAME_BYTES_MAX = 512 };
/* Enough for ratios and multipliers, and without the noise of binary fractions. */
enum { REAL_DIGITS = 6 };

static enum grpcc_status no_memory(struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the service config");
}

/* Sets a field that nobody has set yet; takes value, NULL: no memory. */
static enum grpcc_status put(json_t *object, const char *name, json_t *value, const char *option,
                             struct grpcc_error *err)
{
    if (value && json_object_get(object, name)) {
        json_decref(value);
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "service_config has %s already: leave it out, or the option %s",
                               name, option);
    }
    /* Takes the reference also where it fails. */
    return json_object_set_new(object, name, value) == 0 ? GRPCC_OK : no_memory(err);
}

static json_t *duration(unsigned ms)
{
    char text[32];
    snprintf(text, sizeof(text), "%u.%03us", ms / 1000, ms % 1000);
    return json_string(text);
}

/* ---- methods ---- */

static json_t *status_names(uint32_t statuses)
{
    json_t *names = json_array();
    for (int status = GRPCC_CANCELLED; names && status <= GRPCC_UNAUTHENTICATED; status++)
        if (statuses & GRPCC_STATUS_BIT(status))
            json_array_append_new(names, json_string(grpcc_status_name((enum grpcc_status)status)));
    return names;
}

static enum grpcc_status put_retry(json_t *method, const struct grpcc_retry_policy *given,
                                   struct grpcc_error *err)
{
    struct grpcc_retry_policy retry = {0};
    grpcc_options_copy(&retry, sizeof(retry), given);
    unsigned attempts_max = retry.attempts_max ? retry.attempts_max : ATTEMPTS_DEFAULT;
    unsigned min_ms = retry.backoff_min_ms ? retry.backoff_min_ms : BACKOFF_MIN_MS_DEFAULT;
    unsigned max_ms = retry.backoff_max_ms              ? retry.backoff_max_ms
                      : min_ms > BACKOFF_MAX_MS_DEFAULT ? min_ms
                                                        : BACKOFF_MAX_MS_DEFAULT;
    double multiplier = retry.multiplier != 0 ? retry.multiplier : MULTIPLIER_DEFAULT;
    uint32_t statuses = retry.statuses ? retry.statuses : GRPCC_STATUS_BIT(GRPCC_UNAVAILABLE);
    if (attempts_max < 2 || attempts_max > GRPCC_ATTEMPTS_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "retry.attempts_max is %u: it counts the first attempt, and may be "
                               "2 to %d",
                               attempts_max, GRPCC_ATTEMPTS_MAX);
    if (max_ms < min_ms)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "retry.backoff_max_ms is less than backoff_min_ms");
    if (!(multiplier >= 1 && multiplier <= 1000))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "retry.multiplier must be from 1 to 1000");
    if (statuses & ~(GRPCC_STATUS_BIT(GRPCC_UNAUTHENTICATED + 1) - 2))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "retry.statuses has OK, or what is not a status");
    json_t *policy =
        json_pack("{s:i, s:o, s:o, s:f, s:o}", "maxAttempts", (int)attempts_max, "initialBackoff",
                  duration(min_ms), "maxBackoff", duration(max_ms), "backoffMultiplier", multiplier,
                  "retryableStatusCodes", status_names(statuses));
    return put(method, "retryPolicy", policy, "retry", err);
}

/* "/pkg.Service/Method", "pkg.Service" or NULL as the list of one name that core wants. */
static json_t *name_list(const char *name)
{
    char service[NAME_BYTES_MAX];
    if (!name)
        return json_pack("[{}]");
    bool is_path = *name == '/';
    name += is_path;
    const char *slash = strchr(name, '/');
    if (is_path && !slash)
        return NULL;
    size_t length = slash ? (size_t)(slash - name) : strlen(name);
    if (length == 0 || length >= sizeof(service) || (slash && strchr(slash + 1, '/')))
        return NULL;
    memcpy(service, name, length);
    service[length] = '\0';
    if (slash && slash[1])
        return json_pack("[{s:s, s:s}]", "service", service, "method", slash + 1);
    return json_pack("[{s:s}]", "service", service);
}

/* Entries may be those of an older header: their own size says how far apart they are. */
static struct grpcc_method_policy method_at(const struct grpcc_channel_options *options, size_t i)
{
    struct grpcc_method_policy method = {0};
    size_t stride = options->methods->size ? options->methods->size : sizeof(method);
    grpcc_options_copy(&method, sizeof(method), (const char *)options->methods + i * stride);
    return method;
}

static enum grpcc_status add_method(json_t *list, struct grpcc_method_policy method,
                                    struct grpcc_error *err)
{
    json_t *name = name_list(method.name);
    if (!name)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "methods: \"%.64s\" is not \"pkg.Service/Method\" nor "
                               "\"pkg.Service\"",
                               method.name);
    json_t *entry = json_pack("{s:o}", "name", name);
    enum grpcc_status status = entry ? GRPCC_OK : no_memory(err);
    if (!status && method.timeout_ms)
        status = put(entry, "timeout", duration(method.timeout_ms), "timeout_ms", err);
    if (!status && method.wait_for_ready)
        status = put(entry, "waitForReady", json_true(), "wait_for_ready", err);
    if (!status && method.retry)
        status = put_retry(entry, method.retry, err);
    if (!status && json_array_append(list, entry) != 0)
        status = no_memory(err);
    json_decref(entry);
    return status;
}

static enum grpcc_status put_methods(json_t *root, const struct grpcc_channel_options *options,
                                     struct grpcc_error *err)
{
    json_t *list = json_object_get(root, "methodConfig");
    enum grpcc_status status = GRPCC_OK;
    if (!list) {
        list = json_array();
        status = put(root, "methodConfig", list, "methods", err);
    }
    for (size_t i = 0; i < options->n_methods && !status; i++)
        status = add_method(list, method_at(options, i), err);
    return status;
}

/* ---- the channel ---- */

static enum grpcc_status put_balancing(json_t *root, const struct grpcc_channel_options *options,
                                       struct grpcc_error *err)
{
    const char *name = options->load_balancing;
    if (!name)
        return GRPCC_OK;
    if (strcmp(name, "round_robin") != 0 && strcmp(name, "pick_first") != 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "load_balancing \"%.32s\" is neither \"round_robin\" nor "
                               "\"pick_first\"",
                               name);
    return put(root, "loadBalancingConfig", json_pack("[{s:{}}]", name), "load_balancing", err);
}

static enum grpcc_status put_health(json_t *root, const struct grpcc_channel_options *options,
                                    struct grpcc_error *err)
{
    if (!options->health_service)
        return GRPCC_OK;
    if (options->load_balancing ? strcmp(options->load_balancing, "round_robin") != 0
                                : !json_object_get(root, "loadBalancingConfig"))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "health_service wants load_balancing \"round_robin\": pick_first "
                               "does not look at health");
    return put(root, "healthCheckConfig",
               json_pack("{s:s}", "serviceName", options->health_service), "health_service", err);
}

static bool has_typed_retry(const struct grpcc_channel_options *options)
{
    for (size_t i = 0; i < options->n_methods; i++)
        if (method_at(options, i).retry)
            return true;
    return false;
}

static enum grpcc_status put_budget(struct grpcc_service_config *config, json_t *root,
                                    const struct grpcc_channel_options *options,
                                    struct grpcc_error *err)
{
    json_t *throttling = json_object_get(root, "retryThrottling");
    double ratio = options->budget_ratio;
    config->budget_tokens =
        options->budget_tokens ? options->budget_tokens : GRPCC_BUDGET_TOKENS_DEFAULT;
    config->budget_ratio = ratio != 0 ? ratio : GRPCC_BUDGET_RATIO_DEFAULT;
    if (config->budget_tokens > BUDGET_TOKENS_MAX || !(config->budget_ratio >= BUDGET_RATIO_MIN))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "budget_tokens is 1000 at most, and budget_ratio 0.001 at least");
    if (throttling && !options->budget_tokens) {
        config->budget_tokens =
            (unsigned)json_integer_value(json_object_get(throttling, "maxTokens"));
        config->budget_ratio = json_number_value(json_object_get(throttling, "tokenRatio"));
        return GRPCC_OK;
    }
    if (!options->budget_tokens && !has_typed_retry(options))
        return GRPCC_OK;
    return put(root, "retryThrottling",
               json_pack("{s:i, s:f}", "maxTokens", (int)config->budget_tokens, "tokenRatio",
                         config->budget_ratio),
               "budget_tokens", err);
}

static enum grpcc_status parse(const char *text, json_t **ret_root, struct grpcc_error *err)
{
    json_error_t fault;
    json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, &fault) : json_object();
    if (!root && text)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "service config: line %d, column %d: %s", fault.line, fault.column,
                               fault.text);
    if (!root)
        return no_memory(err);
    if (grpcc_service_config_check(root, err)) {
        json_decref(root);
        return GRPCC_INVALID_ARGUMENT;
    }
    *ret_root = root;
    return GRPCC_OK;
}

enum grpcc_status grpcc_service_config_init(struct grpcc_service_config *config,
                                            const struct grpcc_channel_options *options,
                                            struct grpcc_error *err)
{
    json_t *root = NULL;
    config->text = NULL;
    enum grpcc_status status = parse(options->service_config, &root, err);
    if (status)
        return status;
    status = put_health(root, options, err);
    if (!status)
        status = put_balancing(root, options, err);
    if (!status && options->n_methods)
        status = put_methods(root, options, err);
    if (!status)
        status = put_budget(config, root, options, err);
    if (!status && json_object_size(root) > 0) {
        config->text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
        if (!config->text)
            status = no_memory(err);
    }
    json_decref(root);
    return status;
}

void grpcc_service_config_done(struct grpcc_service_config *config)
{
    free(config->text);
}

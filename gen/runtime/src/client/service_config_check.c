/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service config may say. Core ignores what it does not know, so that a misspelt field
 * passes, and answers the rest by a channel that fails every call: here each fault has its place.
 *
 * Source: grpc/service_config/service_config.proto, gRFC A6 (retries), A17 (health).
 */
#include "gen/runtime/src/client/service_config_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES_MAX = 192, TOKENS_MAX = 1000, DURATION_DIGITS_MAX = 9 };

typedef enum grpcc_status (*check_function)(const json_t *value, const char *path,
                                            struct grpcc_error *err);

struct field {
    const char *name;
    check_function check;
    bool required;
};

static enum grpcc_status bad(struct grpcc_error *err, const char *path, const char *what)
{
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "service config: %s: %s", path, what);
}

static const struct field *find_field(const struct field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

static void child_path(char child[PATH_BYTES_MAX], const char *path, const char *name)
{
    snprintf(child, PATH_BYTES_MAX, "%.96s%s%.64s", path, *path ? "." : "", name);
}

/* fields end with a NULL name. */
static enum grpcc_status check_object(const json_t *value, const struct field *fields,
                                      const char *path, struct grpcc_error *err)
{
    char child[PATH_BYTES_MAX];
    const char *name;
    json_t *item;
    if (!json_is_object(value))
        return bad(err, *path ? path : "the whole", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        const struct field *field = find_field(fields, name);
        child_path(child, path, name);
        if (!field)
            return bad(err, child, "not a field that is known here");
        if (field->check(item, child, err))
            return GRPCC_INVALID_ARGUMENT;
    }
    for (; fields->name; fields++) {
        child_path(child, path, fields->name);
        if (fields->required && !json_object_get(value, fields->name))
            return bad(err, child, "is missing");
    }
    return GRPCC_OK;
}

/* A list with at least one element. */
static enum grpcc_status check_list(const json_t *value, check_function check, const char *path,
                                    struct grpcc_error *err)
{
    char child[PATH_BYTES_MAX];
    if (!json_is_array(value) || json_array_size(value) == 0)
        return bad(err, path, "must be a list with an element");
    for (size_t i = 0; i < json_array_size(value); i++) {
        snprintf(child, sizeof(child), "%.128s[%zu]", path, i);
        if (check(json_array_get(value, i), child, err))
            return GRPCC_INVALID_ARGUMENT;
    }
    return GRPCC_OK;
}

/* ---- values ---- */

static enum grpcc_status check_text(const json_t *value, const char *path, struct grpcc_error *err)
{
    return json_is_string(value) ? GRPCC_OK : bad(err, path, "must be text");
}

static enum grpcc_status check_boolean(const json_t *value, const char *path,
                                       struct grpcc_error *err)
{
    return json_is_boolean(value) ? GRPCC_OK : bad(err, path, "must be true or false");
}

static enum grpcc_status check_positive(const json_t *value, const char *path,
                                        struct grpcc_error *err)
{
    return json_is_number(value) && json_number_value(value) > 0
               ? GRPCC_OK
               : bad(err, path, "must be a number above 0");
}

static size_t skip_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* "1s", "0.25s". */
static bool is_duration(const char *text)
{
    size_t seconds = skip_digits(text);
    text += seconds;
    if (*text == '.') {
        size_t digits = skip_digits(text + 1);
        if (digits == 0 || digits > DURATION_DIGITS_MAX)
            return false;
        text += 1 + digits;
    }
    return seconds > 0 && seconds <= DURATION_DIGITS_MAX && strcmp(text, "s") == 0;
}

static enum grpcc_status check_duration(const json_t *value, const char *path,
                                        struct grpcc_error *err)
{
    const char *text = json_string_value(value);
    bool is_positive = text && strpbrk(text, "123456789");
    return is_positive && is_duration(text)
               ? GRPCC_OK
               : bad(err, path, "must be seconds above 0 as text, as in \"0.25s\"");
}

static enum grpcc_status check_bytes(const json_t *value, const char *path, struct grpcc_error *err)
{
    const char *text = json_string_value(value);
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= INT32_MAX)
        return GRPCC_OK;
    if (text && *text && text[skip_digits(text)] == '\0' && strlen(text) <= DURATION_DIGITS_MAX)
        return GRPCC_OK;
    return bad(err, path, "must be a number of bytes");
}

/* ---- retries ---- */

/* Above five is allowed, and means five. */
static enum grpcc_status check_attempts(const json_t *value, const char *path,
                                        struct grpcc_error *err)
{
    return json_is_integer(value) && json_integer_value(value) >= 2 &&
                   json_integer_value(value) <= INT32_MAX
               ? GRPCC_OK
               : bad(err, path, "must be a whole number, 2 or more");
}

static enum grpcc_status check_status(const json_t *value, const char *path,
                                      struct grpcc_error *err)
{
    const char *text = json_string_value(value);
    for (int status = GRPCC_CANCELLED; text && status <= GRPCC_UNAUTHENTICATED; status++)
        if (strcmp(text, grpcc_status_name((enum grpcc_status)status)) == 0)
            return GRPCC_OK;
    return bad(err, path, "must be a status that is not OK, as in \"UNAVAILABLE\"");
}

static enum grpcc_status check_statuses(const json_t *value, const char *path,
                                        struct grpcc_error *err)
{
    return check_list(value, check_status, path, err);
}

static enum grpcc_status check_retry(const json_t *value, const char *path, struct grpcc_error *err)
{
    static const struct field fields[] = {
        {"maxAttempts", check_attempts, true},          {"initialBackoff", check_duration, true},
        {"maxBackoff", check_duration, true},           {"backoffMultiplier", check_positive, true},
        {"retryableStatusCodes", check_statuses, true}, {0}};
    return check_object(value, fields, path, err);
}

static enum grpcc_status check_hedging(const json_t *value, const char *path,
                                       struct grpcc_error *err)
{
    (void)value;
    return bad(err, path, "a call asks for hedges itself, by its options");
}

static enum grpcc_status check_tokens(const json_t *value, const char *path,
                                      struct grpcc_error *err)
{
    return json_is_integer(value) && json_integer_value(value) > 0 &&
                   json_integer_value(value) <= TOKENS_MAX
               ? GRPCC_OK
               : bad(err, path, "must be a whole number from 1 to 1000");
}

static enum grpcc_status check_throttling(const json_t *value, const char *path,
                                          struct grpcc_error *err)
{
    static const struct field fields[] = {
        {"maxTokens", check_tokens, true}, {"tokenRatio", check_positive, true}, {0}};
    return check_object(value, fields, path, err);
}

/* ---- methods ---- */

static enum grpcc_status check_name(const json_t *value, const char *path, struct grpcc_error *err)
{
    static const struct field fields[] = {
        {"service", check_text, false}, {"method", check_text, false}, {0}};
    if (check_object(value, fields, path, err))
        return GRPCC_INVALID_ARGUMENT;
    const char *service = json_string_value(json_object_get(value, "service"));
    const char *method = json_string_value(json_object_get(value, "method"));
    if (method && *method && (!service || !*service))
        return bad(err, path, "a method without its service");
    return GRPCC_OK;
}

static enum grpcc_status check_names(const json_t *value, const char *path, struct grpcc_error *err)
{
    return check_list(value, check_name, path, err);
}

static enum grpcc_status check_method(const json_t *value, const char *path,
                                      struct grpcc_error *err)
{
    static const struct field fields[] = {{"name", check_names, true},
                                          {"timeout", check_duration, false},
                                          {"waitForReady", check_boolean, false},
                                          {"maxRequestMessageBytes", check_bytes, false},
                                          {"maxResponseMessageBytes", check_bytes, false},
                                          {"retryPolicy", check_retry, false},
                                          {"hedgingPolicy", check_hedging, false},
                                          {0}};
    return check_object(value, fields, path, err);
}

static enum grpcc_status check_methods(const json_t *value, const char *path,
                                       struct grpcc_error *err)
{
    if (json_is_array(value) && json_array_size(value) == 0)
        return GRPCC_OK;
    return check_list(value, check_method, path, err);
}

/* ---- the channel ---- */

/* Which policies there are, and what they want, is core's to say. */
static enum grpcc_status check_policy(const json_t *value, const char *path,
                                      struct grpcc_error *err)
{
    return json_is_object(value) && json_object_size(value) == 1
               ? GRPCC_OK
               : bad(err, path, "must be an object with one field, the policy's name");
}

static enum grpcc_status check_policies(const json_t *value, const char *path,
                                        struct grpcc_error *err)
{
    return check_list(value, check_policy, path, err);
}

static enum grpcc_status check_health(const json_t *value, const char *path,
                                      struct grpcc_error *err)
{
    static const struct field fields[] = {{"serviceName", check_text, false}, {0}};
    return check_object(value, fields, path, err);
}

enum grpcc_status grpcc_service_config_check(const json_t *config, struct grpcc_error *err)
{
    static const struct field fields[] = {
        {"loadBalancingPolicy", check_text, false}, {"loadBalancingConfig", check_policies, false},
        {"healthCheckConfig", check_health, false}, {"retryThrottling", check_throttling, false},
        {"methodConfig", check_methods, false},     {0}};
    return check_object(config, fields, "", err);
}

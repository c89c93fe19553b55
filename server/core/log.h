/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event to standard error, in logfmt, with a level per component:
 *
 *   time=2026-03-01T12:00:00.000000Z level=warn component=tree msg="…" path="/a b" bytes=17
 *
 * Strings that somebody else chose are quoted, escaped and cut at COMB_LOG_VALUE_MAX; a line is at
 * most COMB_LOG_LINE_MAX. Never log a secret. The log is the program's only global. Threads: any.
 */
#ifndef COMB_CORE_LOG_H
#define COMB_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/error.h"
#include "server/core/str.h"

enum comb_log_level {
    COMB_LOG_OFF = 0,
    COMB_LOG_ERROR,
    COMB_LOG_WARN,
    COMB_LOG_INFO,
    COMB_LOG_DEBUG,
    COMB_LOG_TRACE
};

struct comb_log_field {
    const char *name; /* static, a plain word */
    bool is_text;
    comb_str text;
    int64_t integer;
};

static inline struct comb_log_field comb_log_text(const char *name, comb_str value)
{
    return (struct comb_log_field){.name = name, .is_text = true, .text = value};
}
static inline struct comb_log_field comb_log_integer(const char *name, int64_t value)
{
    return (struct comb_log_field){.name = name, .integer = value};
}

/* Components whose level may be set on their own, at most. */
#define COMB_LOG_COMPONENTS_MAX 32
#define COMB_LOG_COMPONENT_BYTES_MAX 31

/*
 * Sets the levels from text such as "all=warn,tree=debug,sql.sqlite=trace": off, error, warn, info,
 * debug, trace. "all" is what is not named; "sql" holds for "sql.sqlite" too, the longest name
 * wins. What is not in text has level info. INVALID_ARGUMENT: nothing has changed.
 */
enum comb_status comb_log_set_levels(comb_str text, struct comb_error *err) COMB_MUST_CHECK;
bool comb_log_enabled(enum comb_log_level level, const char *component);
/* Where lines go; 2 at first. For tests. */
void comb_log_set_fd(int fd);
const char *comb_log_level_name(enum comb_log_level level);
/* False: text is the name of no level. */
bool comb_log_level_parse(comb_str text, enum comb_log_level *ret_level) COMB_MUST_CHECK;

/* component and message: static texts. Does nothing where the level is off. */
void comb_log_write(enum comb_log_level level, const char *component, const char *message,
                    const struct comb_log_field *fields, size_t n_fields);
/* comb_log(COMB_LOG_INFO, "main", "listening", comb_log_text("address", a)); at least one field. */
#define comb_log(level, component, message, ...)                                                   \
    comb_log_write(level, component, message, (const struct comb_log_field[]){__VA_ARGS__},        \
                   sizeof((const struct comb_log_field[]){__VA_ARGS__}) /                          \
                       sizeof(struct comb_log_field))
/* What a sink is given of a line; borrowed. */
struct comb_log_line {
    int64_t time_us; /* since 1970 */
    enum comb_log_level level;
    const char *component, *message;
    const struct comb_log_field *fields;
    size_t n_fields;
};
/* On the thread that logs, any number of them at once. Must not block, and must not log. */
typedef void (*comb_log_sink_fn)(void *data, const struct comb_log_line *line);
/* A second place for all lines that are written; NULL: none, as at first. Waits until nobody is in
 * the sink of before. Not from a sink. */
void comb_log_set_sink(comb_log_sink_fn sink, void *data);

/* A failure with its message, status, domain and native code. */
void comb_log_error(enum comb_log_level level, const char *component, const char *message,
                    const struct comb_error *error);

#endif

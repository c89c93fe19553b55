/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/core/limits.h"

struct component {
    char name[COMB_LOG_COMPONENT_BYTES_MAX + 1];
    enum comb_log_level level;
};

struct levels {
    enum comb_log_level all;
    struct component components[COMB_LOG_COMPONENTS_MAX];
    size_t n;
};

/* Guarded by lock; highest is read without it, so that a debug line that is off costs one load. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct levels levels = {.all = COMB_LOG_INFO};
static _Atomic int highest = COMB_LOG_INFO;
static _Atomic int output = STDERR_FILENO;

static const char *const level_names[] = {"off", "error", "warn", "info", "debug", "trace"};

/* Those that log hold it to read while they are in the sink. */
static pthread_rwlock_t sink_lock = PTHREAD_RWLOCK_INITIALIZER;
static comb_log_sink_fn sink;
static void *sink_data;
static atomic_bool has_sink;

const char *comb_log_level_name(enum comb_log_level level)
{
    return level_names[level];
}

bool comb_log_level_parse(comb_str text, enum comb_log_level *ret_level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (comb_str_equal(text, comb_str_from(level_names[i]))) {
            *ret_level = (enum comb_log_level)i;
            return true;
        }
    }
    return false;
}

/* Reads one "name=level" into to. */
static enum comb_status parse_item(comb_str item, struct levels *to, struct comb_error *err)
{
    const char *equals = item.len ? memchr(item.ptr, '=', item.len) : NULL;
    enum comb_log_level level;
    size_t name_len = equals ? (size_t)(equals - item.ptr) : 0;
    if (!equals || name_len == 0 || name_len > COMB_LOG_COMPONENT_BYTES_MAX ||
        !comb_log_level_parse(comb_str_of(equals + 1, item.len - name_len - 1), &level))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "'%.*s' is not COMPONENT=LEVEL; levels are off, error, warn, info, "
                              "debug, trace",
                              (int)(item.len < 64 ? item.len : 64), item.ptr);
    if (comb_str_equal(comb_str_of(item.ptr, name_len), STR("all"))) {
        to->all = level;
        return COMB_OK;
    }
    if (to->n == COMB_LOG_COMPONENTS_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "more than %d components",
                              COMB_LOG_COMPONENTS_MAX);
    struct component *component = &to->components[to->n++];
    memcpy(component->name, item.ptr, name_len);
    component->name[name_len] = '\0';
    component->level = level;
    return COMB_OK;
}

enum comb_status comb_log_set_levels(comb_str text, struct comb_error *err)
{
    struct levels new = {.all = COMB_LOG_INFO};
    while (text.len > 0) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
        enum comb_status status = parse_item(comb_str_of(text.ptr, len), &new, err);
        if (status != COMB_OK)
            return status;
        size_t used = comma ? len + 1 : len;
        text = comb_str_of(text.ptr + used, text.len - used);
    }
    int most = new.all;
    for (size_t i = 0; i < new.n; i++)
        most = (int)new.components[i].level > most ? (int)new.components[i].level : most;
    pthread_mutex_lock(&lock);
    levels = new;
    pthread_mutex_unlock(&lock);
    atomic_store(&highest, most);
    return COMB_OK;
}

/* name is component itself or a part of it that ends before a dot. */
static bool names(const char *name, const char *component)
{
    size_t len = strlen(name);
    return strncmp(name, component, len) == 0 && (component[len] == '\0' || component[len] == '.');
}

bool comb_log_enabled(enum comb_log_level level, const char *component)
{
    if ((int)level > atomic_load_explicit(&highest, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&lock);
    enum comb_log_level limit = levels.all;
    size_t longest = 0;
    for (size_t i = 0; i < levels.n; i++) {
        const struct component *at = &levels.components[i];
        size_t len = strlen(at->name);
        if (len > longest && names(at->name, component)) {
            longest = len;
            limit = at->level;
        }
    }
    pthread_mutex_unlock(&lock);
    return level <= limit;
}

void comb_log_set_fd(int fd)
{
    atomic_store(&output, fd);
}

struct line {
    char text[COMB_LOG_LINE_MAX];
    size_t len;
};

/* Room for the closing newline always stays. */
enum { LINE_ROOM = COMB_LOG_LINE_MAX - 1 };

COMB_FORMAT(2, 3)
static void line_printf(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text + line->len, LINE_ROOM - line->len, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t left = LINE_ROOM - line->len - 1;
    line->len += (size_t)n < left ? (size_t)n : left;
}

/* Quoted; control characters, quotes and what is not UTF-8 are escaped, so that a line is one line
 * and cannot be forged. */
static void line_quote(struct line *line, comb_str value)
{
    bool cut = value.len > COMB_LOG_VALUE_MAX;
    size_t len = cut ? COMB_LOG_VALUE_MAX : value.len;
    bool readable = comb_str_is_utf8(value);
    line_printf(line, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c == '"' || c == '\\')
            line_printf(line, "\\%c", c);
        else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !readable))
            line_printf(line, "\\x%02x", c);
        else
            line_printf(line, "%c", c);
    }
    line_printf(line, cut ? "\"..." : "\"");
}

static void line_begin(struct line *line, int64_t now_us, enum comb_log_level level,
                       const char *component)
{
    time_t seconds = (time_t)(now_us / COMB_US_PER_S);
    struct tm utc;
    char date[32] = "";
    if (gmtime_r(&seconds, &utc))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    line->len = 0;
    line_printf(line, "time=%s.%06dZ level=%s component=%s", date, (int)(now_us % COMB_US_PER_S),
                level_names[level], component);
}

void comb_log_set_sink(comb_log_sink_fn new_sink, void *data)
{
    pthread_rwlock_wrlock(&sink_lock);
    sink = new_sink;
    sink_data = data;
    atomic_store(&has_sink, new_sink != NULL);
    pthread_rwlock_unlock(&sink_lock);
}

/* Where the sink is just being changed, a line is for neither. */
static void give_to_sink(const struct comb_log_line *line)
{
    if (!atomic_load(&has_sink) || pthread_rwlock_tryrdlock(&sink_lock) != 0)
        return;
    if (sink)
        sink(sink_data, line);
    pthread_rwlock_unlock(&sink_lock);
}

void comb_log_write(enum comb_log_level level, const char *component, const char *message,
                    const struct comb_log_field *fields, size_t n_fields)
{
    if (!comb_log_enabled(level, component))
        return;
    struct line line;
    int64_t now_us = comb_clock_wall_us();
    line_begin(&line, now_us, level, component);
    line_printf(&line, " msg=");
    line_quote(&line, comb_str_from(message));
    for (size_t i = 0; i < n_fields; i++) {
        line_printf(&line, " %s=", fields[i].name);
        if (fields[i].is_text)
            line_quote(&line, fields[i].text);
        else
            line_printf(&line, "%lld", (long long)fields[i].integer);
    }
    line.text[line.len++] = '\n';
    /* One write for the line, so that lines of threads do not mix. There is nobody to tell that the
     * log cannot be written. */
    ssize_t written = write(atomic_load(&output), line.text, line.len);
    (void)written;
    give_to_sink(&(struct comb_log_line){now_us, level, component, message, fields, n_fields});
}

void comb_log_error(enum comb_log_level level, const char *component, const char *message,
                    const struct comb_error *error)
{
    comb_log(level, component, message, comb_log_text("error", comb_str_from(error->msg)),
             comb_log_text("status", comb_str_from(comb_status_name(error->status))),
             comb_log_text("domain", comb_str_from(error->domain)),
             comb_log_integer("native", error->native));
}

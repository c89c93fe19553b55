/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of trace context and baggage, and the ids. Knows nothing of calls. */
#include "grpcc/trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { TRACESTATE_KEY_MAX = 256, TRACESTATE_VALUE_MAX = 256 };
enum { TRACEPARENT_FLAGS = GRPCC_TRACE_SAMPLED | GRPCC_TRACE_RANDOM };

/* ---- random ids ---- */

/* A system call for many ids. A fork must not give the child its parent's next ones. */
static _Thread_local struct {
    unsigned char bytes[512];
    size_t left;
    unsigned forks;
} pool;

static atomic_uint forks;
static pthread_once_t watch_forks = PTHREAD_ONCE_INIT;

static void note_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch(void)
{
    (void)pthread_atfork(NULL, NULL, note_fork);
}

/* Where the kernel gives nothing (it always does once it is up), ids are at least different. */
static void refill_without_kernel(void)
{
    static atomic_ullong serial;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < sizeof(pool.bytes); i += sizeof(uint64_t)) {
        uint64_t mixed = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30);
        mixed ^= (atomic_fetch_add(&serial, 1) + 1) * UINT64_C(0x9e3779b97f4a7c15);
        mixed *= UINT64_C(0xbf58476d1ce4e5b9);
        memcpy(pool.bytes + i, &mixed, sizeof(mixed));
    }
}

static void random_id(uint8_t *ret_id, size_t n)
{
    unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);
    if (pool.left < n || pool.forks != now) {
        pthread_once(&watch_forks, watch);
        if (getrandom(pool.bytes, sizeof(pool.bytes), 0) != (ssize_t)sizeof(pool.bytes))
            refill_without_kernel();
        pool.left = sizeof(pool.bytes);
        pool.forks = now;
    }
    pool.left -= n;
    memcpy(ret_id, pool.bytes + pool.left, n);
    ret_id[n - 1] |= (uint8_t)(ret_id[n - 1] == 0); /* all zeros is no id */
}

void grpcc_trace_begin(struct grpcc_trace *ret_trace, bool sampled)
{
    memset(ret_trace, 0, sizeof(*ret_trace));
    random_id(ret_trace->trace_id, sizeof(ret_trace->trace_id));
    random_id(ret_trace->span_id, sizeof(ret_trace->span_id));
    ret_trace->flags = (uint8_t)(GRPCC_TRACE_RANDOM | (sampled ? GRPCC_TRACE_SAMPLED : 0));
}

void grpcc_trace_continue(struct grpcc_trace *ret_trace, const struct grpcc_trace *parent)
{
    struct grpcc_trace trace = *parent;
    memcpy(trace.parent_id, parent->span_id, sizeof(trace.parent_id));
    random_id(trace.span_id, sizeof(trace.span_id));
    *ret_trace = trace;
}

/* ---- traceparent ---- */

static const char digits[] = "0123456789abcdef";

void grpcc_trace_hex(const uint8_t *bytes, size_t n, char *ret_text)
{
    for (size_t i = 0; i < n; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * n] = '\0';
}

/* -1: not a lower-case digit. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, uint8_t *ret_bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

bool grpcc_trace_parse(const char *text, size_t length, struct grpcc_trace *ret_trace)
{
    struct grpcc_trace trace = {.state = NULL};
    uint8_t version = 0, flags = 0;
    if (length < GRPCC_TRACEPARENT_LENGTH || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return false;
    if (!parse_hex(text, &version, 1) || version == 0xff)
        return false;
    /* Later versions may have more behind a dash; what version 0 has stays where it is. */
    if (length > GRPCC_TRACEPARENT_LENGTH &&
        (version == 0 || text[GRPCC_TRACEPARENT_LENGTH] != '-'))
        return false;
    if (!parse_hex(text + 3, trace.trace_id, sizeof(trace.trace_id)) ||
        !parse_hex(text + 36, trace.span_id, sizeof(trace.span_id)) ||
        !parse_hex(text + 53, &flags, 1))
        return false;
    if (is_zero(trace.trace_id, sizeof(trace.trace_id)) ||
        is_zero(trace.span_id, sizeof(trace.span_id)))
        return false;
    trace.flags = flags & TRACEPARENT_FLAGS;
    *ret_trace = trace;
    return true;
}

void grpcc_trace_format(const struct grpcc_trace *trace,
                        char ret_text[GRPCC_TRACEPARENT_LENGTH + 1])
{
    memcpy(ret_text, "00-", 3);
    grpcc_trace_hex(trace->trace_id, sizeof(trace->trace_id), ret_text + 3);
    ret_text[35] = '-';
    grpcc_trace_hex(trace->span_id, sizeof(trace->span_id), ret_text + 36);
    ret_text[52] = '-';
    grpcc_trace_hex(&trace->flags, 1, ret_text + 53);
}

/* ---- lists: tracestate and baggage ---- */

struct span_of_text {
    const char *at;
    size_t length;
};

static struct span_of_text trimmed(const char *at, size_t length)
{
    while (length && (at[0] == ' ' || at[0] == '\t')) {
        at++;
        length--;
    }
    while (length && (at[length - 1] == ' ' || at[length - 1] == '\t'))
        length--;
    return (struct span_of_text){at, length};
}

/* Cuts the next member off *text, without the white space around it; false: there is none. */
static bool next_member(struct span_of_text *text, struct span_of_text *ret_member)
{
    if (!text->at)
        return false;
    const char *comma = memchr(text->at, ',', text->length);
    size_t length = comma ? (size_t)(comma - text->at) : text->length;
    *ret_member = trimmed(text->at, length);
    text->at = comma ? comma + 1 : NULL;
    text->length -= comma ? length + 1 : length;
    return true;
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-*/@", c));
}

static bool is_state_member(struct span_of_text member, struct span_of_text *ret_key)
{
    const char *equals = memchr(member.at, '=', member.length);
    if (!equals)
        return false;
    size_t n_key = (size_t)(equals - member.at), n_value = member.length - n_key - 1;
    if (n_key < 1 || n_key > TRACESTATE_KEY_MAX || n_value < 1 || n_value > TRACESTATE_VALUE_MAX)
        return false;
    if (strchr("_-*/@", member.at[0]))
        return false;
    for (size_t i = 0; i < n_key; i++)
        if (!is_key_character(member.at[i]))
            return false;
    for (size_t i = 1; i <= n_value; i++)
        if (equals[i] < ' ' || equals[i] > '~' || equals[i] == '=')
            return false;
    *ret_key = (struct span_of_text){member.at, n_key};
    return true;
}

static bool has_key(const struct span_of_text *keys, size_t n, struct span_of_text key)
{
    for (size_t i = 0; i < n; i++)
        if (keys[i].length == key.length && memcmp(keys[i].at, key.at, key.length) == 0)
            return true;
    return false;
}

bool grpcc_trace_state_is_valid(const char *text, size_t length)
{
    struct span_of_text keys[GRPCC_TRACESTATE_MEMBERS_MAX];
    struct span_of_text left = {text, length}, member, key;
    size_t n = 0;
    if (length == 0 || length > GRPCC_TRACESTATE_MAX)
        return false;
    while (next_member(&left, &member)) {
        if (member.length == 0)
            continue;
        if (n == GRPCC_TRACESTATE_MEMBERS_MAX || !is_state_member(member, &key) ||
            has_key(keys, n, key))
            return false;
        keys[n++] = key;
    }
    return n > 0;
}

static bool is_token_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* key [OWS] "=" [OWS] value, then properties behind semicolons, which are only looked at as text.
 */
static bool is_baggage_member(struct span_of_text member)
{
    const char *equals = memchr(member.at, '=', member.length);
    if (!equals)
        return false;
    struct span_of_text key = trimmed(member.at, (size_t)(equals - member.at));
    if (key.length == 0)
        return false;
    for (size_t i = 0; i < key.length; i++)
        if (!is_token_character(key.at[i]))
            return false;
    for (const char *c = equals + 1; c < member.at + member.length; c++)
        if ((*c < ' ' && *c != '\t') || *c > '~' || *c == '"' || *c == '\\')
            return false;
    return true;
}

bool grpcc_trace_baggage_is_valid(const char *text, size_t length)
{
    struct span_of_text left = {text, length}, member;
    size_t n = 0;
    if (length == 0 || length > GRPCC_BAGGAGE_MAX)
        return false;
    while (next_member(&left, &member))
        if (++n > GRPCC_BAGGAGE_MEMBERS_MAX || !is_baggage_member(member))
            return false;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/seen.h"

#include <string.h>

void comb_seen_init(struct comb_seen *seen)
{
    memset(seen, 0, sizeof(*seen));
    pthread_mutex_init(&seen->lock, NULL);
}

void comb_seen_done(struct comb_seen *seen)
{
    pthread_mutex_destroy(&seen->lock);
}

/* 1 to 16 lower case hex digits, then stop; NULL: not so. */
static const char *parse_hex(const char *text, char stop, uint64_t *ret_value)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    size_t n = 0;
    for (; *text != stop; text++, n++) {
        const char *digit = *text ? strchr(digits, *text) : NULL;
        if (!digit || n == 16)
            return NULL;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *ret_value = value;
    return n ? text + 1 : NULL;
}

static bool parse(const char *text, size_t length, struct comb_seen_token *ret_token)
{
    if (length == 0 || length > COMB_SEEN_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    memset(ret_token, 0, sizeof(*ret_token));
    memcpy(ret_token->text, text, length);
    if (strncmp(ret_token->text, "1-", 2) != 0)
        return true;
    const char *rest = parse_hex(ret_token->text + 2, '-', &ret_token->incarnation);
    ret_token->known = rest && parse_hex(rest, '\0', &ret_token->sequence);
    return true;
}

static bool replaces(const struct comb_seen_token *newer, const struct comb_seen_token *old)
{
    if (newer->known && old->known)
        return newer->incarnation == old->incarnation;
    return strcmp(newer->text, old->text) == 0;
}

static void add_locked(struct comb_seen *seen, const struct comb_seen_token *token)
{
    for (size_t i = 0; i < seen->n; i++) {
        if (!replaces(token, &seen->tokens[i]))
            continue;
        if (token->known && token->sequence > seen->tokens[i].sequence) {
            seen->tokens[i] = *token;
            seen->changed = true;
        }
        return;
    }
    if (seen->n == COMB_SEEN_MAX) {
        seen->n--;
        memmove(&seen->tokens[0], &seen->tokens[1], seen->n * sizeof(seen->tokens[0]));
    }
    seen->tokens[seen->n++] = *token;
    seen->changed = true;
}

bool comb_seen_add(struct comb_seen *seen, const char *text, size_t length)
{
    bool good = true;
    while (good && length > 0) {
        struct comb_seen_token token;
        const char *comma = memchr(text, ',', length);
        size_t n = comma ? (size_t)(comma - text) : length;
        good = parse(text, n, &token);
        if (good) {
            pthread_mutex_lock(&seen->lock);
            add_locked(seen, &token);
            pthread_mutex_unlock(&seen->lock);
        }
        n += comma ? 1 : 0;
        text += n;
        length -= n;
    }
    return good;
}

void comb_seen_clear(struct comb_seen *seen)
{
    pthread_mutex_lock(&seen->lock);
    seen->n = 0;
    seen->changed = true;
    pthread_mutex_unlock(&seen->lock);
}

size_t comb_seen_text(struct comb_seen *seen, char ret_text[COMB_SEEN_TEXT_SIZE])
{
    size_t length = 0;
    pthread_mutex_lock(&seen->lock);
    for (size_t i = 0; i < seen->n; i++) {
        size_t n = strlen(seen->tokens[i].text);
        if (i > 0)
            ret_text[length++] = ',';
        memcpy(ret_text + length, seen->tokens[i].text, n);
        length += n;
    }
    pthread_mutex_unlock(&seen->lock);
    ret_text[length] = '\0';
    return length;
}

bool comb_seen_take_changed(struct comb_seen *seen)
{
    pthread_mutex_lock(&seen->lock);
    bool changed = seen->changed;
    seen->changed = false;
    pthread_mutex_unlock(&seen->lock);
    return changed;
}

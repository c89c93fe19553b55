/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client has seen of the tree: the newest comb-token of each incarnation, to be sent with
 * every call. A token is "1-INCARNATION-SEQUENCE" in hex; what has another form is kept as it is,
 * for a server newer than this library.
 */
#ifndef COMB_LIB_SEEN_H
#define COMB_LIB_SEEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COMB_SEEN_MAX = 8,
    COMB_SEEN_TOKEN_MAX = 128, /* bytes of one */
    COMB_SEEN_TEXT_SIZE =
        COMB_SEEN_MAX * (COMB_SEEN_TOKEN_MAX + 1) /* of all, with commas and NUL */
};

struct comb_seen_token {
    char text[COMB_SEEN_TOKEN_MAX + 1];
    bool known; /* its form; and then: */
    uint64_t incarnation, sequence;
};

/* All functions: any thread. */
struct comb_seen {
    pthread_mutex_t lock;
    size_t n;
    bool changed;                                 /* since comb_seen_take_changed() */
    struct comb_seen_token tokens[COMB_SEEN_MAX]; /* oldest first */
};

void comb_seen_init(struct comb_seen *seen);
void comb_seen_done(struct comb_seen *seen);
/* One or several, separated by commas. False: one was empty, too long, or not printable; those
 * before it were added. */
bool comb_seen_add(struct comb_seen *seen, const char *text, size_t length);
void comb_seen_clear(struct comb_seen *seen);
/* All, separated by commas; "" for none. Returns the length. */
size_t comb_seen_text(struct comb_seen *seen, char ret_text[COMB_SEEN_TEXT_SIZE]);
bool comb_seen_take_changed(struct comb_seen *seen);

#endif

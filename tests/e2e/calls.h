/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests over a real socket share beside combd.h: short forms of calls, content that can be
 * made again from a number, clocks and chance. None of them fails a test by itself, so that they
 * may be used on any thread; what went wrong is in err.
 */
#ifndef TESTS_E2E_CALLS_H
#define TESTS_E2E_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comb/client.h"
#include "comb/v1/node.grpcc.h"
#include "comb/v1/tree.grpcc.h"

#define CALLS_SHA256_BYTES 32

/* How often: short_count, or with COMB_LONG=1 in the environment long_count. */
unsigned calls_count(unsigned short_count, unsigned long_count);

int64_t calls_now_ns(void); /* CLOCK_MONOTONIC */
void calls_sleep_ms(long ms);
/* The next number below `below`; *state must not be 0. */
unsigned calls_draw(uint64_t *state, unsigned below);

/* n bytes that follow from seed. */
void calls_content(uint64_t seed, unsigned char *bytes, size_t n);
void calls_sha256(const void *bytes, size_t n, unsigned char ret_sha256[CALLS_SHA256_BYTES]);

/* A reference by path, or by id where path begins without "/". In arena. */
struct comb_v1_node_ref *calls_ref(struct grpcc_arena *arena, const char *path);

/* Makes the folder `name` in `parent`; one that is there is a success where exist_ok. ret_node:
 * NULL is fine. */
enum grpcc_status calls_mkdir(struct comb_client *client, struct grpcc_arena *arena,
                              const char *parent, const char *name, bool exist_ok,
                              struct comb_v1_node **ret_node, struct grpcc_error *err);
enum grpcc_status calls_stat(struct comb_client *client, struct grpcc_arena *arena,
                             const char *path, struct comb_v1_node **ret_node,
                             struct grpcc_error *err);
/* By a strong read. */
enum grpcc_status calls_stat_strong(struct comb_client *client, struct grpcc_arena *arena,
                                    const char *path, struct comb_v1_node **ret_node,
                                    struct grpcc_error *err);
/* parent: NULL: it stays where it is. name: "": it keeps its name. */
enum grpcc_status calls_move(struct comb_client *client, struct grpcc_arena *arena,
                             const char *path, const char *parent, const char *name,
                             struct comb_v1_node **ret_node, struct grpcc_error *err);
/* Not into the bin. */
enum grpcc_status calls_remove(struct comb_client *client, struct grpcc_arena *arena,
                               const char *path, struct grpcc_error *err);
/* Lets the user read the node, or not any more. */
enum grpcc_status calls_let_read(struct comb_client *client, struct grpcc_arena *arena,
                                 const char *path, const char *login, bool allowed,
                                 struct grpcc_error *err);

/* The cursor of this moment, in arena. */
enum grpcc_status calls_cursor(struct comb_client *client, struct grpcc_arena *arena,
                               const char *folder, const char **ret_cursor,
                               struct grpcc_error *err);
/* Gives every change below folder since cursor to each, in order. */
enum grpcc_status calls_changes(struct comb_client *client, const char *folder, const char *cursor,
                                void (*each)(void *data, const struct comb_v1_change *change),
                                void *data, struct grpcc_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of a test's own, and files that the test waits for. */
#ifndef TESTS_EXTRACT_POOL_H
#define TESTS_EXTRACT_POOL_H

#include <pthread.h>
#include <sys/types.h>

#include "server/core/buf.h"
#include "server/extract/extract.h"

/* A file: its content is `content`, and then `fill` until size bytes have come. */
struct pool_file {
    comb_str content;
    uint64_t size; /* 0: content->len */
    const char *name, *media_type;
    bool fails; /* cannot be read */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t id, n_read;
    unsigned n_released, n_done;
    struct comb_extract_result result; /* its text is `text` */
    struct comb_buf text;
};

/* The programs: of the server, and tests/extract/misbehave.c. Static. */
const char *pool_program(void);
const char *pool_misbehaving_program(void);

struct comb_extract *pool_new(const struct comb_extract_options *options);
void pool_file_init(struct pool_file *file, comb_str content);
void pool_file_submit(struct comb_extract *pool, struct pool_file *file);
/* Waits for its end, two minutes at most. */
void pool_file_await(struct pool_file *file);
/* _submit, _await, and asks for the end. text: NULL: any. Ends the file. */
void pool_file_is(struct comb_extract *pool, struct pool_file *file,
                  enum comb_extract_outcome outcome, enum comb_extract_reason reason,
                  const char *text);
void pool_file_done(struct pool_file *file);

/* The first child of a process; 0: it has none. */
pid_t pool_child_of(pid_t parent);
/* Waits until it has one. */
pid_t pool_await_child_of(pid_t parent);
/* Waits until a process is gone, or is only its parent's to wait for. */
void pool_await_gone(pid_t pid);
/* Descriptors that stand open in this process. */
unsigned pool_count_descriptors(void);

#endif

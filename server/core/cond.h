/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting with an end, in the terms of deadlines: comb_clock_monotonic_ns(), INT64_MAX for never.
 * Where tests move that clock before a wait begins, the wait keeps to it. Threads: any.
 */
#ifndef COMB_CORE_COND_H
#define COMB_CORE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* For comb_cond_wait_until(); pthread_cond_destroy() ends it. */
void comb_cond_init(pthread_cond_t *cond);
/* As pthread_cond_wait(), wrong alarms included, but false once it is later than until_ns. */
bool comb_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);
/* False: it could not be had before until_ns. */
bool comb_mutex_lock_until(pthread_mutex_t *lock, int64_t until_ns);

#endif

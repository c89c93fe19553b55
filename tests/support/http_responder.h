/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP endpoint that answers as it is told, request by request, and keeps what it was asked: for
 * answers that no real server gives when one wants them. One connection at a time, each closed
 * after its answer.
 */
#ifndef TESTS_SUPPORT_HTTP_RESPONDER_H
#define TESTS_SUPPORT_HTTP_RESPONDER_H

#include <pthread.h>
#include <stddef.h>

#define HTTP_RESPONDER_MAX 16
#define HTTP_RESPONDER_HEAD_MAX 8192

struct http_responder {
    int port;
    int listener;
    pthread_t thread;
    /* The answers in order, each as it goes over the wire; "": the connection is closed without
     * one. Set by the test before the requests come; NULL at the end. */
    const char *answers[HTTP_RESPONDER_MAX + 1];
    /* The heads of the requests that came, in order. Look at them after _done. */
    char heads[HTTP_RESPONDER_MAX][HTTP_RESPONDER_HEAD_MAX];
    size_t n_heads;
};

/* Listens on 127.0.0.1. responder->answers are set already. */
void http_responder_start(struct http_responder *responder);
/* Ends it: what has not been asked for by then never will be. */
void http_responder_done(struct http_responder *responder);

#endif

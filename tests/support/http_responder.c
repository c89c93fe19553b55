/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_responder.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/support.h"

/* Reads up to the empty line; what follows it in the same bytes counts as body. Returns how many
 * bytes of the body are still to come; -1: the connection ended. */
static long read_head(int fd, char *head)
{
    size_t n = 0;
    char *end = NULL;

    while (!end) {
        ssize_t got = recv(fd, head + n, HTTP_RESPONDER_HEAD_MAX - 1 - n, 0);

        if (got <= 0)
            return -1;
        n += (size_t)got;
        head[n] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = strcasestr(head, "\r\ncontent-length:");
    long body = length && length < end ? strtol(length + 17, NULL, 10) : 0;
    body -= (long)(n - (size_t)(end + 4 - head));
    end[2] = '\0';
    return body;
}

static void drain(int fd, long body)
{
    char bytes[65536];

    while (body > 0) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);

        if (got <= 0)
            return;
        body -= got;
    }
}

static void send_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        left -= (size_t)sent;
    }
}

static void *serve(void *data)
{
    struct http_responder *responder = data;

    while (responder->n_heads < HTTP_RESPONDER_MAX) {
        const char *answer = responder->answers[responder->n_heads];
        int fd = accept(responder->listener, NULL, NULL);

        if (fd < 0 || !answer) {
            if (fd >= 0)
                close(fd);
            break;
        }
        long body = read_head(fd, responder->heads[responder->n_heads]);
        if (body >= 0) {
            drain(fd, body);
            responder->n_heads++;
            send_all(fd, answer);
        }
        close(fd);
    }
    return NULL;
}

void http_responder_start(struct http_responder *responder)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    responder->n_heads = 0;
    responder->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(responder->listener >= 0);
    assert_int_equal(bind(responder->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(responder->listener, 8), 0);
    assert_int_equal(getsockname(responder->listener, (struct sockaddr *)&address, &size), 0);
    responder->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&responder->thread, NULL, serve, responder), 0);
}

void http_responder_done(struct http_responder *responder)
{
    shutdown(responder->listener, SHUT_RDWR);
    pthread_join(responder->thread, NULL);
    close(responder->listener);
}

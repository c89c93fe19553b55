/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/postgres_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/support.h"

enum { SESSIONS_MAX = 64, HEAD_MAX = 5, STARTUP_MAX = 1024 };

/* What the client says before its first message with a type: asking for encryption, which the
 * server refuses with one byte, or its startup. */
enum { SSL_REQUEST = 80877103, GSS_REQUEST = 80877104 };

/* Messages with a type, in one direction: what of a head has come, what is left of the message. */
struct messages {
    unsigned char head[HEAD_MAX];
    size_t n_head, left;
};

struct session {
    int client, server;
    bool started, counted;
    struct messages from_client, from_server;
    char startup[STARTUP_MAX];
    size_t n_startup;
    int refusals; /* that are still to come, a byte each */
    int asked;    /* Syncs without an answer */
};

struct postgres_proxy {
    int listener, server_port;
    int stop[2]; /* a pipe */
    pthread_t thread;
    struct session sessions[SESSIONS_MAX];
    size_t n;
    _Atomic uint64_t trips;
};

static uint32_t number_at(const void *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof number);
    return ntohl(number);
}

static void end_startup(struct session *session)
{
    const char *text = session->startup;
    uint32_t code = number_at(text + 4);

    session->n_startup = 0;
    if (code == SSL_REQUEST || code == GSS_REQUEST) {
        session->refusals++;
        return;
    }
    session->started = true;
    session->counted = !memmem(text, STARTUP_MAX, "comb poll", sizeof "comb poll");
}

/* The type of the message whose head ends with this byte; 0: none does. */
static char head_of(struct messages *messages, unsigned char byte)
{
    if (messages->left > 0) {
        messages->left--;
        return 0;
    }
    messages->head[messages->n_head++] = byte;
    if (messages->n_head < HEAD_MAX)
        return 0;
    messages->left = number_at(messages->head + 1) - 4;
    messages->n_head = 0;
    return (char)messages->head[0];
}

/* One byte of what the client sends. What it asks while an answer is on its way costs no trip more.
 */
static void take_question(struct postgres_proxy *proxy, struct session *session, unsigned char byte)
{
    if (!session->started) {
        assert_true(session->n_startup < STARTUP_MAX);
        session->startup[session->n_startup++] = (char)byte;
        if (session->n_startup >= 8 && session->n_startup == number_at(session->startup))
            end_startup(session);
        return;
    }
    if (head_of(&session->from_client, byte) == 'S' && session->asked++ == 0 && session->counted)
        atomic_fetch_add(&proxy->trips, 1);
}

static void take_answer(struct session *session, unsigned char byte)
{
    if (session->refusals > 0)
        session->refusals--;
    else if (head_of(&session->from_server, byte) == 'Z' && session->asked > 0)
        session->asked--;
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void be_prompt(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void admit(struct postgres_proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = client >= 0 ? connect_to(proxy->server_port) : -1;

    if (server < 0 || proxy->n == SESSIONS_MAX) {
        if (client >= 0)
            close(client);
        if (server >= 0)
            close(server);
        return;
    }
    be_prompt(client);
    be_prompt(server);
    proxy->sessions[proxy->n++] = (struct session){.client = client, .server = server};
}

static void drop(struct postgres_proxy *proxy, size_t i)
{
    close(proxy->sessions[i].client);
    close(proxy->sessions[i].server);
    proxy->sessions[i] = proxy->sessions[--proxy->n];
}

/* False: one of both has gone. */
static bool forward(struct postgres_proxy *proxy, struct session *session, bool from_client)
{
    char bytes[65536];
    ssize_t n = recv(from_client ? session->client : session->server, bytes, sizeof bytes, 0);

    if (n <= 0)
        return false;
    for (ssize_t i = 0; i < n; i++) {
        if (from_client)
            take_question(proxy, session, (unsigned char)bytes[i]);
        else
            take_answer(session, (unsigned char)bytes[i]);
    }
    for (ssize_t sent = 0; sent < n;) {
        ssize_t more = send(from_client ? session->server : session->client, bytes + sent,
                            (size_t)(n - sent), MSG_NOSIGNAL);

        if (more <= 0)
            return false;
        sent += more;
    }
    return true;
}

static void *run(void *data)
{
    struct postgres_proxy *proxy = data;

    for (;;) {
        struct pollfd fds[2 + 2 * SESSIONS_MAX] = {{.fd = proxy->stop[0], .events = POLLIN},
                                                   {.fd = proxy->listener, .events = POLLIN}};
        size_t n = proxy->n;

        for (size_t i = 0; i < n; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = proxy->sessions[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = proxy->sessions[i].server, .events = POLLIN};
        }
        if (poll(fds, 2 + 2 * n, -1) < 0)
            continue;
        if (fds[0].revents)
            return NULL;
        /* From behind: a session that ends has its place taken by the last one. */
        for (size_t i = n; i-- > 0;) {
            if ((fds[2 + 2 * i].revents && !forward(proxy, &proxy->sessions[i], true)) ||
                (fds[3 + 2 * i].revents && !forward(proxy, &proxy->sessions[i], false)))
                drop(proxy, i);
        }
        if (fds[1].revents)
            admit(proxy);
    }
}

struct postgres_proxy *postgres_proxy_new(int server_port, int *ret_port)
{
    struct postgres_proxy *proxy = calloc(1, sizeof *proxy);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    assert_non_null(proxy);
    proxy->server_port = server_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(proxy->listener >= 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy->listener, SESSIONS_MAX), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(pipe2(proxy->stop, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    *ret_port = ntohs(address.sin_port);
    return proxy;
}

uint64_t postgres_proxy_trips(const struct postgres_proxy *proxy)
{
    return atomic_load(&proxy->trips);
}

void postgres_proxy_free(struct postgres_proxy *proxy)
{
    assert_int_equal(write(proxy->stop[1], "", 1), 1);
    pthread_join(proxy->thread, NULL);
    while (proxy->n > 0)
        drop(proxy, proxy->n - 1);
    close(proxy->listener);
    close(proxy->stop[0]);
    close(proxy->stop[1]);
    free(proxy);
}

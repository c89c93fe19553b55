/* SPDX-License-Identifier: Apache-2.0 */
/* The fault proxy between two sockets of the test's own. Of times only lower bounds are asserted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/faultproxy/control.h"
#include "tests/faultproxy/flow_test.h"
#include "tests/support/support.h"

/* So long nothing comes where nothing may come; anything else is waited for much longer. */
enum { SILENCE_MS = 150, PATIENCE_SECONDS = 60, ANSWER_MAX = 4096 };

struct fixture {
    struct fault_proxy *proxy;
    pthread_t thread;
    char path[108];
    int target; /* listens */
    int port;   /* of the link "a:b" to it */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *serve(void *data)
{
    fault_proxy_run(data);
    return NULL;
}

/* Sends a command as a program would; what is answered is in `answer`. */
static void ask(struct fixture *f, const char *command, char answer[ANSWER_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = 0;
    ssize_t more;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, f->path, sizeof f->path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, command, strlen(command), MSG_NOSIGNAL), strlen(command));
    while ((more = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0)) > 0)
        n += (size_t)more;
    answer[n] = '\0';
    close(fd);
}

static void must(struct fixture *f, const char *command)
{
    char answer[ANSWER_MAX];

    ask(f, command, answer);
    assert_string_equal(answer, "ok\n");
}

static void must_not(struct fixture *f, const char *command)
{
    char answer[ANSWER_MAX];

    ask(f, command, answer);
    assert_int_equal(strncmp(answer, "error: ", 7), 0);
}

static void be_patient(int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_anywhere(int *ret_port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    be_patient(fd);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Adds a link from a free port, which it returns. */
static int add_link(struct fixture *f, const char *name, int target)
{
    char command[256], answer[ANSWER_MAX];
    int port = 0;

    snprintf(command, sizeof command, "add %s 127.0.0.1:0 127.0.0.1:%d\n", name, target);
    ask(f, command, answer);
    assert_int_equal(sscanf(answer, "127.0.0.1:%d\nok\n", &port), 1);
    return port;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int port;

    snprintf(f->path, sizeof f->path, "faultproxy.%d", (int)getpid());
    f->proxy = fault_proxy_new(f->path);
    assert_non_null(f->proxy);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f->proxy), 0);
    f->target = listen_anywhere(&port);
    f->port = add_link(f, "a:b", port);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault_proxy_stop(f->proxy);
    pthread_join(f->thread, NULL);
    fault_proxy_free(f->proxy);
    assert_int_equal(access(f->path, F_OK), -1);
    close(f->target);
    free(f);
    return 0;
}

static int connect_to(int port)
{
    const struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    be_patient(fd);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int accept_one(struct fixture *f)
{
    int fd = accept4(f->target, NULL, NULL, SOCK_CLOEXEC);

    assert_true(fd >= 0);
    be_patient(fd);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hear(int fd, const char *text)
{
    char heard[64] = "";

    assert_int_equal(recv(fd, heard, strlen(text), MSG_WAITALL), strlen(text));
    assert_string_equal(heard, text);
}

/* Neither bytes nor an end nor a connection. */
static void hear_nothing(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&poller, 1, SILENCE_MS), 0);
}

static void hear_end(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void hear_reset(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* ---- ---- */

enum { FLOOD_BYTES = 8 * 1024 * 1024 };

struct flood {
    int fd;
    size_t sent;
};

/* Bytes whose values tell their place, until all are sent. */
static void *flood(void *data)
{
    struct flood *flood = data;
    unsigned char bytes[50000];

    while (flood->sent < FLOOD_BYTES) {
        size_t n =
            FLOOD_BYTES - flood->sent < sizeof bytes ? FLOOD_BYTES - flood->sent : sizeof bytes;
        ssize_t more;

        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)((flood->sent + i) * 131 >> 4);
        more = send(flood->fd, bytes, n, MSG_NOSIGNAL);
        if (more <= 0)
            break;
        __atomic_fetch_add(&flood->sent, (size_t)more, __ATOMIC_SEQ_CST);
    }
    shutdown(flood->fd, SHUT_WR);
    return NULL;
}

static void drain(int fd)
{
    unsigned char bytes[70000];
    size_t heard = 0;
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++, heard++)
            if (bytes[i] != (unsigned char)(heard * 131 >> 4))
                fail_msg("byte %zu is another one", heard);
    }
    assert_int_equal(n, 0);
    assert_int_equal(heard, FLOOD_BYTES);
}

static void it_carries_both_ways_to_the_end(void **state)
{
    struct fixture *f = *state;
    struct flood up = {.fd = connect_to(f->port)}, down = {.fd = accept_one(f)};
    pthread_t threads[2];
    char answer[ANSWER_MAX];

    /* One after the other: the second one after the first has ended its half. */
    assert_int_equal(pthread_create(&threads[0], NULL, flood, &up), 0);
    drain(down.fd);
    assert_int_equal(pthread_create(&threads[1], NULL, flood, &down), 0);
    drain(up.fd);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    ask(f, "list a:*\n", answer);
    assert_non_null(strstr(answer, "up 8388608 down 8388608"));
    close(up.fd);
    close(down.fd);
}

static void cut_keeps_a_bounded_part(void **state)
{
    struct fixture *f = *state;
    struct flood up = {.fd = connect_to(f->port)};
    int server = accept_one(f);
    pthread_t thread;
    size_t sent, before;

    must(f, "cut a:b up\n");
    assert_int_equal(pthread_create(&thread, NULL, flood, &up), 0);
    /* Until the sender is stuck. */
    sent = 0;
    do {
        before = sent;
        poll(NULL, 0, SILENCE_MS);
        sent = __atomic_load_n(&up.sent, __ATOMIC_SEQ_CST);
    } while (sent == 0 || sent != before);
    assert_true(sent < FLOOD_BYTES);
    hear_nothing(server);
    must(f, "heal a:b\n");
    drain(server);
    pthread_join(thread, NULL);
    close(up.fd);
    close(server);
}

static void delay_is_added_each_way(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f);
    int64_t began;

    must(f, "delay a:b 120 10\n");
    began = now_ms();
    say(client, "ping");
    hear(server, "ping");
    assert_true(now_ms() - began >= 120);
    say(server, "pong");
    hear(client, "pong");
    assert_true(now_ms() - began >= 240);
    must(f, "heal a:b\n");
    must(f, "delay a:b down 100000\n");
    say(client, "up");
    hear(server, "up");
    say(server, "down");
    close(server);
    hear_nothing(client);
    /* What waits goes on when it is healed, the end behind it. */
    must(f, "heal *\n");
    hear(client, "down");
    hear_end(client);
    close(client);
}

static void cut_is_silence_until_it_heals(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f), later;

    must(f, "cut a:b\n");
    say(client, "one");
    say(server, "two");
    hear_nothing(server);
    hear_nothing(client);
    /* A connection that is made meanwhile reaches nobody. */
    later = connect_to(f->port);
    say(later, "three");
    hear_nothing(f->target);
    close(client);
    hear_nothing(server);
    must(f, "heal a:b\n");
    hear(server, "one");
    close(server);
    server = accept_one(f);
    hear(server, "three");
    close(server);
    hear_end(later);
    close(later);
}

static void cut_can_be_one_way(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f), later;

    must(f, "cut a:b down\n");
    say(client, "up");
    hear(server, "up");
    say(server, "down");
    hear_nothing(client);
    later = connect_to(f->port);
    close(accept_one(f));
    hear_nothing(later);
    must(f, "heal a:b\n");
    hear(client, "down");
    hear_end(later);
    must(f, "cut a:b up\n");
    say(server, "down");
    hear(client, "down");
    say(client, "up");
    hear_nothing(server);
    close(later);
    close(client);
    close(server);
}

static void reset_reaches_both_sides(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f);

    say(client, "x");
    hear(server, "x");
    must(f, "reset a:b\n");
    hear_reset(client);
    hear_reset(server);
    close(client);
    close(server);
    /* New ones are well. */
    client = connect_to(f->port), server = accept_one(f);
    say(client, "y");
    hear(server, "y");
    close(client);
    hear_end(server);
    close(server);
}

/* A reset by one side is a reset for the other one. */
static void resets_are_carried(void **state)
{
    const struct linger at_once = {.l_onoff = 1};
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f);

    say(client, "x");
    hear(server, "x");
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(client);
    hear_reset(server);
    close(server);
    /* The same after the other one has ended its half. */
    client = connect_to(f->port), server = accept_one(f);
    shutdown(server, SHUT_WR);
    hear_end(client);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(client);
    hear_reset(server);
    close(server);
}

static void a_silent_link_takes_and_says_nothing(void **state)
{
    struct fixture *f = *state;
    int old = connect_to(f->port), server = accept_one(f), client;

    must(f, "silent a:b\n");
    client = connect_to(f->port);
    say(client, "hello");
    hear_nothing(f->target);
    hear_nothing(client);
    say(old, "x");
    hear(server, "x");
    close(server);
    close(old);
    must(f, "heal a:b\n");
    server = accept_one(f);
    hear(server, "hello");
    close(client);
    close(server);
}

static void an_end_can_be_kept_back(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f);

    must(f, "keep-open a:b\n");
    say(client, "last");
    close(client);
    hear(server, "last");
    hear_nothing(server);
    must(f, "heal a:b\n");
    hear_end(server);
    close(server);
}

static void refused_is_reset(void **state)
{
    struct fixture *f = *state;
    int client, server, port;

    must(f, "refuse a:b\n");
    client = connect_to(f->port);
    hear_reset(client);
    close(client);
    must(f, "heal a:b\n");
    client = connect_to(f->port), server = accept_one(f);
    close(client);
    close(server);
    /* So is one for a target that nobody listens at. */
    close(listen_anywhere(&port));
    client = connect_to(add_link(f, "a:nobody", port));
    hear_reset(client);
    close(client);
}

static void bandwidth_and_loss_cost_time_only(void **state)
{
    struct fixture *f = *state;
    int client = connect_to(f->port), server = accept_one(f);
    char sent[40000], heard[sizeof sent];
    int64_t began = now_ms();

    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 7 >> 2);
    must(f, "bandwidth a:b up 100000\n");
    assert_int_equal(send(client, sent, sizeof sent, MSG_NOSIGNAL), sizeof sent);
    assert_int_equal(recv(server, heard, sizeof heard, MSG_WAITALL), sizeof heard);
    assert_true(now_ms() - began >= 350);
    assert_memory_equal(sent, heard, sizeof sent);
    must(f, "heal a:b\n");
    must(f, "loss a:b 100 180\n");
    began = now_ms();
    say(server, "late");
    hear(client, "late");
    assert_true(now_ms() - began >= 180);
    must(f, "heal a:b\n");
    must(f, "loss a:b 30 5\n");
    assert_int_equal(send(client, sent, sizeof sent, MSG_NOSIGNAL), sizeof sent);
    assert_int_equal(recv(server, heard, sizeof heard, MSG_WAITALL), sizeof heard);
    assert_memory_equal(sent, heard, sizeof sent);
    close(client);
    close(server);
}

static void many_connections_at_once(void **state)
{
    enum { MANY = 200 };
    struct fixture *f = *state;
    int clients[MANY], servers[MANY];
    char answer[ANSWER_MAX];

    for (int i = 0; i < MANY; i++)
        clients[i] = connect_to(f->port);
    for (int i = 0; i < MANY; i++)
        servers[i] = accept_one(f);
    for (int i = 0; i < MANY; i++)
        say(clients[i], "hello");
    for (int i = 0; i < MANY; i++)
        hear(servers[i], "hello");
    ask(f, "list\n", answer);
    assert_non_null(strstr(answer, "connections 200 "));
    must(f, "remove a:b\n");
    for (int i = 0; i < MANY; i++) {
        hear_reset(clients[i]);
        close(clients[i]);
        close(servers[i]);
    }
    ask(f, "list\n", answer);
    assert_string_equal(answer, "ok\n");
}

static void commands_are_checked(void **state)
{
    static const char long_name[] =
        "add ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc 127.0.0.1:0 "
        "127.0.0.1:1\n";
    static const char *const wrong[] = {
        "\n",
        "nonsense\n",
        "heal nothing\n",
        "heal\n",
        "delay a:b\n",
        "delay a:b x\n",
        "delay a:b -1\n",
        "delay a:b 600001\n",
        "delay a:b 1 2 3\n",
        "delay a:b sideways 1\n",
        "loss a:b 101\n",
        "silent a:b up\n",
        "bandwidth a:b 99999999999999999999\n",
        "add a:b 127.0.0.1:0 127.0.0.1:1\n",
        "add c 127.0.0.1:0 localhost:1\n",
        "add c 127.0.0.1 127.0.0.1:1\n",
        "add c 127.0.0.1:0 127.0.0.1:x\n",
        "add c* 127.0.0.1:0 127.0.0.1:1\n",
        long_name,
    };
    struct fixture *f = *state;
    char answer[ANSWER_MAX], endless[2 * CONTROL_LINE_MAX];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        must_not(f, wrong[i]);
    ask(f, "list\n", answer);
    assert_null(strstr(answer, "delay"));
    memset(endless, 'x', CONTROL_LINE_MAX - 1);
    endless[CONTROL_LINE_MAX - 1] = '\0';
    must_not(f, endless);
    must(f, "delay a:? down 5 6\n");
    must(f, "cut a:b up\n");
    must(f, "loss a:b up 7\n");
    must(f, "keep-open *\n");
    ask(f, "list a:b\n", answer);
    assert_non_null(strstr(answer, " loss up 7 200 cut up delay down 5 6 keep-open\nok\n"));
    must(f, "heal a:b\n");
    ask(f, "list a:b\n", answer);
    assert_non_null(strstr(answer, " down 0\nok\n"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_in_order_when_they_are_due),
        cmocka_unit_test(a_full_flow_takes_nothing),
        cmocka_unit_test(bandwidth_is_kept),
        cmocka_unit_test(lost_bytes_hold_up_what_follows),
        cmocka_unit_test(an_end_comes_behind_the_bytes),
        CASE(it_carries_both_ways_to_the_end),
        CASE(cut_keeps_a_bounded_part),
        CASE(delay_is_added_each_way),
        CASE(cut_is_silence_until_it_heals),
        CASE(cut_can_be_one_way),
        CASE(reset_reaches_both_sides),
        CASE(resets_are_carried),
        CASE(a_silent_link_takes_and_says_nothing),
        CASE(an_end_can_be_kept_back),
        CASE(refused_is_reset),
        CASE(bandwidth_and_loss_cost_time_only),
        CASE(many_connections_at_once),
        CASE(commands_are_checked),
    };

    /* A Unix socket's path is short. */
    assert_int_equal(chdir(getenv("TEST_TMPDIR")), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

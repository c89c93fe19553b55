/* SPDX-License-Identifier: Apache-2.0 */
/* The program around proxy.h: serves, or hands a command to one that serves. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/faultproxy/control.h"

static struct fault_proxy *serving;

static void stop(int signal)
{
    (void)signal;
    fault_proxy_stop(serving);
}

/* A connection is two descriptors. */
static void allow_many_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(const char *path)
{
    const struct sigaction ending = {.sa_handler = stop};

    allow_many_descriptors();
    serving = fault_proxy_new(path);
    if (!serving) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    sigaction(SIGTERM, &ending, NULL);
    sigaction(SIGINT, &ending, NULL);
    fault_proxy_run(serving);
    fault_proxy_free(serving);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        return serve(argv[2]);
    if (argc < 3 || argv[1][0] == '-') {
        fputs("usage: faultproxy --serve SOCKET\n       faultproxy SOCKET COMMAND...\n", stderr);
        return 2;
    }
    return control_send(argv[1], argc - 2, argv + 2);
}

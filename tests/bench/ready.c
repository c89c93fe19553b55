/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/ready.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sigset_t signals;

const char *ready_begin(int argc, char **argv)
{
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (argc >= 3 && strcmp(argv[1], "--ready-file") == 0)
        return argv[2];
    fprintf(stderr, "usage: %s --ready-file FILE [FLAG]...\n", argv[0]);
    exit(2);
}

bool ready_has_flag(int argc, char **argv, const char *flag)
{
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], flag) == 0)
            return true;
    return false;
}

/* The file appears whole, as combd's does. */
static bool write_ready(const char *path, int port)
{
    char temporary[512];
    snprintf(temporary, sizeof temporary, "%.500s.new", path);
    FILE *ready = fopen(temporary, "w");
    bool written = ready && fprintf(ready, "listen=127.0.0.1:%d\n", port) > 0;
    if (ready && fclose(ready) != 0)
        written = false;
    return written && rename(temporary, path) == 0;
}

bool ready_serve(const char *path, int port)
{
    int number;
    if (!write_ready(path, port))
        return false;
    sigwait(&signals, &number);
    return true;
}

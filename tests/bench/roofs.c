/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/roofs.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (64u << 20)
#define ROUNDS 16
#define SYNCS 200

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned char *filled(void)
{
    unsigned char *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        abort();
    memset(buffer, 0x5a, BUFFER_BYTES);
    return buffer;
}

double roof_sha256(void)
{
    unsigned char *buffer = filled(), digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    double begin = now_s();
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (int i = 0; i < ROUNDS; i++)
        EVP_DigestUpdate(context, buffer, BUFFER_BYTES);
    EVP_DigestFinal_ex(context, digest, NULL);
    double seconds = now_s() - begin;
    EVP_MD_CTX_free(context);
    free(buffer);
    return ROUNDS * (double)BUFFER_BYTES / seconds;
}

double roof_memcpy(void)
{
    unsigned char *from = filled(), *to = filled();
    double begin = now_s();
    for (int i = 0; i < ROUNDS; i++) {
        from[i] = (unsigned char)i;
        memcpy(to, from, BUFFER_BYTES);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    double seconds = now_s() - begin;
    free(from);
    free(to);
    return ROUNDS * (double)BUFFER_BYTES / seconds;
}

double roof_fsync(const char *folder)
{
    char path[512], page[4096] = {1};
    snprintf(path, sizeof path, "%s/fsync", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return 0;
    double begin = now_s();
    for (int i = 0; i < SYNCS; i++)
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fdatasync(fd) != 0)
            break;
    double seconds = now_s() - begin;
    close(fd);
    (void)unlink(path);
    return SYNCS / seconds;
}

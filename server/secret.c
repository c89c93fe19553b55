/* SPDX-License-Identifier: Apache-2.0 */
#include "server/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/core/memory.h"

/* One byte behind the largest for the end of a string, one to see that a file is larger. */
#define PAGES_BYTES (COMB_SECRET_BYTES_MAX + 2)

static enum comb_status make_room(struct comb_secret *secret, struct comb_error *err)
{
    void *pages =
        mmap(NULL, PAGES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return comb_error_no_memory(err);
    (void)madvise(pages, PAGES_BYTES, MADV_DONTDUMP);
    secret->bytes = pages;
    secret->len = 0;
    return COMB_OK;
}

static enum comb_status failed(const char *flag, const char *path, struct comb_error *err)
{
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%s %.120s: %s", flag, path,
                          strerror(errno));
}

bool comb_secret_is_private(mode_t mode, uid_t owner, uid_t user)
{
    mode_t others = S_IRWXG | S_IRWXO;
    if (owner == 0 && user != 0)
        others &= ~(mode_t)S_IRGRP;
    return (mode & others) == 0;
}

static enum comb_status check_file(int fd, const char *flag, const char *path,
                                   struct comb_error *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return failed(flag, path, err);
    if (!S_ISREG(about.st_mode))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%s %.120s is not a file", flag,
                              path);
    if (!comb_secret_is_private(about.st_mode, about.st_uid, geteuid()))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s %.120s can be read or written by others: chmod 600 it", flag,
                              path);
    if (about.st_uid != geteuid() && about.st_uid != 0)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s %.120s belongs to another user: chown it to the one that combd "
                              "runs as",
                              flag, path);
    return COMB_OK;
}

static enum comb_status read_all(int fd, struct comb_secret *secret, const char *flag,
                                 const char *path, struct comb_error *err)
{
    while (secret->len <= COMB_SECRET_BYTES_MAX) {
        ssize_t n = read(fd, secret->bytes + secret->len, COMB_SECRET_BYTES_MAX + 1 - secret->len);
        if (n == 0)
            return COMB_OK;
        if (n < 0 && errno != EINTR)
            return failed(flag, path, err);
        secret->len += n > 0 ? (size_t)n : 0;
    }
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "%s %.120s is larger than a secret of %d bytes", flag, path,
                          COMB_SECRET_BYTES_MAX);
}

static void cut_end_of_line(struct comb_secret *secret)
{
    if (secret->len > 0 && secret->bytes[secret->len - 1] == '\n')
        secret->len--;
    if (secret->len > 0 && secret->bytes[secret->len - 1] == '\r')
        secret->len--;
    secret->bytes[secret->len] = '\0';
}

enum comb_status comb_secret_read(struct comb_secret *secret, const char *flag, const char *path,
                                  struct comb_error *err)
{
    /* Not waiting for whoever might write into a pipe of that name. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return failed(flag, path, err);
    struct comb_secret read = {0};
    enum comb_status status = check_file(fd, flag, path, err);
    if (status == COMB_OK)
        status = make_room(&read, err);
    if (status == COMB_OK)
        status = read_all(fd, &read, flag, path, err);
    close(fd);
    if (status == COMB_OK) {
        cut_end_of_line(&read);
        if (read.len == 0)
            status =
                comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%s %.120s is empty", flag, path);
    }
    if (status == COMB_OK)
        *secret = read;
    else
        comb_secret_done(&read);
    return status;
}

enum comb_status comb_secret_copy(struct comb_secret *secret, const char *flag, comb_str value,
                                  struct comb_error *err)
{
    if (value.len == 0 || value.len > COMB_SECRET_BYTES_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "%s: a secret has 1 to %d bytes", flag,
                              COMB_SECRET_BYTES_MAX);
    struct comb_secret copy = {0};
    enum comb_status status = make_room(&copy, err);
    if (status != COMB_OK)
        return status;
    memcpy(copy.bytes, value.ptr, value.len);
    copy.len = value.len;
    *secret = copy;
    return COMB_OK;
}

void comb_secret_done(struct comb_secret *secret)
{
    if (secret->bytes) {
        comb_memory_wipe(secret->bytes, PAGES_BYTES);
        (void)munmap(secret->bytes, PAGES_BYTES);
    }
    *secret = (struct comb_secret){0};
}

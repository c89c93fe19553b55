/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/tls_lists.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is beyond is not looked at. */
enum { FILES_MAX = 10000 };
enum { HASH_DIGITS = 8 };

static enum grpcc_status open_folder(const char *directory, DIR **ret_listing,
                                     struct grpcc_error *err)
{
    *ret_listing = opendir(directory);
    if (*ret_listing)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: %s", directory, strerror(errno));
}

/* FNV-1a */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 1099511628211u;
}

enum grpcc_status grpcc_tls_lists_sum(const char *directory, uint64_t *ret_sum,
                                      struct grpcc_error *err)
{
    DIR *listing = NULL;
    enum grpcc_status status = open_folder(directory, &listing, err);
    if (status)
        return status;
    uint64_t sum = 0;
    const struct dirent *entry;
    for (unsigned n = 0; n < FILES_MAX && (entry = readdir(listing)) != NULL; n++) {
        struct stat info;
        uint64_t hash = 14695981039346656037u;
        if (fstatat(dirfd(listing), entry->d_name, &info, 0) != 0 || !S_ISREG(info.st_mode))
            continue;
        for (const char *c = entry->d_name; *c; c++)
            hash = mix(hash, (unsigned char)*c);
        hash = mix(hash, (uint64_t)info.st_size);
        hash = mix(hash, (uint64_t)info.st_ino);
        hash = mix(hash, (uint64_t)info.st_mtim.tv_sec);
        hash = mix(hash, (uint64_t)info.st_mtim.tv_nsec);
        sum += hash; /* the order of the entries does not matter */
    }
    closedir(listing);
    *ret_sum = sum;
    return GRPCC_OK;
}

/* "0a1b2c3d.r0" */
static bool is_list(const char *name)
{
    size_t hash = strspn(name, "0123456789abcdef");
    if (hash != HASH_DIGITS || name[hash] != '.' || name[hash + 1] != 'r')
        return false;
    const char *number = name + hash + 2;
    return *number && number[strspn(number, "0123456789")] == '\0';
}

static bool is_readable(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!file) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    X509_CRL *list = PEM_read_X509_CRL(file, NULL, NULL, NULL);
    fclose(file);
    X509_CRL_free(list);
    ERR_clear_error(); /* the thread's, which core uses too */
    return list != NULL;
}

enum grpcc_status grpcc_tls_lists_check(const char *directory, struct grpcc_error *err)
{
    DIR *listing = NULL;
    enum grpcc_status status = open_folder(directory, &listing, err);
    if (status)
        return status;
    const struct dirent *entry;
    for (unsigned n = 0; n < FILES_MAX && !status && (entry = readdir(listing)) != NULL; n++)
        if (is_list(entry->d_name) && !is_readable(dirfd(listing), entry->d_name))
            status =
                grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s/%s: not a revocation list in PEM",
                                directory, entry->d_name);
    closedir(listing);
    return status;
}

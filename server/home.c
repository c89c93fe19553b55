/* SPDX-License-Identifier: Apache-2.0 */
#include "server/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/core/hash.h"
#include "server/core/limits.h"
#include "server/core/random.h"

#define DEFAULT_BELOW_HOME "/.local/share/comb"
#define PASSWORD_VARIABLE "COMB_ADMIN_PASSWORD"
#define PASSWORD_RANDOM_BYTES 15 /* 20 characters of base64url */

static enum comb_status failed(struct comb_error *err, const char *what, const char *path)
{
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%s %.150s: %s", what, path,
                          strerror(errno));
}

/* mkdir -p; folders above get 0755, the last one 0700. */
static enum comb_status make_folders(char *path, struct comb_error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int made = mkdir(path, 0755);
        *slash = '/';
        if (made != 0 && errno != EEXIST)
            return failed(err, "making", path);
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return failed(err, "making", path);
    return COMB_OK;
}

enum comb_status comb_home_find(const struct comb_options *options,
                                char ret_home[COMB_HOME_PATH_MAX], struct comb_error *err)
{
    char path[COMB_HOME_PATH_MAX];
    const char *user = getenv("HOME");
    int length = 0;
    if (options->home)
        length = snprintf(path, sizeof path, "%s", options->home);
    else if (user && *user)
        length = snprintf(path, sizeof path, "%s%s", user, DEFAULT_BELOW_HOME);
    else
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "HOME is not set: say where the stores lie with --home DIR");
    if (length >= (int)sizeof path || length == 0)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "--home: empty or too long");
    memcpy(ret_home, path, (size_t)length + 1);
    return COMB_OK;
}

enum comb_status comb_home_open(const struct comb_options *options,
                                char ret_home[COMB_HOME_PATH_MAX], struct comb_error *err)
{
    char path[COMB_HOME_PATH_MAX];
    enum comb_status status = comb_home_find(options, path, err);
    if (status == COMB_OK)
        status = make_folders(path, err);
    if (status != COMB_OK)
        return status;
    char *real = realpath(path, NULL);
    if (!real || strlen(real) >= COMB_HOME_PATH_MAX - 64) {
        free(real);
        return failed(err, "using", path);
    }
    snprintf(ret_home, COMB_HOME_PATH_MAX, "%s", real);
    free(real);
    return COMB_OK;
}

/* The first line of a file; NOT_FOUND where there is none. */
static enum comb_status read_password(const char *path, struct grpcc_arena *arena,
                                      char **ret_password, struct comb_error *err)
{
    char line[COMB_PASSWORD_BYTES_MAX + 2];
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? comb_error_set(err, COMB_NOT_FOUND, 0, "%.150s: none", path)
                               : failed(err, "reading", path);
    bool any = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[any ? strcspn(line, "\r\n") : 0] = 0;
    if (!line[0])
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%.150s is empty: its first line must be the password of the "
                              "administrator",
                              path);
    *ret_password = grpcc_arena_strdup(arena, line);
    explicit_bzero(line, sizeof line);
    return *ret_password ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status keep_password(const char *path, const char *password,
                                      struct comb_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(err, "making", path);
    bool ok = dprintf(fd, "%s\n", password) > 0 && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (ok)
        return COMB_OK;
    (void)unlink(path);
    errno = error;
    return failed(err, "writing", path);
}

enum comb_status comb_home_admin_password(const struct comb_options *options, const char *home,
                                          struct grpcc_arena *arena, char **ret_password,
                                          bool *ret_new, struct comb_error *err)
{
    char path[COMB_HOME_PATH_MAX + 8];
    const char *given = getenv(PASSWORD_VARIABLE);
    *ret_new = false;
    if (given && *given) {
        *ret_password = grpcc_arena_strdup(arena, given);
        return *ret_password ? COMB_OK : comb_error_no_memory(err);
    }
    if (options->admin_password_file)
        return read_password(options->admin_password_file, arena, ret_password, err);
    snprintf(path, sizeof path, "%s/admin", home);
    enum comb_status status = read_password(path, arena, ret_password, err);
    if (status != COMB_NOT_FOUND)
        return status;
    uint8_t random[PASSWORD_RANDOM_BYTES];
    comb_random(random, sizeof random);
    char *password = comb_base64url_encode(arena, comb_str_of(random, sizeof random));
    if (!password)
        return comb_error_no_memory(err);
    status = keep_password(path, password, err);
    if (status != COMB_OK)
        return status;
    *ret_password = password;
    *ret_new = true;
    return COMB_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extractor.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/core/log.h"
#include "server/search/contents.h"

#define BYTES_PER_MIB ((uint64_t)1 << 20)
#define MS_PER_S 1000u
/* Files at a time that take long, beside --extract-workers others. */
#define SLOW_WORKERS 1u

/* Where it lies, seen from the folder of combd: beside it, as it is built; then as it is installed.
 */
static const char *const places[] = {"comb-extract", "../libexec/comb/comb-extract",
                                     "../lib/comb/comb-extract"};

static bool is_unwanted(const struct comb_options *options)
{
    return options->extract_program && strcmp(options->extract_program, "none") == 0;
}

/* False: there is none. */
static bool find_program(const struct comb_options *options, char path[PATH_MAX])
{
    char self[PATH_MAX / 2];
    if (options->extract_program)
        return realpath(options->extract_program, path) != NULL;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
    if (!slash)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, PATH_MAX, "%s/%s", self, places[i]);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static enum comb_status open_pool(const struct comb_options *options, const char *program,
                                  uint32_t workers, struct comb_extract **ret_extract,
                                  struct comb_error *err)
{
    const struct comb_extract_options pool = {
        .program = program,
        .workers = workers,
        .limits = {.wall_ms = options->extract_timeout_s * MS_PER_S,
                   .memory_bytes = options->extract_memory_mib * BYTES_PER_MIB,
                   .input_bytes = options->extract_file_mib * BYTES_PER_MIB,
                   .output_bytes = COMB_SEARCH_TEXT_BYTES_MAX},
    };
    return comb_extract_new(&pool, ret_extract, err);
}

enum comb_status comb_extractor_open(const struct comb_options *options,
                                     struct comb_extract **ret_extract,
                                     struct comb_extract **ret_slow, struct comb_error *err)
{
    char program[PATH_MAX];
    *ret_extract = *ret_slow = NULL;
    if (is_unwanted(options))
        return COMB_OK;
    if (!find_program(options, program)) {
        comb_log(COMB_LOG_WARN, "search",
                 "contents of files will not be found: there is no comb-extract; install it, or "
                 "name it by --extract-program, or say --extract-program none",
                 comb_log_text("program",
                               comb_str_from(options->extract_program ? options->extract_program
                                                                      : "comb-extract")));
        return COMB_OK;
    }
    enum comb_status status =
        open_pool(options, program, options->extract_workers, ret_extract, err);
    return status == COMB_OK ? open_pool(options, program, SLOW_WORKERS, ret_slow, err) : status;
}

bool comb_extractor_check(const struct comb_options *options, FILE *to)
{
    struct comb_extract *extract = NULL;
    struct comb_error err = {0};
    char program[PATH_MAX];
    bool namespaces = false;
    bool is_there = !is_unwanted(options) && find_program(options, program);
    enum comb_status status = COMB_OK;
    if (!is_there && (is_unwanted(options) || !options->extract_program))
        return true;
    if (!is_there)
        status = comb_error_set(&err, COMB_FAILED_PRECONDITION, 0, "there is no %.200s",
                                options->extract_program);
    if (status == COMB_OK)
        status = open_pool(options, program, options->extract_workers, &extract, &err);
    if (status == COMB_OK)
        status = comb_extract_check(extract, &namespaces, &err);
    comb_extract_free(extract);
    if (status != COMB_OK)
        fprintf(to, "%-9s %-9s FAILED  %s\n", "extract", "program", err.msg);
    else
        fprintf(to, "%-9s %-9s ok      %s%s\n", "extract", "program", program,
                namespaces ? "" : ", without namespaces: the kernel or the container refuses them");
    return status == COMB_OK;
}

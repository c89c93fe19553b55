/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comb-extract: the program whose processes read files that strangers wrote. combd starts it as
 * `comb-extract --worker`; people give it files, and it treats those in the same way: it starts
 * itself as a worker, and passes on what comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/extract/extract.h"
#include "server/extract/worker/worker.h"

#define EXIT_USAGE 2

static const char help[] =
    "usage: comb-extract [OPTIONS] FILE...\n"
    "Prints the text of files: plain text, Markdown, HTML, PDF, docx, xlsx, pptx, odt, ods, odp, "
    "mail.\n"
    "Each is read by a process of its own without files or network, under limits.\n"
    "\n"
    "  --type TYPE      the files' media type, where their names do not tell\n"
    "  --seconds N      of CPU time for a file, 1 to 3600; three times as much on the clock [20]\n"
    "  --memory-mib N   address space of a file's process, at least 128 [512]\n"
    "  --output-mib N   of text of a file, 1 to 64; more is cut [4]\n"
    "  --check          says how files' processes are confined on this machine, and reads none\n"
    "  --worker         how combd starts it: speaks over descriptor 3\n"
    "  --help           prints this\n"
    "  --version        prints the version\n"
    "\n"
    "Exit status: 0 all text of all files was printed; 1 some was cut, or a file has none or was\n"
    "refused, which a line on standard error tells; 2 wrong usage, or it cannot run.\n";

struct options {
    struct comb_extract_options extract;
    const char *type;
    bool is_check, is_worker, is_help, is_version;
};

struct file {
    const char *path;
    int fd;
    sem_t ended;
    bool is_complete;
};

static enum comb_status file_read(void *data, void *buffer, size_t capacity, size_t *ret_n,
                                  struct comb_error *err)
{
    struct file *file = data;
    ssize_t n;
    do
        n = read(file->fd, buffer, capacity);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return comb_error_set(err, COMB_UNAVAILABLE, 0, "%s", strerror(errno));
    *ret_n = (size_t)n;
    return COMB_OK;
}

static void file_done(void *data, const struct comb_extract_result *result)
{
    struct file *file = data;
    if (result->text.len > 0)
        fwrite(result->text.ptr, 1, result->text.len, stdout);
    if (result->outcome == COMB_EXTRACT_UNSUPPORTED)
        fprintf(stderr, "comb-extract: %s: no kind of file that text is taken from\n", file->path);
    else if (result->outcome != COMB_EXTRACT_TEXT)
        fprintf(stderr, "comb-extract: %s: %s (%s): %s\n", file->path,
                comb_extract_outcome_name(result->outcome),
                comb_extract_reason_name(result->reason), comb_extract_reason_text(result->reason));
    file->is_complete = result->outcome == COMB_EXTRACT_TEXT;
    sem_post(&file->ended);
}

/* Whether all of its text was printed. */
static bool print_file(struct comb_extract *extract, const char *path, const char *type)
{
    struct file file = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    const char *slash = strrchr(path, '/');
    const struct comb_extract_file request = {.name = comb_str_from(slash ? slash + 1 : path),
                                              .media_type = comb_str_from(type),
                                              .source = {file_read, NULL, &file}};
    struct comb_error err = {0};
    if (file.fd < 0) {
        fprintf(stderr, "comb-extract: %s: %s\n", path, strerror(errno));
        return false;
    }
    sem_init(&file.ended, 0, 0);
    if (comb_extract_submit(extract, &request, file_done, &file, NULL, &err)) {
        fprintf(stderr, "comb-extract: %s: %s\n", path, err.msg);
    } else {
        while (sem_wait(&file.ended) != 0)
            continue;
    }
    sem_destroy(&file.ended);
    close(file.fd);
    return file.is_complete;
}

static int check(struct comb_extract *extract)
{
    struct comb_error err = {0};
    bool has_namespaces;
    if (comb_extract_check(extract, &has_namespaces, &err)) {
        fprintf(stderr, "comb-extract: %s\n", err.msg);
        return EXIT_USAGE;
    }
    printf("filter of system calls: yes\nnamespaces (empty root, no network): %s\n",
           has_namespaces ? "yes" : "no: this kernel or container refuses them");
    return 0;
}

static bool parse_number(const char *name, const char *text, uint32_t min, uint32_t max,
                         uint32_t *ret)
{
    char *end;
    unsigned long value;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9' || value < min || value > max) {
        fprintf(stderr, "comb-extract: --%s is a number from %u to %u\n", name, (unsigned)min,
                (unsigned)max);
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

static bool parse(int argc, char **argv, struct options *ret)
{
    static const struct option names[] = {{"type", required_argument, NULL, 't'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"memory-mib", required_argument, NULL, 'm'},
                                          {"output-mib", required_argument, NULL, 'o'},
                                          {"check", no_argument, NULL, 'c'},
                                          {"worker", no_argument, NULL, 'w'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    struct comb_extract_limits *limits = &ret->extract.limits;
    uint32_t number = 0;
    bool is_fine = true;
    int option, index = 0;
    while (is_fine && (option = getopt_long(argc, argv, "", names, &index)) >= 0) {
        const char *name = names[index].name;
        ret->is_check |= option == 'c';
        ret->is_worker |= option == 'w';
        ret->is_help |= option == 'h';
        ret->is_version |= option == 'v';
        if (option == 't')
            ret->type = optarg;
        else if (option == 's' && (is_fine = parse_number(name, optarg, 1, 3600, &number)))
            limits->cpu_s = number;
        else if (option == 'm' && (is_fine = parse_number(name, optarg, 128, 65536, &number)))
            limits->memory_bytes = (uint64_t)number << 20;
        else if (option == 'o' && (is_fine = parse_number(name, optarg, 1, 64, &number)))
            limits->output_bytes = (uint64_t)number << 20;
        else if (option == '?')
            is_fine = false;
    }
    /* Waiting is not working: the disk may be slow. */
    if (limits->cpu_s)
        limits->wall_ms = limits->cpu_s * 3000;
    return is_fine;
}

static int print_files(const struct options *options, int n, char **paths)
{
    struct comb_extract *extract;
    struct comb_error err = {0};
    bool is_complete = true;
    if (comb_extract_new(&options->extract, &extract, &err)) {
        fprintf(stderr, "comb-extract: %s\n", err.msg);
        return EXIT_USAGE;
    }
    if (options->is_check) {
        int status = check(extract);
        comb_extract_free(extract);
        return status;
    }
    for (int i = 0; i < n; i++)
        is_complete &= print_file(extract, paths[i], options->type);
    comb_extract_free(extract);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("comb-extract: standard output cannot be written\n", stderr);
        return EXIT_USAGE;
    }
    return is_complete ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options = {.extract.program = "/proc/self/exe"};
    if (!parse(argc, argv, &options))
        return EXIT_USAGE;
    if (options.is_worker)
        return comb_extract_worker_run(comb_extract_read);
    if (options.is_help || options.is_version) {
        fputs(options.is_help ? help : "comb-extract " COMB_VERSION "\n", stdout);
        return 0;
    }
    if (!options.is_check && optind >= argc) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    return print_files(&options, argc - optind, argv + optind);
}

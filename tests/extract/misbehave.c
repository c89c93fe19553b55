/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A comb-extract whose parser does what its file says: what a parser may be brought to, one word
 * each. What it could do after all, it says as text.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/extract/worker/worker.h"

extern char **environ;

static void say(const struct comb_extract_file_view *file, const char *text)
{
    comb_extract_sink_put(file->sink, comb_str_from(text));
}

static void say_number(const struct comb_extract_file_view *file, long number)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", number);
    say(file, text);
}

/* What a call that was not ended came to. */
static void say_result(const struct comb_extract_file_view *file, long result)
{
    say(file, result >= 0 ? "done" : errno == EACCES ? "EACCES" : errno == EPERM ? "EPERM" : "?");
}

/* ---- ends ---- */

static void spin(const struct comb_extract_file_view *file)
{
    volatile unsigned long count = 0;
    comb_extract_sink_put(file->sink, STR("before"));
    comb_extract_sink_flush(file->sink);
    for (;;)
        count++;
}

static void do_segv(const struct comb_extract_file_view *file)
{
    comb_extract_sink_put(file->sink, STR("before"));
    comb_extract_sink_flush(file->sink);
    raise(SIGSEGV);
}

static void do_abort(const struct comb_extract_file_view *file)
{
    (void)file;
    abort();
}

static void do_exit(const struct comb_extract_file_view *file)
{
    (void)file;
    _exit(0);
}

/* Obeys neither SIGXCPU nor anybody. */
static void stubborn(const struct comb_extract_file_view *file)
{
    signal(SIGXCPU, SIG_IGN);
    spin(file);
}

static void exhaust(const struct comb_extract_file_view *file)
{
    size_t mib = 0;
    char *block;
    while (mib < 4096 && (block = malloc(1u << 20)) != NULL) {
        memset(block, 1, 1u << 20);
        mib++;
    }
    say(file, mib < 4096 ? "refused" : "4 GiB");
}

/* ---- lies ---- */

static void not_utf8(const struct comb_extract_file_view *file)
{
    file->sink->write(file->sink->data, STR("a\xff\xfe"));
}

static void control_characters(const struct comb_extract_file_view *file)
{
    file->sink->write(file->sink->data, STR("a\033[2J"));
}

static void flood(const struct comb_extract_file_view *file)
{
    static char piece[65536];
    memset(piece, 'x', sizeof piece);
    while (file->sink->write(file->sink->data, comb_str_of(piece, sizeof piece)))
        continue;
    pause();
}

/* ---- what is forbidden ---- */

static void do_socket(const struct comb_extract_file_view *file)
{
    say_result(file, socket(AF_INET, SOCK_STREAM, 0));
}

static void do_exec(const struct comb_extract_file_view *file)
{
    char *const argv[] = {NULL};
    say_result(file, execv("/bin/true", argv));
}

static void do_fork(const struct comb_extract_file_view *file)
{
    say_result(file, fork());
}

static void do_kill(const struct comb_extract_file_view *file)
{
    say_result(file, kill(getppid(), SIGTERM));
}

static void do_ptrace(const struct comb_extract_file_view *file)
{
    say_result(file, ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static void do_execute_memory(const struct comb_extract_file_view *file)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_result(file, at == MAP_FAILED ? -1 : 0);
}

static void do_open(const struct comb_extract_file_view *file)
{
    say_result(file, open("/etc/passwd", O_RDONLY));
}

/* ---- what it finds ---- */

static void count_descriptors(const struct comb_extract_file_view *file)
{
    long n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
    say_number(file, n);
}

static void count_environment(const struct comb_extract_file_view *file)
{
    long n = 0;
    while (environ && environ[n])
        n++;
    say_number(file, n);
}

/* What a file leaves behind for the next one: the count of all. */
static void count_files(const struct comb_extract_file_view *file)
{
    static long files;
    say_number(file, ++files);
}

static void say_name(const struct comb_extract_file_view *file)
{
    comb_extract_sink_put(file->sink, file->name);
    say(file, " ");
    comb_extract_sink_put(file->sink, file->media_type);
}

static const struct {
    const char *word;
    void (*act)(const struct comb_extract_file_view *file);
} acts[] = {
    {"spin", spin},
    {"segv", do_segv},
    {"abort", do_abort},
    {"exit", do_exit},
    {"stubborn", stubborn},
    {"exhaust", exhaust},
    {"not-utf8", not_utf8},
    {"control", control_characters},
    {"flood", flood},
    {"socket", do_socket},
    {"exec", do_exec},
    {"fork", do_fork},
    {"kill", do_kill},
    {"ptrace", do_ptrace},
    {"execute-memory", do_execute_memory},
    {"open", do_open},
    {"descriptors", count_descriptors},
    {"environment", count_environment},
    {"files", count_files},
    {"name", say_name},
};

static void misbehave(const struct comb_extract_file_view *file,
                      enum comb_extract_outcome *ret_outcome, enum comb_extract_reason *ret_reason)
{
    comb_str word = comb_extract_input_peek(file->input, 64);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (comb_str_equal(word, comb_str_from(acts[i].word)))
            acts[i].act(file);
    }
    comb_extract_sink_flush(file->sink);
    *ret_outcome = COMB_EXTRACT_TEXT;
    *ret_reason = COMB_EXTRACT_REASON_NONE;
}

int main(void)
{
    return comb_extract_worker_run(misbehave);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of a replayed corpus: hands every file below the folders named on the command line to
 * the fuzz program's entry, once. libFuzzer has the same mode, but only for clang; this one is for
 * any compiler and any sanitizer.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CORPUS_FILE_MAX_BYTES ((size_t)16 << 20)
#define FOLDERS_OPEN_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

/* nftw() hands no pointer through, hence the counter above. */
static int replay(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)where;
    if (kind == FTW_D)
        return 0;
    if (kind != FTW_F || (size_t)st->st_size > CORPUS_FILE_MAX_BYTES) {
        fprintf(stderr, "%s: not a readable file of at most %zu bytes\n", path,
                CORPUS_FILE_MAX_BYTES);
        return 1;
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    /* Exactly as long as the input: a sanitizer sees the first byte read past it. */
    size_t size = (size_t)st->st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    int result = 1;
    if (data && fread(data, 1, size, file) == size) {
        fprintf(stderr, "%s\n", path);
        LLVMFuzzerTestOneInput(data, size);
        replayed++;
        result = 0;
    } else {
        fprintf(stderr, "%s: cannot be read whole\n", path);
    }
    free(data);
    fclose(file);
    return result;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], replay, FOLDERS_OPEN_MAX, 0) != 0) {
            fprintf(stderr, "%s: replay stopped\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    if (replayed == 0) {
        fprintf(stderr, "no input was replayed\n");
        return EXIT_FAILURE;
    }
    printf("%zu inputs replayed\n", replayed);
    return EXIT_SUCCESS;
}

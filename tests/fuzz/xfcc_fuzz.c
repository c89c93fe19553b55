/* SPDX-License-Identifier: Apache-2.0 */
/* x-forwarded-client-cert: what is accepted stays within its limits and is text. */
#include <string.h>

#include "gen/runtime/src/security/spiffe.h"
#include "gen/runtime/src/security/xfcc.h"
#include "tests/fuzz/fuzz.h"

static void must_be_texts(const char *const *texts, size_t n)
{
    must(n <= GRPCC_XFCC_NAMES_MAX, "the limit holds");
    for (size_t i = 0; i < n; i++) {
        must(texts[i] && texts[i][0], "a name is not empty");
        (void)grpcc_spiffe_is_id(texts[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_xfcc last, untouched;
    struct grpcc_error err = {0};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    memset(&last, 0x5A, sizeof last);
    untouched = last;
    if (grpcc_xfcc_parse(arena, (const char *)data, size, &last, &err) == GRPCC_OK) {
        must_be_texts(last.by, last.n_by);
        must_be_texts(last.uris, last.n_uris);
        must_be_texts(last.dns_names, last.n_dns_names);
        must(size <= GRPCC_XFCC_BYTES_MAX, "the limit holds");
    } else {
        must(memcmp(&last, &untouched, sizeof last) == 0, "the output is untouched on failure");
        must(err.message[0] != 0, "a refusal says why");
    }
    grpcc_arena_free(arena);
    return 0;
}

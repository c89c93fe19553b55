/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators write, chosen by the first byte: service configs, targets, SPIFFE IDs, PEM files.
 */
#include <string.h>

#include "gen/runtime/src/client/service_config.h"
#include "gen/runtime/src/client/target.h"
#include "gen/runtime/src/security/spiffe.h"
#include "gen/runtime/src/security/tls_check.h"
#include "tests/fuzz/fuzz.h"

static void service_config(const char *text)
{
    const struct grpcc_channel_options options = {.size = sizeof options, .service_config = text};
    struct grpcc_service_config config, again;
    struct grpcc_error err = {0};
    enum grpcc_status status = grpcc_service_config_init(&config, &options, &err);
    must(!status || err.message[0], "a refusal says why");
    if (!status && config.text) {
        const struct grpcc_channel_options second = {.size = sizeof second,
                                                     .service_config = config.text};
        must(grpcc_service_config_init(&again, &second, &err) == GRPCC_OK,
             "what was made of it is accepted");
        grpcc_service_config_done(&again);
    }
    grpcc_service_config_done(&config);
}

static void spiffe(const char *text)
{
    if (grpcc_spiffe_is_id(text)) {
        must(grpcc_spiffe_is_pattern(text) && grpcc_spiffe_matches(text, text),
             "an ID is a pattern of itself");
        must(strlen(text) <= GRPCC_SPIFFE_ID_MAX, "the limit holds");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_error err = {0};
    if (size == 0)
        return 0;
    char *text = malloc(size);
    must(text != NULL, "there is memory for a text");
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 4) {
    case 0:
        service_config(text);
        break;
    case 1:
        must(!grpcc_target_check(text, &err) || err.message[0], "a refusal says why");
        break;
    case 2:
        spiffe(text);
        break;
    default:
        (void)grpcc_tls_check_roots(text, size - 1);
        (void)grpcc_tls_check_identity(text, size - 1);
    }
    free(text);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/outcome.h"

static const struct {
    const char *name, *text;
} reasons[COMB_EXTRACT_REASONS] = {
    [COMB_EXTRACT_REASON_NONE] = {"none", ""},
    [COMB_EXTRACT_REASON_TOO_LARGE] = {"too-large", "it is larger than the limits allow"},
    [COMB_EXTRACT_REASON_BOMB] = {"bomb", "it unpacks, nests or counts more than a document does"},
    [COMB_EXTRACT_REASON_ENCRYPTED] = {"encrypted", "it opens with a password only"},
    [COMB_EXTRACT_REASON_DAMAGED] = {"damaged", "it is damaged, or ends too early"},
    [COMB_EXTRACT_REASON_TIMEOUT] = {"timeout", "reading it took too long"},
    [COMB_EXTRACT_REASON_MEMORY] = {"memory", "reading it needed too much memory"},
    [COMB_EXTRACT_REASON_CRASHED] = {"crashed", "it ended the parser's process"},
    [COMB_EXTRACT_REASON_FORBIDDEN] = {"forbidden", "it made the parser do what parsers may not"},
    [COMB_EXTRACT_REASON_SOURCE] = {"source", "its content could not be read"},
    [COMB_EXTRACT_REASON_UNAVAILABLE] = {"unavailable", "no parser could be started"},
    [COMB_EXTRACT_REASON_CANCELLED] = {"cancelled", "it was cancelled"},
};

const char *comb_extract_outcome_name(enum comb_extract_outcome outcome)
{
    switch (outcome) {
    case COMB_EXTRACT_TEXT:
        return "text";
    case COMB_EXTRACT_TRUNCATED:
        return "truncated";
    case COMB_EXTRACT_UNSUPPORTED:
        return "unsupported";
    case COMB_EXTRACT_REFUSED:
        return "refused";
    }
    return "unknown";
}

const char *comb_extract_reason_name(enum comb_extract_reason reason)
{
    return (unsigned)reason < COMB_EXTRACT_REASONS ? reasons[reason].name : "unknown";
}

const char *comb_extract_reason_text(enum comb_extract_reason reason)
{
    return (unsigned)reason < COMB_EXTRACT_REASONS ? reasons[reason].text : "";
}

/* SPDX-License-Identifier: Apache-2.0 */
/* traceparent, tracestate and baggage, as peers send them; the first byte says which. */
#include <string.h>

#include "grpcc/trace.h"
#include "tests/fuzz/fuzz.h"

static void parent(const char *text, size_t length)
{
    struct grpcc_trace trace, again;
    char written[GRPCC_TRACEPARENT_LENGTH + 1];
    memset(&trace, 0x5A, sizeof trace);
    struct grpcc_trace untouched = trace;
    if (!grpcc_trace_parse(text, length, &trace)) {
        must(memcmp(trace.trace_id, untouched.trace_id, sizeof trace.trace_id) == 0 &&
                 memcmp(trace.span_id, untouched.span_id, sizeof trace.span_id) == 0 &&
                 memcmp(trace.parent_id, untouched.parent_id, sizeof trace.parent_id) == 0 &&
                 trace.flags == untouched.flags && trace.state == untouched.state,
             "the output is untouched on failure");
        return;
    }
    grpcc_trace_format(&trace, written);
    must(strlen(written) == GRPCC_TRACEPARENT_LENGTH, "its length never varies");
    must(grpcc_trace_parse(written, GRPCC_TRACEPARENT_LENGTH, &again), "what was written is valid");
    must(memcmp(trace.trace_id, again.trace_id, sizeof trace.trace_id) == 0 &&
             memcmp(trace.span_id, again.span_id, sizeof trace.span_id) == 0 &&
             trace.flags == again.flags,
         "it is the same context");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t length = size - 1;
    switch (data[0] % 3) {
    case 0:
        parent(text, length);
        break;
    case 1:
        if (grpcc_trace_state_is_valid(text, length))
            must(length <= GRPCC_TRACESTATE_MAX && !memchr(text, '\n', length),
                 "what is carried on fits into a header");
        break;
    default:
        if (grpcc_trace_baggage_is_valid(text, length))
            must(length <= GRPCC_BAGGAGE_MAX && !memchr(text, '\n', length),
                 "what is carried on fits into a header");
    }
    return 0;
}

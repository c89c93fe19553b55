/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/ranges.h"

size_t ranges_emit(struct text *out, const char *prefix, const int32_t *numbers, size_t n)
{
    size_t ranges = 0;

    text_printf(out, "static const ProtobufCIntRange %s_ranges_[] = {\n", prefix);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (int64_t)numbers[i - 1] + 1 == numbers[i])
            continue;
        if (numbers[i] == INT32_MIN)
            text_printf(out, "    {INT_MIN, %zu},\n", i);
        else
            text_printf(out, "    {%d, %zu},\n", (int)numbers[i], i);
        ranges++;
    }
    text_printf(out, "    {0, %zu},\n};\n", n);
    return ranges;
}

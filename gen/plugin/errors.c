/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/errors.h"

#include <stdarg.h>

#include "gen/plugin/pool.h"

void errors_add(struct errors *errors, const char *file, int line, const char *format, ...)
{
    struct pool pool = {0};
    va_list args;

    if (errors->lines.length)
        text_puts(&errors->lines, "\n");
    if (file && line > 0)
        text_printf(&errors->lines, "%s:%d: ", file, line);
    else if (file)
        text_printf(&errors->lines, "%s: ", file);
    va_start(args, format);
    text_puts(&errors->lines, pool_vprintf(&pool, format, args));
    va_end(args);
    pool_done(&pool);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* combd: reads its options and runs the server, or looks at its stores, puts a backup into them, or
 * tells them of a restore. Exit status: 0 ended as asked, 1 failed, or --check found a store that
 * cannot be used, 2 wrong options. */
#include <stdio.h>
#include <stdlib.h>

#include "server/options.h"
#include "server/restore.h"
#include "server/run.h"

int main(int argc, char **argv)
{
    struct comb_options options;
    struct comb_error err = {0};
    /* libmongoc keeps counters in a file that is named after the process; where another container
     * has one of that name, it says so on standard error as it is loaded. */
    setenv("MONGOC_DISABLE_SHM", "1", 0);
    if (comb_options_parse(&options, argc, argv, &err) != COMB_OK) {
        fprintf(stderr, "combd: %s\n", err.msg);
        return 2;
    }
    if (options.help) {
        comb_options_help(stdout);
        return 0;
    }
    if (options.version) {
        puts("combd " COMB_VERSION);
        return 0;
    }
    bool good = true;
    enum comb_status status = options.check      ? comb_run_check(&options, &good, &err)
                              : options.restored ? comb_run_restored(&options, &err)
                              : options.restore  ? comb_run_restore(&options, &err)
                                                 : comb_run(&options, &err);
    if (status == COMB_OK)
        return good ? 0 : 1;
    fprintf(stderr, "combd: %s\n", err.msg);
    return status == COMB_INVALID_ARGUMENT ? 2 : 1;
}

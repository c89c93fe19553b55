/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/compare.h"

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void sort(const double *values, int n, double *ret_sorted)
{
    memcpy(ret_sorted, values, (size_t)n * sizeof(*values));
    qsort(ret_sorted, (size_t)n, sizeof(*values), compare_doubles);
}

double median(const double *values, int n)
{
    double sorted[ROUNDS_MAX];
    sort(values, n, sorted);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void print_servers(const struct comparison *comparison)
{
    printf(
        "| server | calls/s | CPU µs/call | instructions/call | at 70 %%: CPU µs/call | p50 µs | "
        "p99 µs | stream up: messages/s | CPU µs/message | stream down: messages/s | CPU "
        "µs/message | 1 MiB: calls/s | CPU µs/call |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < CONTENDERS; i++) {
        printf("| %s |", comparison->contenders[i].name);
        for (enum case_id id = UNARY; id < CASES; id++) {
            const struct samples *of = &comparison->samples[id][i];
            if (id != PACED)
                printf(" %.0f |", median(of->rate, of->n));
            printf(id == LARGE ? " %.0f |" : " %.2f |", median(of->cpu_us, of->n));
            if (id == UNARY && comparison->instructions[i] > 0)
                printf(" %.0f |", comparison->instructions[i]);
            else if (id == UNARY)
                printf(" |");
            if (id == PACED)
                printf(" %.0f | %.0f |", median(of->p50_us, of->n), median(of->p99_us, of->n));
        }
        printf("\n");
    }
}

static void print_ratio(const struct samples *of, const struct samples *against)
{
    double ratios[ROUNDS_MAX], sorted[ROUNDS_MAX];
    for (int i = 0; i < of->n; i++)
        ratios[i] = of->cpu_us[i] / against->cpu_us[i];
    sort(ratios, of->n, sorted);
    printf(" %.2f (%.2f–%.2f) |", median(ratios, of->n), sorted[0], sorted[of->n - 1]);
}

/* The server's processor time of one against another, round by round. */
static void print_ratios(const struct comparison *comparison)
{
    static const struct {
        enum contender_id of, against;
        const char *aim;
    } rows[] = {
        {GRPCC, SYNC, "0.60"},
        {GRPCC, CALLBACK, "0.80"},
        {GRPCC, BARE, "1.10"},
        {FULL, BARE, "1.25"},
    };
    printf(
        "\n| CPU of / CPU of | aim at most | 64 B, 64 in flight | 70 %% load | stream up | stream "
        "down | 1 MiB | instructions/call |\n|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum contender_id of = rows[i].of, against = rows[i].against;
        printf("| %s / %s | %s |", comparison->contenders[of].name,
               comparison->contenders[against].name, rows[i].aim);
        for (enum case_id id = UNARY; id < CASES; id++)
            print_ratio(&comparison->samples[id][of], &comparison->samples[id][against]);
        if (comparison->instructions[against] > 0)
            printf(" %.2f |\n", comparison->instructions[of] / comparison->instructions[against]);
        else
            printf(" |\n");
    }
}

void compare_print(const struct comparison *comparison)
{
    print_servers(comparison);
    print_ratios(comparison);
}

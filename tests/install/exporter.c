/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the exporter of metrics links and starts, on what is installed. */
#include <grpcc/metrics.h>
#include <grpcc/prometheus.h>
#include <stdio.h>

int main(void)
{
    const struct grpcc_prometheus_options options = {.size = sizeof(options),
                                                     .address = "127.0.0.1:0"};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    struct grpcc_prometheus *prometheus =
        metrics ? grpcc_prometheus_new(metrics, &options, &err) : NULL;
    bool ok = prometheus && grpcc_prometheus_port(prometheus) > 0;
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    grpcc_prometheus_free(prometheus);
    grpcc_metrics_free(metrics);
    return ok ? 0 : 1;
}

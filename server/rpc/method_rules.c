/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: prints each method that changes something, and its audit rule: "Tree/Move CHANGE". */
#include <stdio.h>
#include <string.h>

#include "comb/v1/tree.grpcc.h"
#include "server/rpc/method_rule.h"

/* Made by the build of all .proto files. */
extern const struct grpcc_service *const all_services[];
extern const size_t all_services_count;

#define PACKAGE "/comb.v1."
#define RULE "AUDIT_RULE_"

int main(void)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int status = 0;
    for (size_t i = 0; i < all_services_count; i++) {
        for (size_t j = 0; j < all_services[i]->n_methods; j++) {
            const struct grpcc_method *method = &all_services[i]->methods[j];
            const struct comb_v1_method_rule *rule = NULL;
            struct comb_error err;
            if (comb_method_rule_read(arena, method, &rule, &err) != COMB_OK) {
                fprintf(stderr, "%s: %s\n", method->path, err.msg);
                status = 1;
            } else if (rule->repetition != COMB_V1_REPETITION_READ) {
                printf("%s %s\n", method->path + strlen(PACKAGE),
                       comb_v1_audit_rule_name(rule->audit) + strlen(RULE));
            }
        }
    }
    grpcc_arena_free(arena);
    return status;
}

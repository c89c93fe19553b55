/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAULTPROXY_FLOW_TEST_H
#define TESTS_FAULTPROXY_FLOW_TEST_H

/* Cases of flow.h, by a clock of their own. */
void bytes_come_in_order_when_they_are_due(void **state);
void a_full_flow_takes_nothing(void **state);
void bandwidth_is_kept(void **state);
void lost_bytes_hold_up_what_follows(void **state);
void an_end_comes_behind_the_bytes(void **state);

#endif

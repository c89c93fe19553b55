/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GEN_PLUGIN_REQUEST_H
#define GEN_PLUGIN_REQUEST_H

#include <stdbool.h>

#include "gen/plugin/errors.h"
#include "google/protobuf/compiler/plugin.pb-c.h"

/*
 * Whether request is what protoc promises: names are there and are identifiers, types are found and
 * of the right kind, indexes lie in range, messages are not nested too deeply. All that reads the
 * request afterwards relies on it. False: the first fault is in errors.
 */
bool request_check(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                   struct errors *errors);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GEN_PLUGIN_GENERATE_H
#define GEN_PLUGIN_GENERATE_H

#include "gen/plugin/errors.h"
#include "gen/plugin/pool.h"
#include "google/protobuf/compiler/plugin.pb-c.h"

/*
 * Everything that request asks for, as files of response; or what is wrong with it, as its error
 * and in errors, and no file. What response refers to lives in pool.
 */
void generate(const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
              Google__Protobuf__Compiler__CodeGeneratorResponse *response, struct pool *pool,
              struct errors *errors);

#endif

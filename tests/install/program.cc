/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client in one program in C++, on what is installed. */
#include <grpcc/channel.h>
#include <grpcc/server.h>
#include <grpcc/wkt.h>

#include <cstdio>
#include <string>

#include "example/v1/greeter.grpcc.h"

static void greet(void *, grpcc_call *call, const example_v1_name *name)
{
    example_v1_greeting *greeting = example_v1_greeting_new(grpcc_call_arena(call));
    if (greeting)
        example_v1_greeting_set_text(greeting, name->text);
    example_v1_greeter_greet_finish(call, greeting);
}

int main()
{
    grpcc_error err = GRPCC_ERROR_INIT;
    example_v1_greeter_server table = {};
    int port = 0;
    table.greet = greet;
    grpcc_server *server = grpcc_server_new(nullptr, &err);
    if (!server || example_v1_greeter_register(server, &table, nullptr, &err) ||
        grpcc_server_listen(server, "127.0.0.1:0", nullptr, &port, &err) ||
        grpcc_server_start(server, &err))
        return 1;
    grpcc_arena *arena = grpcc_arena_new(0);
    grpcc_channel *channel =
        grpcc_channel_new(("127.0.0.1:" + std::to_string(port)).c_str(), nullptr, &err);
    example_v1_name *name = example_v1_name_new(arena);
    example_v1_greeting *greeting = nullptr;
    example_v1_name_set_text(name, "Ada");
    if (!channel || example_v1_greeter_greet(channel, arena, nullptr, name, &greeting, &err))
        std::printf("%s\n", err.message);
    else
        std::printf("%s\n", greeting->text);
    grpcc_channel_free(channel);
    grpcc_arena_free(arena);
    grpcc_server_free(server);
    return greeting ? 0 : 1;
}

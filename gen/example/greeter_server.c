/* SPDX-License-Identifier: Apache-2.0 */
#include <grpcc/server.h>
#include <stdio.h>

#include "example/v1/greeter.grpcc.h"

/* In the call's arena, and gone with it. NULL, for want of room, fails the call that sends it. */
static struct example_v1_greeting *say(const char *word, struct grpcc_call *call, const char *name)
{
    struct example_v1_greeting *greeting = example_v1_greeting_new(grpcc_call_arena(call));
    if (greeting)
        greeting->text = grpcc_arena_printf(grpcc_call_arena(call), "%s, %s!", word, name);
    return greeting && greeting->text ? greeting : NULL;
}

static void greet(void *self, struct grpcc_call *call, const struct example_v1_name *name)
{
    if (name->text[0] == '\0')
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "the name must not be empty");
    else
        example_v1_greeter_greet_finish(call, say(self, call, name->text));
}

static void repeat(void *self, struct grpcc_call *call, const struct example_v1_name *name)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    for (uint32_t i = 0; i < name->times; i++)
        if (example_v1_greeter_repeat_send(call, say(self, call, name->text), &err))
            break;
    grpcc_call_end(call, &err);
}

static void gather(void *self, struct grpcc_call *call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct example_v1_name *name = NULL;
    struct example_v1_greeting *greeting = say(self, call, "everyone");
    while (!example_v1_greeter_gather_read(call, grpcc_call_arena(call), &name, &err) && name)
        if (greeting)
            greeting->people++;
    if (err.status)
        grpcc_call_end(call, &err);
    else
        example_v1_greeter_gather_finish(call, greeting);
}

static void chat(void *self, struct grpcc_call *call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct example_v1_name *name = NULL;
    while (!example_v1_greeter_chat_read(call, grpcc_call_arena(call), &name, &err) && name &&
           !example_v1_greeter_chat_send(call, say(self, call, name->text), &err))
        continue;
    grpcc_call_end(call, &err);
}

static const struct example_v1_greeter_server greeter = {greet, repeat, gather, chat};

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    if (!server || example_v1_greeter_register(server, &greeter, (void *)"Hello", &err) ||
        grpcc_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:7000", NULL, NULL, &err) ||
        grpcc_server_run(server, 100, 5000, &err)) /* until SIGINT or SIGTERM */
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
    grpcc_server_free(server);
    return err.status != GRPCC_OK;
}

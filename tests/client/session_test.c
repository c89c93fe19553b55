/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: refreshed once, whoever asks, whatever is lost; kept in a file that is ours alone. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/client/fake.h"

enum { THREADS = 8, PATH_SIZE = 2048 };

struct fixture {
    struct fake fake;
    struct grpcc_error err;
    char path[PATH_SIZE]; /* of a credentials file that does not exist yet */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char folder[PATH_SIZE - 16];
    fake_start(&f->fake, 0);
    snprintf(folder, sizeof(folder), "%s/session.XXXXXX", getenv("TEST_TMPDIR"));
    assert_non_null(mkdtemp(folder));
    snprintf(f->path, sizeof(f->path), "%s/client.json", folder);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fake_done(&f->fake);
    free(f);
    return 0;
}

static void expire(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->expired = true;
    pthread_mutex_unlock(&fake->lock);
}

/* A client on the file, not logged in by itself. */
static struct comb_client *open_on_file(struct fixture *f, const char *servers)
{
    struct comb_client *client = NULL;
    struct comb_client_options options = {.size = sizeof(options), .credentials_file = f->path};
    must_ok(comb_client_open(servers, &options, &client, &f->err), &f->err);
    return client;
}

static void expired_tokens_are_refreshed_once(void **state)
{
    struct fixture *f = *state;
    struct comb_client *client = fake_client(&f->fake, NULL);
    expire(&f->fake);
    must_ok(fake_stat(client, &f->err), &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.refreshes), 1);
    assert_int_equal(fake_count(&f->fake, "Stat"), 2);
    assert_string_equal(fake_get(&f->fake, "Refresh", 0).authorization, "");
    assert_string_equal(fake_get(&f->fake, "Stat", 1).authorization, "Bearer access-2");
    comb_client_close(client);
}

static void *stat_in_thread(void *data)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    return (void *)(intptr_t)fake_stat(data, &err);
}

static void many_threads_refresh_once(void **state)
{
    struct fixture *f = *state;
    struct comb_client *client = fake_client(&f->fake, NULL);
    pthread_t threads[THREADS];
    expire(&f->fake);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stat_in_thread, client), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *status = NULL;
        pthread_join(threads[i], &status);
        assert_null(status);
    }
    assert_int_equal(fake_read(&f->fake, &f->fake.refreshes), 1);
    assert_false(fake_read(&f->fake, &f->fake.session_ended));
    comb_client_close(client);
}

static void tokens_are_refreshed_before_they_end(void **state)
{
    struct fixture *f = *state;
    fake_write(&f->fake, &f->fake.session, 1);
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    fprintf(file,
            "{\"server\": \"%s\", \"access_token\": \"access-1\", \"access_expire_s\": %lld, "
            "\"refresh_token\": \"refresh-1\"}",
            f->fake.address, (long long)time(NULL) + 5);
    assert_int_equal(fclose(file), 0);
    struct comb_client *client = open_on_file(f, f->fake.address);
    must_ok(fake_stat(client, &f->err), &f->err);
    assert_int_equal(fake_count(&f->fake, "Stat"), 1);
    assert_string_equal(fake_get(&f->fake, "Stat", 0).authorization, "Bearer access-2");
    must_ok(fake_stat(client, &f->err), &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.refreshes), 1);
    comb_client_close(client);
}

/* The server has made new tokens and the answer is lost, with all repetitions of the call: the next
 * refresh, even of another process, must not look like a thief's. */
static void lost_answers_do_not_end_the_session(void **state)
{
    struct fixture *f = *state;
    struct comb_client_options options = {
        .size = sizeof(options), .attempts_max = 1, .credentials_file = f->path};
    struct comb_client *client = fake_client(&f->fake, &options);
    expire(&f->fake);
    fake_write(&f->fake, &f->fake.lose_answers, 1);
    must_fail(GRPCC_UNAVAILABLE, fake_stat(client, &f->err), &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.refreshes), 1);
    comb_client_close(client);
    client = open_on_file(f, f->fake.address);
    must_ok(fake_stat(client, &f->err), &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.refreshes), 1);
    assert_false(fake_read(&f->fake, &f->fake.session_ended));
    assert_string_equal(fake_get(&f->fake, "Refresh", 0).request_id,
                        fake_get(&f->fake, "Refresh", 1).request_id);
    comb_client_close(client);
}

static void ended_sessions_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct comb_client *client = fake_client(&f->fake, NULL);
    fake_write(&f->fake, &f->fake.session_ended, 1);
    expire(&f->fake);
    must_fail(GRPCC_UNAUTHENTICATED, fake_stat(client, &f->err), &f->err);
    assert_int_equal(fake_count(&f->fake, "Refresh"), 0); /* revoked, not expired */
    comb_client_close(client);
}

static void the_file_is_ours_alone(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    struct comb_client_options options = {.size = sizeof(options), .credentials_file = f->path};
    struct comb_client *client = fake_client(&f->fake, &options);
    fake_set_token(&f->fake, "1-a-5");
    must_ok(fake_stat(client, &f->err), &f->err);
    comb_client_close(client);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_string_equal(comb_credentials_server(f->path, arena), f->fake.address);
    assert_null(comb_credentials_server("/nowhere", arena));
    grpcc_arena_free(arena);
    /* Another process: logged in, and it has seen what this one saw. */
    client = open_on_file(f, NULL);
    must_ok(fake_stat(client, &f->err), &f->err);
    assert_string_equal(fake_get(&f->fake, "Stat", 1).seen, "1-a-5");
    comb_client_close(client);
    assert_int_equal(chmod(f->path, 0640), 0);
    must_fail(GRPCC_PERMISSION_DENIED, comb_client_open(NULL, &options, &client, &f->err), &f->err);
}

static void tokens_go_only_to_their_servers(void **state)
{
    struct fixture *f = *state;
    struct fake other;
    struct comb_client_options options = {.size = sizeof(options), .credentials_file = f->path};
    comb_client_close(fake_client(&f->fake, &options));
    fake_start(&other, 0);
    struct comb_client *client = open_on_file(f, other.address);
    must_fail(GRPCC_UNAUTHENTICATED, fake_stat(client, &f->err), &f->err);
    assert_string_equal(fake_get(&other, "Stat", 0).authorization, "");
    comb_client_close(client);
    fake_done(&other);
}

static void logout_forgets(void **state)
{
    struct fixture *f = *state;
    char text[4096] = "";
    struct comb_client_options options = {.size = sizeof(options), .credentials_file = f->path};
    struct comb_client *client = fake_client(&f->fake, &options);
    must_ok(comb_client_logout(client, &f->err), &f->err);
    must_fail(GRPCC_UNAUTHENTICATED, fake_stat(client, &f->err), &f->err);
    assert_string_equal(fake_get(&f->fake, "Stat", 0).authorization, "");
    comb_client_close(client);
    FILE *file = fopen(f->path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_null(strstr(text, "access-"));
    assert_null(strstr(text, "refresh-"));
}

static int stat_in_child(const char *server, const char *path)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = NULL;
    struct comb_client_options options = {.size = sizeof(options), .credentials_file = path};
    if (comb_client_open(server, &options, &client, &err))
        return 1;
    enum grpcc_status status = fake_stat(client, &err);
    if (status)
        print_error("%s: %s\n", grpcc_status_name(status), err.message);
    comb_client_close(client);
    return status != GRPCC_OK;
}

/* This program again, in its other role: a fork after gRPC was used could not call anybody. */
static pid_t start_child(const char *server, const char *path)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "session_test", server, path, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void processes_refresh_once(void **state)
{
    struct fixture *f = *state;
    pid_t children[4];
    struct comb_client_options options = {.size = sizeof(options), .credentials_file = f->path};
    comb_client_close(fake_client(&f->fake, &options));
    expire(&f->fake);
    for (size_t i = 0; i < 4; i++)
        children[i] = start_child(f->fake.address, f->path);
    for (size_t i = 0; i < 4; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(fake_read(&f->fake, &f->fake.refreshes), 1);
    assert_false(fake_read(&f->fake, &f->fake.session_ended));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(expired_tokens_are_refreshed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_refresh_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_refreshed_before_they_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_answers_do_not_end_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ended_sessions_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_file_is_ours_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_go_only_to_their_servers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logout_forgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_refresh_once, set_up, tear_down),
    };
    if (argc == 3)
        return stat_in_child(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

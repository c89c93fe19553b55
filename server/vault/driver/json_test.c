/* SPDX-License-Identifier: Apache-2.0 */
/* What is the json driver's own: its files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/core/memory.h"
#include "server/vault/driver/json_secrets.h"
#include "server/vault/vault_driver.h"

#define FILE_ROOM 4096

struct fixture {
    char path[256], key[300], next_key[310], new_path[300];
    const char *passphrase; /* NULL: none */
    struct grpcc_arena *arena;
    struct comb_error err;
};

static int setup(void **state)
{
    static struct fixture f;
    static int places;
    f = (struct fixture){.arena = grpcc_arena_new(0)};
    snprintf(f.path, sizeof f.path, "%s/v%d", getenv("TEST_TMPDIR"), places++);
    snprintf(f.key, sizeof f.key, "%s.key", f.path);
    snprintf(f.next_key, sizeof f.next_key, "%s.next", f.key);
    snprintf(f.new_path, sizeof f.new_path, "%s.new", f.path);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    grpcc_arena_free(f->arena);
    return 0;
}

static enum comb_status try_open(struct fixture *f, struct comb_vault **ret_vault)
{
    const struct comb_store_options options = {.url = comb_str_from(f->path),
                                               .credentials = comb_str_from(f->passphrase)};
    return comb_vault_json_open(&options, ret_vault, &f->err);
}

static void must_refuse(struct fixture *f, enum comb_status status, const char *part_of_message)
{
    struct comb_vault *vault = NULL;
    assert_int_equal(try_open(f, &vault), status);
    assert_null(vault);
    if (!strstr(f->err.msg, part_of_message))
        fail_msg("\"%s\" does not say \"%s\"", f->err.msg, part_of_message);
    assert_string_equal(f->err.domain, "vault.json");
}

/* A vault with secret/one = "hidden", closed again. */
static void make_vault(struct fixture *f)
{
    struct comb_ctx ctx = {.arena = f->arena, .deadline_ns = INT64_MAX};
    struct comb_vault *vault = NULL;
    uint32_t version;
    assert_int_equal(try_open(f, &vault), COMB_OK);
    assert_int_equal(
        comb_vault_put(vault, &ctx, STR("secret/one"), STR("hidden"), 0, &version, &f->err),
        COMB_OK);
    comb_vault_close(vault);
}

static void must_hold_secret(struct fixture *f)
{
    struct comb_ctx ctx = {.arena = f->arena, .deadline_ns = INT64_MAX};
    struct comb_vault *vault = NULL;
    struct comb_vault_secret secret;
    assert_int_equal(try_open(f, &vault), COMB_OK);
    assert_int_equal(comb_vault_get(vault, &ctx, STR("secret/one"), 0, &secret, &f->err), COMB_OK);
    assert_true(comb_str_equal(secret.value, STR("hidden")));
    comb_vault_close(vault);
}

static size_t read_file(const char *path, char data[FILE_ROOM])
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(data, 1, FILE_ROOM, file);
    fclose(file);
    return size;
}

static void write_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

static void files_are_private_and_sealed(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    struct stat st;
    assert_int_equal(stat(f->key, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 64);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char data[FILE_ROOM];
    size_t size = read_file(f->path, data);
    assert_null(memmem(data, size, "hidden", 6));
    assert_null(memmem(data, size, "secret/one", 10));
    must_hold_secret(f);
}

static void a_key_open_to_others_is_refused(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    const mode_t modes[] = {0644, 0640, 0604, 0620, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(f->key, modes[i]), 0);
        must_refuse(f, COMB_FAILED_PRECONDITION, "chmod 600");
    }
    assert_int_equal(chmod(f->key, 0400), 0);
    must_hold_secret(f);
}

static void a_missing_key_is_not_made_anew(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    assert_int_equal(unlink(f->key), 0);
    must_refuse(f, COMB_FAILED_PRECONDITION, "put the key file back");
    assert_int_equal(access(f->key, F_OK), -1);
}

static void a_wrong_key_is_told_from_damage(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    char right[FILE_ROOM];
    size_t size = read_file(f->key, right);
    char wrong[64];
    memset(wrong, 'a', sizeof wrong);
    write_file(f->key, wrong, sizeof wrong);
    must_refuse(f, COMB_FAILED_PRECONDITION, "put the right key file back");
    write_file(f->key, wrong, 63);
    must_refuse(f, COMB_FAILED_PRECONDITION, "64 hexadecimal digits");
    memset(wrong, 'z', sizeof wrong);
    write_file(f->key, wrong, sizeof wrong);
    must_refuse(f, COMB_FAILED_PRECONDITION, "64 hexadecimal digits");
    write_file(f->key, "", 0);
    must_refuse(f, COMB_FAILED_PRECONDITION, "64 hexadecimal digits");
    write_file(f->key, right, size);
    must_hold_secret(f);
}

static void a_key_may_be_given(void **state)
{
    struct fixture *f = *state;
    char raw[32];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (char)(200 + i);
    write_file(f->key, raw, sizeof raw);
    make_vault(f);
    char hex[66];
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(hex + 2 * i, 3, "%02X", (unsigned char)raw[i]);
    hex[64] = '\n';
    write_file(f->key, hex, 65);
    must_hold_secret(f);
}

static void a_torn_file_is_noticed(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    char data[FILE_ROOM];
    size_t size = read_file(f->path, data);
    for (size_t cut = 0; cut < size; cut++) {
        write_file(f->path, data, cut);
        struct comb_vault *vault = NULL;
        assert_int_equal(try_open(f, &vault), COMB_DATA_LOSS);
        assert_null(vault);
    }
    for (size_t at = 16; at < size; at++) {
        data[at] = (char)(data[at] ^ 1);
        write_file(f->path, data, size);
        must_refuse(f, COMB_DATA_LOSS, "damaged");
        data[at] = (char)(data[at] ^ 1);
    }
    write_file(f->path, data, size);
    must_hold_secret(f);
}

static void what_a_crash_left_behind_does_no_harm(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    write_file(f->new_path, "half", 4);
    must_hold_secret(f);
    struct comb_ctx ctx = {.arena = f->arena, .deadline_ns = INT64_MAX};
    struct comb_vault *vault = NULL;
    uint32_t version;
    assert_int_equal(try_open(f, &vault), COMB_OK);
    assert_int_equal(comb_vault_put(vault, &ctx, STR("two"), STR("2"), 0, &version, &f->err),
                     COMB_OK);
    comb_vault_close(vault);
    assert_int_equal(access(f->new_path, F_OK), -1);
    must_hold_secret(f);
}

static void a_second_process_is_kept_out(void **state)
{
    struct fixture *f = *state;
    struct comb_vault *vault = NULL;
    assert_int_equal(try_open(f, &vault), COMB_OK);
    must_refuse(f, COMB_FAILED_PRECONDITION, "another process");
    comb_vault_close(vault);
    make_vault(f);
}

static void a_failed_write_changes_nothing(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    struct comb_ctx ctx = {.arena = f->arena, .deadline_ns = INT64_MAX};
    struct comb_vault *vault = NULL;
    uint32_t version = 7;
    assert_int_equal(try_open(f, &vault), COMB_OK);
    /* A folder in the way of the temporary file: it can be neither removed nor written. */
    assert_int_equal(mkdir(f->new_path, 0700), 0);
    assert_int_not_equal(
        comb_vault_put(vault, &ctx, STR("secret/one"), STR("lost"), 1, &version, &f->err), COMB_OK);
    assert_int_not_equal(comb_vault_put(vault, &ctx, STR("two"), STR("lost"), 0, &version, &f->err),
                         COMB_OK);
    assert_int_equal(version, 7);
    assert_int_equal(rmdir(f->new_path), 0);
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(vault, &ctx, STR("secret/one"), 0, &secret, &f->err), COMB_OK);
    assert_int_equal(secret.version, 1);
    assert_int_equal(comb_vault_get(vault, &ctx, STR("two"), 0, &secret, &f->err), COMB_NOT_FOUND);
    assert_int_equal(comb_vault_put(vault, &ctx, STR("two"), STR("kept"), 0, &version, &f->err),
                     COMB_OK);
    comb_vault_close(vault);
    must_hold_secret(f);
}

static void the_key_is_changed(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    char former[FILE_ROOM], sealed_before[FILE_ROOM], next[64];
    size_t size = read_file(f->key, former), sealed_size = read_file(f->path, sealed_before);
    memset(next, 'b', sizeof next);
    write_file(f->next_key, next, sizeof next);
    must_hold_secret(f);
    assert_int_equal(access(f->next_key, F_OK), -1);
    char now[FILE_ROOM];
    assert_int_equal(read_file(f->key, now), sizeof next);
    assert_memory_equal(now, next, sizeof next);
    must_hold_secret(f);

    /* A crash before the vault was sealed anew, and one after: either key may be the right one. */
    write_file(f->path, sealed_before, sealed_size);
    write_file(f->key, former, size);
    write_file(f->next_key, next, sizeof next);
    must_hold_secret(f);
    write_file(f->key, former, size);
    write_file(f->next_key, next, sizeof next);
    must_hold_secret(f);

    write_file(f->key, former, size);
    must_refuse(f, COMB_FAILED_PRECONDITION, "put the right key file back");
}

static void a_passphrase_takes_the_key_files_place(void **state)
{
    struct fixture *f = *state;
    f->passphrase = "correct horse";
    make_vault(f);
    assert_int_equal(access(f->key, F_OK), -1);
    must_hold_secret(f);
    f->passphrase = "wrong horse";
    must_refuse(f, COMB_FAILED_PRECONDITION, "give the right passphrase");
    f->passphrase = NULL;
    must_refuse(f, COMB_FAILED_PRECONDITION, "--vault-passphrase-file");
    f->passphrase = "battery staple\ncorrect horse";
    must_hold_secret(f);
    f->passphrase = "battery staple";
    must_hold_secret(f);
    f->passphrase = "correct horse";
    must_refuse(f, COMB_FAILED_PRECONDITION, "give the right passphrase");
}

static void a_key_file_gives_way_to_a_passphrase(void **state)
{
    struct fixture *f = *state;
    make_vault(f);
    f->passphrase = "correct horse";
    must_hold_secret(f);
    assert_int_equal(unlink(f->key), 0);
    must_hold_secret(f);
}

/* The first layout, of before versions could be deleted, is read. */
static void secrets_of_the_first_layout_are_read(void **state)
{
    struct fixture *f = *state;
    struct json_secrets secrets;
    static const char OLD[] =
        "{\"format\":1,\"secrets\":{\"a/b\":[{\"create_us\":7,\"value\":\"aGk\"}]}}";
    assert_int_equal(json_secrets_init(&secrets, &f->err), COMB_OK);
    assert_int_equal(json_secrets_read(&secrets, comb_str_from(OLD), &f->err), COMB_OK);
    const struct json_secret *secret = json_secrets_find(&secrets, STR("a/b"));
    comb_str value;
    assert_int_equal(json_secrets_value(&secrets, &secret->versions[0], f->arena, &value, &f->err),
                     COMB_OK);
    assert_true(comb_str_equal(value, STR("hi")));
    assert_int_equal(secret->versions[0].create_us, 7);
    json_secrets_done(&secrets);
    assert_int_equal(json_secrets_init(&secrets, &f->err), COMB_OK);
    assert_int_equal(json_secrets_read(&secrets, STR("{\"format\":3,\"secrets\":{}}"), &f->err),
                     COMB_DATA_LOSS);
    json_secrets_done(&secrets);
}

/* ---- every allocation fails once ---- */

static int allocations_left;

static void *counted_alloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *counted_realloc(void *pointer, size_t size)
{
    return allocations_left-- > 0 ? realloc(pointer, size) : NULL;
}

static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    allocations_left = INT32_MAX;
    make_vault(f);
    bool opened = false;
    for (int i = 0; !opened && i < 1000; i++) {
        struct comb_vault *vault = NULL;
        allocations_left = i;
        opened = try_open(f, &vault) == COMB_OK;
        if (opened)
            comb_vault_close(vault);
        else
            assert_int_equal(f->err.status, COMB_RESOURCE_EXHAUSTED);
    }
    allocations_left = INT32_MAX;
    assert_true(opened);
}

int main(void)
{
    const struct comb_allocator counted = {counted_alloc, counted_realloc, free};
    allocations_left = INT32_MAX;
    comb_memory_set_allocator(&counted);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_private_and_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_open_to_others_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_key_is_not_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_key_is_told_from_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_may_be_given, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_file_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_crash_left_behind_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_process_is_kept_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_write_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_key_is_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_passphrase_takes_the_key_files_place, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_file_gives_way_to_a_passphrase, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_of_the_first_layout_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

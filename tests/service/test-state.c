/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * State files that the service finds when it starts, and a bus that is not to be had. Each test has
 * a bus and a directory.
 */

#include "basic/clock.h"
#include "fixture.h"
#include "store/schema.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MANAGER INTERFACE("Manager")
#define PROPERTIES "org.freedesktop.DBus.Properties"

static int setup(void **state)
{
    *state = harness_new();
    harness_forget_log(*state);
    return 0;
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* A store with something in it: the order is not the one that a new store has. */
static void make_store(const struct harness *harness)
{
    struct store *store = NULL;
    char *message = NULL;

    assert_int_equal(store_open(harness->state_file, &store, &message), 0);
    assert_int_equal(store_put_setting(store, "path-weight-order", "highest-first"), 0);
    store_close(store);
    fixture_add_session(harness);
}

static void assert_order(struct harness *harness, const char *wanted)
{
    _cleanup_free_ char *order = get_text(harness, ROOT_PATH, MANAGER, "PathWeightOrder");
    assert_string_equal(order, wanted);
}

/* Whatever is allowed to whoever starts it. */
static void test_nobody_else_reads_it(void **state)
{
    struct harness *harness = *state;
    mode_t mask = umask(022);
    struct rlimit limit;
    struct stat st;

    harness_start(harness);
    umask(mask);
    assert_int_equal(stat(harness->state_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(prlimit(harness->service_pid, RLIMIT_CORE, NULL, &limit), 0);
    assert_int_equal(limit.rlim_max, 0);
}

/* Starts with the file as it is: the service must refuse it with these words, and not touch it. */
static void assert_refused(struct harness *harness, const char *words)
{
    char journal[96];
    size_t size_before, size_after;
    _cleanup_free_ char *before = read_whole_file(harness->state_file, &size_before);

    assert_int_equal(harness_run(harness, harness->state_directory), 78);
    _cleanup_free_ char *after = read_whole_file(harness->state_file, &size_after);
    assert_int_equal(size_after, size_before);
    assert_memory_equal(after, before, size_before);
    snprintf(journal, sizeof(journal), "%s-journal", harness->state_file);
    assert_int_not_equal(access(journal, F_OK), 0);

    const char *log = harness_log(harness);
    assert_non_null(strstr(log, "<3>"));
    assert_non_null(strstr(log, harness->state_file));
    assert_non_null(strstr(log, words));
}

static int read_version(const struct harness *harness)
{
    sqlite3 *db = NULL;
    int64_t version = -1;

    assert_int_equal(sqlite3_open(harness->state_file, &db), SQLITE_OK);
    assert_int_equal(schema_inspect(db, &version), 0);
    sqlite3_close(db);
    return (int)version;
}

static void set_version(const struct harness *harness, int version)
{
    char sql[48];

    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
    run_sql(harness->state_file, sql);
}

static void test_newer_schema(void **state)
{
    struct harness *harness = *state;
    char words[80];

    make_store(harness);
    set_version(harness, schema_version() + 1);
    snprintf(words, sizeof(words), "schema version %d, this program knows up to %d",
             schema_version() + 1, schema_version());
    assert_refused(harness, words);

    /* The newer program's tables are no fault. */
    run_sql(harness->state_file, "CREATE TABLE more (x); INSERT INTO more VALUES (1);");
    set_version(harness, 70000);
    assert_refused(harness, "schema version 70000");

    set_version(harness, schema_version());
    harness_start(harness);
    assert_order(harness, "highest-first");
    harness_stop(harness);
}

/* A store of the first version gets what it lacks, and keeps what it has. */
static void test_older_schema(void **state)
{
    struct harness *harness = *state;
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(harness->state_file, &db), SQLITE_OK);
    assert_int_equal(schema_upgrade(db, 0, 1), 0);
    sqlite3_close(db);
    run_sql(harness->state_file,
            "INSERT INTO setting VALUES ('path-weight-order', 'highest-first')");
    for (int i = 0; i < 2; i++) {
        harness_start(harness);
        assert_order(harness, "highest-first");
        harness_stop(harness);
    }
    assert_int_equal(read_version(harness), schema_version());
}

static void test_no_schema(void **state)
{
    struct harness *harness = *state;

    make_store(harness);
    set_version(harness, 0);
    assert_refused(harness, "corrupt or not ours");
    set_version(harness, -1);
    assert_refused(harness, "corrupt or not ours");
}

static void test_another_application(void **state)
{
    struct harness *harness = *state;

    run_sql(harness->state_file, "CREATE TABLE setting (name, value);"
                                 "PRAGMA application_id = 305419896; PRAGMA user_version = 1");
    assert_refused(harness, "corrupt or not ours");
    run_sql(harness->state_file, "PRAGMA application_id = 0");
    assert_refused(harness, "corrupt or not ours");
}

static void test_no_database(void **state)
{
    struct harness *harness = *state;
    static const char text[] = "# settings of something\nmode = fast\n";
    static char zeros[8192];
    _cleanup_free_ char *noise = malloc(100000);

    assert_non_null(noise);
    write_whole_file(harness->state_file, "x", 1);
    assert_refused(harness, "corrupt or not ours");
    write_whole_file(harness->state_file, text, strlen(text));
    assert_refused(harness, "corrupt or not ours");
    write_whole_file(harness->state_file, zeros, sizeof(zeros));
    assert_refused(harness, "corrupt or not ours");
    for (size_t i = 0; i < 100000; i++)
        noise[i] = (char)(i * 7919 >> 3);
    write_whole_file(harness->state_file, noise, 100000);
    assert_refused(harness, "corrupt or not ours");
}

/* Each page in turn is lost, as a disk loses them; and the file is cut behind each. */
static void test_corrupt(void **state)
{
    struct harness *harness = *state;
    size_t size, page = 4096;

    make_store(harness);
    _cleanup_free_ char *good = read_whole_file(harness->state_file, &size);
    assert_true(size > 2 * page && size % page == 0);

    for (size_t at = 0; at < size; at += page) {
        _cleanup_free_ char *bad = malloc(size);
        assert_non_null(bad);
        memcpy(bad, good, size);
        memset(bad + at, at == 0 ? 0 : 0xa5, page);
        write_whole_file(harness->state_file, bad, size);
        assert_refused(harness, "corrupt or not ours");
    }
    for (size_t cut = page; cut < size; cut += page) {
        write_whole_file(harness->state_file, good, cut);
        assert_refused(harness, "corrupt or not ours");
    }

    write_whole_file(harness->state_file, good, size);
    harness_start(harness);
    assert_order(harness, "highest-first");
    harness_stop(harness);
}

/* A file that is there can be written, and a new one is for root alone to read. */
static void assert_begins_anew(struct harness *harness)
{
    harness_start(harness);
    assert_order(harness, "lowest-first");
    sd_bus_message_unref(call_well(harness, ROOT_PATH, PROPERTIES, "Set", "ssv", MANAGER,
                                   "PathWeightOrder", "s", "highest-first"));
    harness_restart(harness);
    assert_order(harness, "highest-first");
    harness_stop(harness);
}

static void test_missing(void **state)
{
    assert_begins_anew(*state);
}

static void test_empty(void **state)
{
    struct harness *harness = *state;

    write_whole_file(harness->state_file, "", 0);
    assert_begins_anew(harness);
}

/* Runs SQL in a process that dies in the middle of the transaction, with pages written. */
static void crash_in(const char *path, const char *sql)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(path, &db) != SQLITE_OK ||
            sqlite3_exec(db, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE", NULL,
                         NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void assert_hot_journal(const struct harness *harness)
{
    char journal[96];
    struct stat st;

    snprintf(journal, sizeof(journal), "%s-journal", harness->state_file);
    assert_int_equal(stat(journal, &st), 0);
    assert_true(st.st_size > 0);
}

#define FILL                                                                                       \
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"               \
    " INSERT INTO setting SELECT 'name' || i, hex(zeroblob(500)) FROM n;"

static void test_stale_journal(void **state)
{
    struct harness *harness = *state;
    char session[FIXTURE_PATH_MAX];
    size_t before, after;

    make_store(harness);
    free(read_whole_file(harness->state_file, &before));
    crash_in(harness->state_file, "UPDATE setting SET value = 'lowest-first';"
                                  "DELETE FROM policy;" FILL);
    free(read_whole_file(harness->state_file, &after));
    assert_true(after > before); /* the file itself is half changed */
    assert_hot_journal(harness);

    harness_start(harness);
    assert_order(harness, "highest-first");
    fixture_session_path(session);
    assert_true(has_object(harness, session));
    harness_stop(harness);
    free(read_whole_file(harness->state_file, &after));
    assert_int_equal(after, before);
}

/* The crash of a service that was just making its first file. */
static void test_stale_journal_of_the_first_start(void **state)
{
    struct harness *harness = *state;
    size_t size;

    crash_in(harness->state_file, "CREATE TABLE setting (name, value);"
                                  "PRAGMA application_id = 1769434473;" FILL);
    free(read_whole_file(harness->state_file, &size));
    assert_true(size > 0);
    assert_hot_journal(harness);
    assert_begins_anew(harness);
}

static void test_no_directory(void **state)
{
    struct harness *harness = *state;
    char absent[80];

    assert_int_equal(harness_run(harness, NULL), 1);
    assert_non_null(strstr(harness_log(harness), "STATE_DIRECTORY is not set"));

    harness_forget_log(harness);
    snprintf(absent, sizeof(absent), "%s/absent", harness->directory);
    assert_int_equal(harness_run(harness, absent), 1);
    assert_non_null(strstr(harness_log(harness), absent));
    assert_int_not_equal(access(absent, F_OK), 0);
}

/* Whatever state there is: a name that somebody has cannot be had. */
static void test_name_is_taken(void **state)
{
    struct harness *harness = *state;

    assert_true(sd_bus_request_name(harness->bus, NAME, 0) > 0);
    assert_int_equal(harness_run(harness, harness->state_directory), 1);
    assert_non_null(strstr(harness_log(harness), "The name " NAME " cannot be had"));
}

/* Nobody would ever reach it again: systemd is to start another one. */
static void test_bus_goes(void **state)
{
    struct harness *harness = *state;
    int64_t before;

    harness_start(harness);
    harness_forget_log(harness);
    before = monotonic_msec();
    assert_int_equal(harness_end_bus(harness), 1);
    assert_true(monotonic_msec() - before < 20000);
    assert_non_null(strstr(harness_log(harness), "<3>The system bus has gone"));
    assert_null(strchr(strchr(harness_log(harness), '\n') + 1, '\n'));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_newer_schema),  TEST(test_older_schema),
        TEST(test_no_schema),     TEST(test_another_application),
        TEST(test_no_database),   TEST(test_corrupt),
        TEST(test_missing),       TEST(test_empty),
        TEST(test_stale_journal), TEST(test_stale_journal_of_the_first_start),
        TEST(test_no_directory),  TEST(test_name_is_taken),
        TEST(test_bus_goes),      TEST(test_nobody_else_reads_it),
    };
    return harness_result(cmocka_run_group_tests(tests, NULL, NULL));
}

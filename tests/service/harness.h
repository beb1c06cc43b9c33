/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The real service on a bus of its own: a temporary directory with the bus' socket, the state and
 * a notify socket; nothing of the host's is used. What the service writes to its standard error is
 * kept, and shown when a test of the program has failed.
 *
 * Where the tests run as root, the host's open-iscsi is hidden from the service. Other users cannot
 * read the host's initiator name anyway.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "bus.h"

#define NAME "com.open_iscsi.WMI1"
#define ROOT_PATH "/com/open_iscsi/WMI1"
#define ADAPTERS_PATH ROOT_PATH "/adapter"
#define SESSIONS_PATH ROOT_PATH "/session"
#define INTERFACE(name) NAME "." name

/* The adapter of a host without an initiator name: printf 'adapter\0' | sha256sum */
#define BARE_ADAPTER ADAPTERS_PATH "/05611f8318a2f36a"

#define INVALID_ARGS "org.freedesktop.DBus.Error.InvalidArgs"
#define UNKNOWN_METHOD "org.freedesktop.DBus.Error.UnknownMethod"
#define UNKNOWN_OBJECT "org.freedesktop.DBus.Error.UnknownObject"
#define UNKNOWN_PROPERTY "org.freedesktop.DBus.Error.UnknownProperty"

struct harness {
    char directory[32];
    char state_directory[48];
    char state_file[64];
    char records[48]; /* where the service finds open-iscsi's, not there at first */
    char address[64];
    pid_t bus_pid;
    pid_t service_pid; /* 0: does not run */
    int notify_fd;
    int log_fd;  /* read end of the service's standard error, -1: closed */
    sd_bus *bus; /* the test's own connection */
};

/* Directory and bus, no service yet. Fails the test where that cannot be had. */
struct harness *harness_new(void);
/* The same on another bus. NULL: that bus cannot be had here. */
struct harness *harness_new_on(enum bus_kind kind);
void harness_free(struct harness *harness);

/* Starts the service and waits until it says that it is ready. */
void harness_start(struct harness *harness);

/* Ends the service by SIGTERM; anything but a clean end, of the sanitizers too, fails the test. */
void harness_stop(struct harness *harness);
void harness_restart(struct harness *harness);

/* Ends it as a crash would. */
void harness_kill(struct harness *harness);

/* Ends the bus below a service that runs: gives the service's exit status. */
int harness_end_bus(struct harness *harness);

/* Waits for the end of one that ends by itself: gives its exit status. */
int harness_wait(struct harness *harness);

/* Starts a service that ends by itself, likewise. */
int harness_run(struct harness *harness, const char *state_directory);

/* All that services have written to standard error in this program. */
const char *harness_log(struct harness *harness);
void harness_forget_log(struct harness *harness);

/* From now on the service can write no byte to any file (false: it can again). */
void harness_forbid_writing(struct harness *harness, bool forbid);

/* As cmocka's fixtures: *state is the harness, with the service started. */
int harness_setup(void **state);
int harness_teardown(void **state);

/* To be the last test of a program: the service ends without an error. */
void harness_test_clean_end(void **state);

/* The last thing of a main(): shows the log where tests have failed. */
int harness_result(int failed);

/* One more connection to the bus. */
sd_bus *harness_connect(const struct harness *harness);

/* Waits for a message that nobody else handles, and passes over what is not wanted. */
sd_bus_message *next_message(sd_bus *bus, bool (*wanted)(sd_bus_message *message));

/* Calls a method of the service. NULL: it failed, with error->name. */
sd_bus_message *call(struct harness *harness, const char *path, const char *interface,
                     const char *member, sd_bus_error *error, const char *types, ...);

/* The same for one that must succeed, and one whose one answer is a Status. */
sd_bus_message *call_well(struct harness *harness, const char *path, const char *interface,
                          const char *member, const char *types, ...);
uint32_t call_status(struct harness *harness, const char *path, const char *interface,
                     const char *member, const char *types, ...);

/* The D-Bus error `name` is all that a call gets. */
void assert_call_fails(struct harness *harness, const char *name, const char *path,
                       const char *interface, const char *member, const char *types, ...);

/* Reads a property into a message that stands inside the variant. */
sd_bus_message *get_property(struct harness *harness, const char *path, const char *interface,
                             const char *name, const char *type);
uint32_t get_number(struct harness *harness, const char *path, const char *interface,
                    const char *name);
/* To be freed. */
char *get_text(struct harness *harness, const char *path, const char *interface, const char *name);

/* Whether there is such an object, by the bus' own means. */
bool has_object(struct harness *harness, const char *path);

/* Counts a signal of the service. */
struct signal_count {
    sd_bus_slot *slot;
    unsigned n;
    sd_bus_message *last;
};
void signal_count_begin(struct harness *harness, struct signal_count *count, const char *path,
                        const char *interface, const char *member);
/* What has come until now, for sure. */
unsigned signal_count_now(struct harness *harness, struct signal_count *count);
void signal_count_end(struct signal_count *count);

/* A whole file; to be freed. */
char *read_whole_file(const char *path, size_t *ret_size);
void write_whole_file(const char *path, const void *data, size_t size);

/* Writes one of open-iscsi's records, and the directories above it where they are missing. */
void put_record(const struct harness *harness, const char *name, const char *text);

/* Holds open-iscsi's lock, as an iscsiadm does: what reads the records waits for 15 s at most. */
void harness_hold_lock(const struct harness *harness, bool hold);

/* One of the machine's users that are not root, from 0: dbus-daemon takes no others. */
uid_t harness_user(unsigned number);

/* An environment variable that meson sets. */
const char *required_env(const char *name);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the functions of the library share: the connection, its calls, its failures. */

#include <systemd/sd-bus.h>

#include "client/class.h"
#include "iscsi-wmi/client.h"

#define SERVICE "com.open_iscsi.WMI1"
#define ROOT_PATH "/com/open_iscsi/WMI1"
#define INTERFACE_PREFIX SERVICE "."
#define INTERFACE(name) INTERFACE_PREFIX name

/* Objects that a number names: "/com/open_iscsi/WMI1/adapter/" and 16 hex digits. */
#define ADAPTER_PREFIX ROOT_PATH "/adapter/"
#define SESSION_PREFIX ROOT_PATH "/session/"
#define CONNECTION_PREFIX ROOT_PATH "/connection/"

#define OBJECT_PATH_MAX 64U

/* Objects that a WWID names: a path element below this, as sd_bus_path_encode() writes it. */
#define DISKS_PATH ROOT_PATH "/disk"

struct iscsiwmi_client {
    sd_bus *bus; /* NULL: not connected */
    char *host;  /* NULL: this one */
    bool has_failed;
    char *error; /* NULL where it has failed: out of memory */
    iscsiwmi_event_fn *on_event;
    void *userdata;
    sd_bus_slot *filter;   /* NULL: nothing is watched */
    sd_bus_slot *slots[4]; /* of what is */
};

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)

void object_path(const char *prefix, uint64_t id, char ret_path[OBJECT_PATH_MAX]);

/* The ID in a path that begins with the prefix. -EINVAL: it is another path. */
int object_id(const char *path, const char *prefix, uint64_t *ret_id);

/* The same two for a disk; what they give is to be freed. NULL: another path, or no memory. */
char *client_disk_path(const char *wwid);
char *client_disk_wwid(const char *path);

/* Keep the line for iscsiwmi_client_error() and return the errno. */
int fail_with(struct iscsiwmi_client *client, int r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fail_memory(struct iscsiwmi_client *client);
int fail_message(struct iscsiwmi_client *client, int r); /* a message could not be made */
int fail_reading(struct iscsiwmi_client *client, int r); /* an answer is of another form */
int fail_call(struct iscsiwmi_client *client, int r, const sd_bus_error *error);

/* A call to be filled in, and its answer. All that fails is in the client's line. */
int call_new(struct iscsiwmi_client *client, const char *path, const char *interface,
             const char *method, sd_bus_message **ret_message);
int call_send(struct iscsiwmi_client *client, sd_bus_message *message, uint64_t timeout_usec,
              sd_bus_message **ret_reply);

/*
 * Sends a call whose answer is a record of a class; ret_record is the address of a pointer to such.
 * `r`: how filling in the call went.
 */
int call_class(struct iscsiwmi_client *client, sd_bus_message *message, int r,
               const struct class *class, class_read_fn *read, void *ret_record);

/* A change waits for the kernel, and a dead path can hold it for several SCSI timeouts. */
#define CHANGE_TIMEOUT_USEC (10ULL * 60 * 1000 * 1000)

/* The same for a change, which polkit may ask the user about. `r`: how filling it in went. */
int call_change(struct iscsiwmi_client *client, sd_bus_message *message, int r,
                sd_bus_message **ret_reply);

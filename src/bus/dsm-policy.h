/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

struct disk_answer;

/* What is in a DSM_Load_Balance_Policy_V2. */
#define DSM_POLICY_CONTENTS "uuuua(ttuuuuuuuyyquut)"

/* Appends one. */
int append_dsm_policy(sd_bus_message *reply, const struct disk_answer *answer);

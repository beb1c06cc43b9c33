/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/base/bounds.h"

static const struct {
    size_t all, client;
} bounds[REQUEST_KINDS] = {
    [REQUEST_QUESTION] = {QUESTIONS_MAX, QUESTIONS_MAX_PER_CLIENT},
    [REQUEST_CHANGE] = {CHANGES_MAX, CHANGES_MAX_PER_CLIENT},
    [REQUEST_PING] = {PINGS_MAX, PINGS_MAX_PER_CLIENT},
    [REQUEST_COUNTERS] = {COUNTER_READS_MAX, COUNTER_READS_MAX_PER_CLIENT},
};

bool bounds_admit(enum request_kind kind, size_t n, size_t n_of_client)
{
    return n < bounds[kind].all && n_of_client < bounds[kind].client;
}

bool bounds_may_wait(size_t n, size_t n_of_client)
{
    return n < TURNS_MAX && n_of_client < TURNS_MAX_PER_CLIENT;
}

bool bounds_allow_session(size_t n_paths, size_t n_others)
{
    return n_paths <= PATHS_MAX && n_others < SESSIONS_MAX;
}

bool bounds_allow_disk(size_t n_paths, size_t n_others)
{
    return n_paths <= PATHS_MAX && n_others < DISKS_MAX;
}

enum bounds_answer bounds_answer(uint32_t unread, uint32_t unread_of_client, bool trusted)
{
    if (!trusted && unread > UNREAD_MAX_OTHERS_REFUSALS)
        return BOUNDS_IGNORE;
    if (unread > UNREAD_MAX && unread_of_client > UNREAD_MAX_REFUSALS)
        return BOUNDS_IGNORE;
    if (unread > UNREAD_MAX && unread_of_client > UNREAD_MAX_PER_CLIENT)
        return BOUNDS_REFUSE;
    return !trusted && unread > UNREAD_MAX_OTHERS ? BOUNDS_REFUSE : BOUNDS_ANSWER;
}

void bounds_spend(struct spending *spending, uint64_t from_usec, uint64_t until_usec)
{
    if (spending->usec < from_usec)
        spending->usec = from_usec;
    spending->usec += (until_usec - from_usec) * 100 / TURNS_PERCENT;
}

uint64_t bounds_spent_until(const struct spending *spending)
{
    uint64_t saved = TURNS_SAVED_USEC * 100 / TURNS_PERCENT;

    return spending->usec < saved ? 0 : spending->usec - saved;
}

bool bounds_refused(struct refusals *refusals, uint64_t now_usec, uint64_t *ret_n)
{
    refusals->n++;
    if (refusals->told_usec > 0 && now_usec - refusals->told_usec < REFUSALS_USEC)
        return false;
    *ret_n = refusals->n;
    *refusals = (struct refusals){.told_usec = now_usec};
    return true;
}

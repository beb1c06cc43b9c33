/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/base/path-watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "basic/macros.h"

#define PLACES_MAX 64U /* no configuration has as many, and watches are counted */
#define LINKS_MAX 16U  /* on the way to one file */

#define OTHER_WAY (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)

/* A directory on the way, and what is looked for there. */
struct place {
    struct path_watch *watch;
    sd_event_source *source;
    char *name; /* NULL: whatever passes the filter */
};

struct places {
    struct place *all[PLACES_MAX];
    size_t n;
};

struct path_watch {
    sd_event *event;
    char *path;
    path_watch_filter_t filter; /* NULL: it is a file */
    path_watch_func_t func;
    void *userdata;
    struct places places;
};

/* What is left of a way, and how far it has been gone. */
struct way {
    char at[PATH_MAX]; /* without links; "": the root */
    char rest[PATH_MAX];
    unsigned n_links;
};

static void place_free(struct place *place)
{
    sd_event_source_disable_unref(place->source);
    free(place->name);
    free(place);
}

static void places_done(struct places *places)
{
    while (places->n > 0)
        place_free(places->all[--places->n]);
}

static void path_watch_look(struct path_watch *watch);

static bool place_concerns(const struct place *place, const char *name)
{
    return place->name ? strcmp(name, place->name) == 0 : place->watch->filter(name);
}

static int place_on_event(sd_event_source *source, const struct inotify_event *event,
                          void *userdata)
{
    const struct place *place = userdata;
    struct path_watch *watch = place->watch;
    bool is_nameless = event->len == 0; /* events were lost, or the directory is gone */

    if (!is_nameless && !place_concerns(place, event->name))
        return 0;
    if (is_nameless || event->mask & OTHER_WAY)
        path_watch_look(watch); /* the place is no more */
    watch->func(watch->userdata);
    return 0;
}

/* Nobody is told where the directory cannot be watched: it need not be there. */
static void path_watch_add_place(struct path_watch *watch, const char *directory, const char *name)
{
    const uint32_t mask = OTHER_WAY | IN_CLOSE_WRITE | IN_MOVE_SELF | IN_ONLYDIR;
    struct places *places = &watch->places;
    struct place *place = places->n < PLACES_MAX ? calloc(1, sizeof(*place)) : NULL;

    if (!place)
        return;
    place->watch = watch;
    place->name = name ? strdup(name) : NULL;
    if ((name && !place->name) ||
        sd_event_add_inotify(watch->event, &place->source, directory[0] ? directory : "/", mask,
                             place_on_event, place) < 0)
        place_free(place);
    else
        places->all[places->n++] = place;
}

/* "/etc/multipath" with "conf.d"; -ENAMETOOLONG. */
static int join(char ret[PATH_MAX], const char *directory, const char *name)
{
    int n = snprintf(ret, PATH_MAX, "%s/%s", directory, name);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The next name of the way; false: there is none any more. "." is none. */
static bool way_take(struct way *way, char name[NAME_MAX + 1])
{
    const char *begin = way->rest + strspn(way->rest, "/");
    size_t n = strcspn(begin, "/");

    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, begin, n);
    name[n] = '\0';
    memmove(way->rest, begin + n, strlen(begin + n) + 1);
    return true;
}

/* The way goes on where the link leads to. */
static int way_follow(struct way *way, const char *target)
{
    char rest[PATH_MAX];

    if (way->n_links++ == LINKS_MAX)
        return -ELOOP;
    int r = join(rest, target, way->rest + strspn(way->rest, "/"));
    if (r < 0)
        return r;
    if (target[0] == '/')
        way->at[0] = '\0';
    memcpy(way->rest, rest, strlen(rest) + 1);
    return 0;
}

static void way_go_up(struct way *way)
{
    char *last = strrchr(way->at, '/');

    if (last)
        *last = '\0';
}

/* Goes to the next name, whose directory is watched before it is looked at. */
static int path_watch_step(struct path_watch *watch, struct way *way, const char *name)
{
    char next[PATH_MAX], target[PATH_MAX];

    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        way_go_up(way);
        return 0;
    }
    int r = join(next, way->at, name);
    if (r < 0)
        return r;
    path_watch_add_place(watch, way->at, name);
    ssize_t n = readlink(next, target, sizeof(target) - 1);
    if (n >= 0) {
        target[n] = '\0';
        return way_follow(way, target);
    }
    memcpy(way->at, next, strlen(next) + 1);
    return errno == EINVAL ? 0 : -errno; /* EINVAL: it is no link */
}

/* To its end, or as far as it goes. */
static int path_watch_go(struct path_watch *watch, struct way *way)
{
    char name[NAME_MAX + 1];
    int r = 0;

    while (r >= 0 && way_take(way, name))
        r = path_watch_step(watch, way, name);
    return r;
}

/* What is in a directory, and where links of it lead to. */
static void path_watch_add_contents(struct path_watch *watch, const char *directory)
{
    path_watch_add_place(watch, directory, NULL);
    DIR *dir = opendir(directory);
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        struct way way = {0};
        if (entry->d_type != DT_LNK || !watch->filter(entry->d_name) ||
            join(way.rest, directory, entry->d_name) < 0)
            continue;
        (void)path_watch_go(watch, &way);
    }
    closedir(dir);
}

/* Those of before stay until then: what comes meanwhile is of one that is watched already. */
static void path_watch_look(struct path_watch *watch)
{
    struct places before = watch->places;
    struct way way = {0};

    watch->places.n = 0;
    memcpy(way.rest, watch->path, strlen(watch->path) + 1);
    if (path_watch_go(watch, &way) >= 0 && watch->filter)
        path_watch_add_contents(watch, way.at);
    places_done(&before);
}

static int path_watch_new(sd_event *event, const char *path, path_watch_filter_t filter,
                          path_watch_func_t func, void *userdata, struct path_watch **ret)
{
    struct path_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    *watch = (struct path_watch){
        .event = event,
        .path = strndup(path, PATH_MAX - 1),
        .filter = filter,
        .func = func,
        .userdata = userdata,
    };
    if (!watch->path) {
        free(watch);
        return -ENOMEM;
    }
    path_watch_look(watch);
    *ret = watch;
    return 0;
}

int path_watch_file(sd_event *event, const char *path, path_watch_func_t func, void *userdata,
                    struct path_watch **ret)
{
    return path_watch_new(event, path, NULL, func, userdata, ret);
}

int path_watch_directory(sd_event *event, const char *path, path_watch_filter_t filter,
                         path_watch_func_t func, void *userdata, struct path_watch **ret)
{
    return path_watch_new(event, path, filter, func, userdata, ret);
}

struct path_watch *path_watch_free(struct path_watch *watch)
{
    if (!watch)
        return NULL;
    places_done(&watch->places);
    free(watch->path);
    free(watch);
    return NULL;
}

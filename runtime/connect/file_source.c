#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/connect/file.h"
#include "runtime/connect/file_list.h"
#include "runtime/connect/file_reader.h"
#include "runtime/connect/options.h"

/* DESIGN: a partition a file, so that positions say which, and no order among files is taken for
 * granted: a pattern may mean parts of one day as well as days. What is not read yet holds the
 * watermark. Files are opened in their order, a few at a time; those that wait give nothing.
 *
 * Followed files are looked at now and then: inotify was rejected, which says nothing of files on
 * other machines. One whose name another file has taken (rotation) is read to its end, and once
 * more after LOOK_MS, since its writer may lag behind; the new one is the next partition under
 * that name. */

enum {
    MOST_OPEN = 16,  /* at a time, unless followed */
    SLICE_MS = 50,   /* how often a wait looks whether it should stop */
    FOLLOW_MS = 100, /* between two looks whether followed files have grown */
    LOOK_MS = 1000,  /* between two looks for rotation and new files */
};

/* A file, and what followed ones need to know. */
typedef struct followed {
    file_reader *reader; /* owned */
    int64_t replaced_ms; /* steady time at which another was first seen in its place; 0: none */
    bool is_seen;        /* scratch: its inode is among the files there are */
} followed;

typedef struct file_source {
    const sl_system *system; /* borrowed until close */
    const sl_value *paths;   /* as in the script: a text, or a list; borrowed */
    const sl_value *without; /* paths that no pattern means, or NULL; borrowed */
    bool is_followed;
    followed *files; /* by partition; owned */
    uint32_t count, room;
    sl_partition *view; /* what look gives; owned */
    uint32_t view_room;
    int64_t looked_ms; /* steady time of the last look for files */
} file_source;

/* Real, also when the pipeline runs on a manual clock. */
static int64_t now_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

static file_reader *add_file(file_source *s, const char *path, int32_t number) {
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 16;
        s->files = mem_realloc(s->files, s->room * sizeof *s->files);
    }
    file_reader *reader = file_reader_new(s->system, path, number, s->is_followed);
    s->files[s->count++] = (followed){ .reader = reader };
    return reader;
}

/* The newest file under a name that earlier runs knew goes on where they stood. */
static void add_known(file_source *s, const char *path) {
    int64_t lines = 0, at;
    int32_t number = 0;
    const sl_system *of = s->system;
    while (of->resume && of->resume(of->resume_arg, path, number, &at) == SL_KNOWN) {
        lines = at;
        number++;
    }
    file_reader_resume(add_file(s, path, number ? number - 1 : 0), lines);
}

static bool is_drained(const file_reader *f) {
    return f->partition.ended && f->partition.position >= f->partition.end;
}

static void note(const file_source *s, const char *what, const file_reader *f) {
    if (s->system->log) log_info(s->system->log, what, log_text("path", f->path));
}

/* The next file under the name of `f`, which ends with what it holds. */
static void replace(file_source *s, uint32_t index, const char *why) {
    file_reader *f = s->files[index].reader;
    file_reader_finish(f);
    f->is_done = true;
    note(s, why, f);
    add_file(s, f->path, f->partition.number + 1);
}

/* A followed file that holds less than was read of it, while nobody looked. */
static void take_shorter(file_source *s, uint32_t index) {
    s->files[index].reader->partition.position = s->files[index].reader->resume_at;
    replace(s, index, "followed file is shorter than what was read of it, read anew");
}

/* Open those whose turn it is, and close those that have been read. */
static err *open_next(file_source *s) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        file_reader *f = s->files[i].reader;
        if (f->fd >= 0 && is_drained(f)) file_reader_rest(f);
        open += f->fd >= 0;
    }
    for (uint32_t i = 0; i < s->count && (open < MOST_OPEN || s->is_followed); i++) {
        file_reader *f = s->files[i].reader;
        if (f->fd >= 0 || f->partition.ended) continue;
        err *e = file_reader_open(f);
        if (e) return e;
        open++;
        if (f->partition.position < f->resume_at) take_shorter(s, i);
    }
    return NULL;
}

static void source_close(void *source) {
    file_source *s = source;
    for (uint32_t i = 0; i < s->count; i++) file_reader_free(s->files[i].reader);
    mem_free(s->files);
    mem_free(s->view);
    mem_free(s);
}

/* The files there are at the start; a pattern that matches none is most likely mistyped. */
static err *find_first(file_source *s) {
    file_list found = { 0 };
    file_list_expand(&found, s->paths, s->without);
    for (uint32_t i = 0; i < found.count; i++) add_known(s, found.items[i]);
    file_list_done(&found);
    s->looked_ms = now_ms();
    if (s->count || s->is_followed) return NULL;
    const sl_value *first = s->paths->kind == SL_TABLE ? s->paths->items : s->paths;
    return err_new(ERR_IO, "no file matches `%.*s`%s", (int)first->text.len, first->text.data,
                   s->paths->kind == SL_TABLE ? " or another path of the source" : "");
}

/* A name that is none must not come out when the others have been read. */
static err *check_names(const file_source *s) {
    struct stat about;
    for (uint32_t i = MOST_OPEN; i < s->count; i++)
        if (stat(s->files[i].reader->path, &about)) return file_reader_open(s->files[i].reader);
    return NULL;
}

static err *source_open(const sl_source *plan, const sl_system *system, void **source) {
    file_source *s = mem_zalloc(1, sizeof *s);
    s->system = system;
    s->paths = option_find(plan->options, "paths");
    if (!s->paths) s->paths = option_find(plan->options, "path");
    s->without = option_table(plan->options, "without");
    s->is_followed = option_flag(plan->options, "follow", false);
    err *e = find_first(s);
    if (!e) e = check_names(s);
    if (!e) e = open_next(s);
    if (e) {
        source_close(s);
        return e;
    }
    *source = s;
    return NULL;
}

/* -- followed files */

/* Whether a file that was read to its end was cut short, or has another in its place. */
static void look_for_rotation(file_source *s, uint32_t index) {
    file_reader *f = s->files[index].reader;
    struct stat open_one, named;
    if (!f->is_caught_up || !f->is_regular || f->is_stdin || fstat(f->fd, &open_one)) return;
    if (open_one.st_size < f->read_bytes) {
        replace(s, index, "followed file was cut short, read anew");
        return;
    }
    bool is_there = stat(f->path, &named) == 0;
    bool is_other = is_there && (named.st_ino != f->inode || named.st_dev != f->device);
    if (!is_other) {
        s->files[index].replaced_ms = 0; /* gone: its writer may still hold it, as we do */
    } else if (!s->files[index].replaced_ms) {
        s->files[index].replaced_ms = now_ms();
    } else if (now_ms() - s->files[index].replaced_ms >= LOOK_MS) {
        replace(s, index, "followed file was replaced by another");
    }
}

/* The newest partition under a name, and whoever holds this very file. */
static void find_known(file_source *s, const char *path, const struct stat *about,
                       file_reader **of_name, bool *is_held) {
    *of_name = NULL;
    *is_held = false;
    for (uint32_t i = 0; i < s->count; i++) {
        file_reader *f = s->files[i].reader;
        if (!strcmp(f->path, path)) *of_name = f;
        if (f->inode != about->st_ino || f->device != about->st_dev) continue;
        *is_held = s->files[i].is_seen = true;
    }
}

/* Files that match and are not known: new ones. A file that was only renamed is known. */
static void look_for_files(file_source *s) {
    file_list found = { 0 };
    struct stat about;
    file_list_expand(&found, s->paths, s->without);
    for (uint32_t i = 0; i < s->count; i++) s->files[i].is_seen = false;
    for (uint32_t i = 0; i < found.count; i++) {
        file_reader *of_name;
        bool is_held;
        if (stat(found.items[i], &about)) continue;
        find_known(s, found.items[i], &about, &of_name, &is_held);
        /* a name that is being followed is judged by look_for_rotation */
        if (is_held || (of_name && !of_name->partition.ended)) continue;
        if (of_name)
            add_file(s, found.items[i], of_name->partition.number + 1);
        else
            add_known(s, found.items[i]);
        note(s, "new file", s->files[s->count - 1].reader);
    }
    for (uint32_t i = 0; i < s->count; i++) /* its number may mean another file from now on */
        if (!s->files[i].is_seen && s->files[i].reader->fd < 0) s->files[i].reader->inode = 0;
    file_list_done(&found);
}

/* Read what was appended; now and then look for other files. */
static err *grow(file_source *s) {
    if (!s->is_followed) return NULL;
    for (uint32_t i = 0; i < s->count; i++) {
        err *e = file_reader_grow(s->files[i].reader);
        if (e) return e;
    }
    int64_t now = now_ms();
    if (now - s->looked_ms < LOOK_MS) return NULL;
    s->looked_ms = now;
    for (uint32_t i = 0, count = s->count; i < count; i++) look_for_rotation(s, i);
    look_for_files(s);
    return NULL;
}

/* -- ops */

static err *source_look(void *source, const sl_partition **partitions, uint32_t *count) {
    file_source *s = source;
    uint32_t before = s->view_room ? s->count : 0;
    err *e = grow(s);
    if (!e) e = open_next(s);
    if (e) return e;
    if (s->view_room < s->count || !s->view_room) {
        s->view_room = s->room ? s->room : 1;
        s->view = mem_realloc(s->view, s->view_room * sizeof *s->view);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        file_reader *f = s->files[i].reader;
        if (f->fd >= 0 || f->partition.ended)
            f->partition.confirmed_ms = clock_steady_ms(s->system->clock);
        if (before && i >= before) f->partition.is_new = 1;
        f->partition.is_whole = f->is_regular; /* `end` is not known unless all was read */
        s->view[i] = f->partition;
    }
    *partitions = s->view;
    *count = s->count;
    return NULL;
}

static err *source_confirm(void *source, int64_t timeout_ms) {
    (void)source, (void)timeout_ms;
    return NULL;
}

static bool has_line(const file_source *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (s->files[i].reader->fd >= 0 && file_reader_has_line(s->files[i].reader)) return true;
    return false;
}

/* Wait in slices, so that a stop is seen; `step`: what may end the wait early. */
static err *wait_slices(file_source *s, int64_t timeout_ms, int slice_ms,
                        err *(*step)(file_source *)) {
    for (int64_t left = timeout_ms;; left -= slice_ms) {
        uint32_t before = s->count;
        err *e = step ? step(s) : NULL;
        if (e || (step && (has_line(s) || s->count > before)) || left <= 0) return e;
        if (*s->system->stop)
            return err_new(ERR_STOPPED, "stopped while waiting for `%s`",
                           s->count ? s->files[0].reader->path : "files");
        poll(NULL, 0, left < slice_ms ? (int)left : slice_ms);
    }
}

static err *source_wait(void *source, int64_t timeout_ms) {
    file_source *s = source;
    file_reader *first = s->count ? s->files[0].reader : NULL;
    if (has_line(s)) return NULL;
    bool is_stream = first && first->fd >= 0 && !first->is_regular && !first->is_at_eof;
    if (is_stream && !first->is_caught_up) return file_reader_wait(first, timeout_ms);
    return wait_slices(s, timeout_ms, s->is_followed ? FOLLOW_MS : SLICE_MS,
                       s->is_followed ? grow : NULL);
}

/* Ranges of files that are open share the bytes; the others end where they begin. */
static uint32_t count_open(const file_source *s, const sl_range *ranges, uint32_t count) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < count; i++) open += s->files[ranges[i].partition].reader->fd >= 0;
    return open;
}

/* What look showed last moves; names are read by others meanwhile. */
static void show(sl_partition *to, const file_reader *f) {
    to->position = f->partition.position;
    to->end = f->partition.end;
    to->ended = f->partition.ended;
}

static err *source_fetch(void *source, sl_range *ranges, uint32_t count, int64_t max_bytes,
                         int64_t timeout_ms, sl_records *records, struct arena *bytes) {
    file_source *s = source;
    int64_t now = clock_steady_ms(s->system->clock);
    int64_t until_ms = timeout_ms < INT64_MAX - now ? now + timeout_ms : INT64_MAX;
    uint32_t open = count_open(s, ranges, count);
    for (uint32_t i = 0; i < count; i++) {
        file_reader *f = s->files[ranges[i].partition].reader;
        bool goes_back = f->fd < 0 && f->partition.position > ranges[i].from;
        if (f->fd < 0 && !goes_back) {
            ranges[i].to = ranges[i].from;
            continue;
        }
        int64_t share = open > 1 ? max_bytes / open : max_bytes;
        err *e = file_reader_fetch(f, &ranges[i], share ? share : 1, until_ms, records, bytes);
        if (!e) e = file_reader_settle(f);
        if (s->view) show(&s->view[ranges[i].partition], f);
        if (e) return e;
    }
    return NULL;
}

const sl_source_ops file_source_ops = {
    .name = "file",
    .open = source_open,
    .look = source_look,
    .confirm = source_confirm,
    .wait = source_wait,
    .fetch = source_fetch,
    .close = source_close,
    .reads_early = 1,
};

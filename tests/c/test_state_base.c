/* The base: what it followed is what it gives back, whatever happened to it in between. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "state/base_inside.h"
#include "state/shard.h"
#include "tests/c/table_kit.h"

/* A pipeline as the base sees it: a table, and the objects that its batches make. */
typedef struct world {
    char folder[64];
    logger log;
    base *b;
    bool in_line;
    size_t memory_bytes, filter_bytes;
    base_way way; /* of its table */
    const char *store_id;
    uint32_t shards;
    table *t;
    pointer at;
    bool is_begun;
    uint32_t keys;
    uint64_t seed;
} world;

static uint32_t roll(world *w, uint32_t below) {
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % below;
}

static base_way way_of(void *arg, const char *name) {
    const world *w = arg;
    assert_string_equal(name, "aggregate a");
    return w->way;
}

static err *try_open(world *w) {
    return base_open(&(base_config){ .folder = w->folder,
                                     .pipeline = "orders",
                                     .store_id = w->store_id,
                                     .shards = w->shards,
                                     .memory_bytes = w->memory_bytes,
                                     .log = &w->log,
                                     .in_line = w->in_line,
                                     .filter_bytes = w->filter_bytes,
                                     .way_of = way_of,
                                     .way_of_arg = w },
                     &w->b);
}

static void open_base(world *w) { assert_null(try_open(w)); }

static void reopen(world *w) {
    base_close(w->b);
    open_base(w);
}

/* `state`: of the test, the way of the table. */
static void begin(world *w, void **state) {
    *w = (world){ .in_line = true,
                  .way = *(const base_way *)*state,
                  .memory_bytes = 8 << 20,
                  .filter_bytes = 8 << 20,
                  .store_id = "0123",
                  .shards = 64,
                  .keys = 500,
                  .seed = 7 };
    snprintf(w->folder, sizeof w->folder, "base-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    log_init(&w->log, open("/dev/null", O_WRONLY), LOG_PLAIN, LOG_ERROR);
    w->t = kit_table();
    open_base(w);
}

static void end(world *w) {
    char command[128];
    base_close(w->b);
    table_free(w->t);
    close(w->log.fd);
    log_done(&w->log);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
}

/* Change some groups of some panes; now and then a pane goes, or an entry. */
static void change(world *w, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        char key[24];
        int64_t start = ((int64_t)roll(w, 4) - 2) * 60000;
        snprintf(key, sizeof key, "user-%u", roll(w, w->keys));
        const char *texts[4] = { NULL, "", "word", "a longer piece of text" };
        kit_set(w->t, start, key, (int64_t)roll(w, 1000), texts[roll(w, 4)], texts[roll(w, 4)]);
        entry *e = kit_find(w->t, start, "user-3");
        if (e && !roll(w, 20)) table_remove(w->t, table_find_pane(w->t, start), e);
    }
    pane *p = roll(w, 4) ? NULL : table_find_pane(w->t, 0);
    if (p) table_drop_pane(w->t, p);
}

/* The object of a batch that changes `count` entries, committed. */
static image *next_object(world *w, uint32_t count, bool is_full) {
    char parent[SL_POINTER_BYTES] = "";
    if (w->is_begun) pointer_write(&w->at, parent);
    image_head head = kit_head(is_full);
    w->at =
        pointer_new(is_full ? POINTER_FULL : POINTER_DELTA, w->is_begun ? w->at.batch + 1 : 1, 1);
    w->is_begun = true;
    head.parent = parent;
    head.batch = w->at.batch;
    image *m = image_new(&head);
    table_epoch_begin(w->t);
    change(w, count);
    buf *progress = image_begin(m, IMAGE_PROGRESS, "", 0);
    buf_put(progress, &w->at.batch, sizeof w->at.batch);
    image_end(m);
    image_put_table(m, "aggregate a", w->t, is_full);
    image_finish(m);
    table_commit(w->t);
    return m;
}

static void follow(world *w, uint32_t count, bool is_full) {
    base_follow(w->b, &w->at, next_object(w, count, is_full));
}

/* What a base gives back. */
typedef struct given {
    table *t;
    uint64_t progress;
    uint32_t sections;
} given;

static err *take_section(void *arg, const image_view *view) {
    given *g = arg;
    image_share whole = kit_whole();
    if (view->kind == IMAGE_PROGRESS) memcpy(&g->progress, view->bytes, sizeof g->progress);
    if (view->kind != IMAGE_TABLE) return NULL;
    g->sections++;
    assert_string_equal(view->name, "aggregate a");
    return image_load_table(view, g->t, NULL, &whole);
}

static void assert_holds_all(world *w) {
    given g = { .t = kit_table() };
    table_epoch_begin(g.t);
    assert_null(base_read(w->b, NULL, take_section, &g));
    table_commit(g.t);
    kit_assert_same(g.t, w->t);
    assert_int_equal(g.progress, w->at.batch);
    table_free(g.t);
}

static void assert_stands(world *w, const pointer *at) {
    pointer p;
    assert_true(base_stands_at(w->b, &p));
    assert_int_equal(p.batch, at->batch);
    assert_string_equal(p.id, at->id);
}

static void assert_stands_nowhere(world *w) {
    pointer p;
    assert_false(base_stands_at(w->b, &p));
    assert_int_equal(base_applied(w->b), 0);
}

static void gives_back_what_it_followed(void **state) {
    for (int threads = 0; threads < 2; threads++) {
        world w;
        begin(&w, state);
        w.in_line = !threads;
        reopen(&w);
        assert_stands_nowhere(&w);
        follow(&w, 3000, true);
        for (uint32_t i = 0; i < 60; i++) {
            follow(&w, roll(&w, 400), false);
            if (i % 7 && i < 59) continue;
            assert_null(base_flush(w.b));
            assert_stands(&w, &w.at);
            assert_int_equal(base_applied(w.b), w.at.batch);
            assert_int_equal(base_waiting_bytes(w.b), 0);
            assert_holds_all(&w);
        }
        reopen(&w);
        assert_stands(&w, &w.at);
        assert_holds_all(&w);
        end(&w);
    }
}

static void a_full_object_takes_the_place_of_everything(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 2000, true);
    follow(&w, 100, false);
    table_free(w.t);
    w.t = kit_table();
    follow(&w, 50, true);
    follow(&w, 50, false);
    assert_null(base_flush(w.b));
    assert_holds_all(&w);
    end(&w);
}

/* In runs, since it is more than may be held. */
static void a_large_full_object_is_taken_in_piece_by_piece(void **state) {
    world w;
    begin(&w, state);
    w.memory_bytes = 64 << 10;
    reopen(&w);
    follow(&w, 20000, true);
    assert_null(base_flush(w.b));
    assert_holds_all(&w);
    end(&w);
}

static void what_is_not_written_is_not_there_after_a_crash(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 500, true);
    assert_null(base_flush(w.b));
    pointer stood = w.at;
    char *before = kit_list(w.t);
    follow(&w, 200, false);
    base *dead = w.b; /* what is on disk now is what a crash would leave */
    char copy[128];
    snprintf(copy, sizeof copy, "cp -r %s %s-copy && touch %s-copy/run-7.new", w.folder, w.folder,
             w.folder);
    assert_int_equal(system(copy), 0);
    strcat(w.folder, "-copy");
    open_base(&w);
    assert_stands(&w, &stood);
    given g = { .t = kit_table() };
    table_epoch_begin(g.t);
    assert_null(base_read(w.b, NULL, take_section, &g));
    table_commit(g.t);
    char *now = kit_list(g.t);
    assert_string_equal(now, before);
    mem_free(now);
    mem_free(before);
    table_free(g.t);
    base_close(w.b);
    snprintf(copy, sizeof copy, "rm -rf %s", w.folder);
    assert_int_equal(system(copy), 0);
    w.folder[strlen(w.folder) - 5] = '\0';
    w.b = dead;
    end(&w);
}

static void a_full_object_that_ends_half_way_leaves_nothing(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 500, true);
    w.memory_bytes = 64 << 10;
    reopen(&w);
    assert_stands(&w, &w.at);
    image *m = next_object(&w, 20000, true);
    /* its last table has states of another layout than its first */
    table *other = table_new(&(table_config){ .state_size = 8, .state_init = &(int64_t){ 0 } });
    image_head head = kit_head(true);
    image *longer = image_new(&head);
    image_put_table(longer, "aggregate a", w.t, true);
    table_epoch_begin(other);
    kit_touch(other, table_pane(other, 0), "x");
    image_put_table(longer, "aggregate a", other, true);
    table_commit(other);
    image_finish(longer);
    image_free(m);
    base_follow(w.b, &w.at, longer);
    err *e = base_error(w.b);
    assert_non_null(e);
    err_free(e);
    reopen(&w);
    assert_stands_nowhere(&w);
    follow(&w, 10, true);
    assert_null(base_flush(w.b));
    assert_holds_all(&w);
    table_free(other);
    end(&w);
}

static void an_object_that_does_not_follow_is_not_taken(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 500, true);
    assert_null(base_flush(w.b));
    pointer stood = w.at;
    image_free(next_object(&w, 10, false)); /* missed */
    follow(&w, 10, false);
    err *e = base_flush(w.b);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_REFUSED);
    err_free(e);
    assert_stands(&w, &stood); /* behind, and of use after a restart */
    follow(&w, 10, false);
    assert_null(base_flush(w.b));
    assert_stands(&w, &stood);
    follow(&w, 10, true);
    assert_null(base_flush(w.b));
    assert_holds_all(&w);
    end(&w);
}

static void one_that_another_process_has_is_left_alone(void **state) {
    world w;
    int ready[2], go_on[2];
    char byte = 0;
    begin(&w, state);
    follow(&w, 500, true);
    base_close(w.b);
    assert_int_equal(pipe(ready) | pipe(go_on), 0);
    pid_t child = fork();
    if (!child) {
        bool is_open = !try_open(&w) && write(ready[1], &byte, 1) == 1;
        close(go_on[1]);
        _exit(is_open && read(go_on[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    w.b = NULL;
    err *e = try_open(&w);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_FENCED);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "process %d works in", (int)child);
    assert_non_null(strstr(e->message, wanted));
    err_free(e);
    for (int i = 0; i < 2; i++) close(go_on[i]), close(ready[i]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    open_base(&w);
    assert_holds_all(&w);
    end(&w);
}

static void another_ones_base_is_emptied(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 500, true);
    w.store_id = "4567";
    reopen(&w);
    assert_stands_nowhere(&w);
    follow(&w, 500, true);
    w.shards = 32;
    reopen(&w);
    assert_stands_nowhere(&w);
    end(&w);
}

/* Spoil every table file. */
static void spoil(const char *folder) {
    DIR *d = opendir(folder);
    uint32_t count = 0;
    for (struct dirent *file; (file = readdir(d));) {
        char path[512], junk[256];
        if (!strstr(file->d_name, ".sst") && !strstr(file->d_name, ".run")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        int fd = open(path, O_RDWR);
        off_t len = lseek(fd, 0, SEEK_END);
        memset(junk, 0x5a, sizeof junk);
        for (off_t at = 0; at < len; at += 1024) assert_true(pwrite(fd, junk, sizeof junk, at) > 0);
        close(fd);
        count++;
    }
    closedir(d);
    assert_true(count > 0);
}

static void spoilt_files_are_noticed_and_filled_anew(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 5000, true);
    base_close(w.b);
    spoil(w.folder);
    w.b = NULL;
    open_base(&w);
    given g = { .t = kit_table() };
    pointer p;
    table_epoch_begin(g.t);
    err *e = base_stands_at(w.b, &p) ? base_read(w.b, NULL, take_section, &g) : NULL;
    table_undo(g.t);
    table_free(g.t);
    if (e) {
        err_free(e);
        assert_null(base_reset(w.b));
    }
    assert_stands_nowhere(&w);
    follow(&w, 10, true);
    assert_null(base_flush(w.b));
    assert_holds_all(&w);
    end(&w);
}

/* What is damaged further in shows when it is read; the next start fills it anew. */
static void a_damaged_segment_is_noticed_and_goes(void **state) {
    world w;
    begin(&w, state);
    w.keys = 20000;
    follow(&w, 60000, true);
    base_close(w.b);
    char path[128];
    snprintf(path, sizeof path, "%s/panes-0.run", w.folder);
    int fd = open(path, O_RDWR);
    if (w.way) assert_true(pwrite(fd, "?", 1, 100000) == 1);
    close(fd);
    open_base(&w);
    assert_stands(&w, &w.at);
    given g = { .t = kit_table() };
    table_epoch_begin(g.t);
    err *e = base_read(w.b, NULL, take_section, &g);
    assert_true((e != NULL) == (w.way != BASE_IN_ROCKS));
    if (e) assert_non_null(strstr(e->message, "panes-0.run` is damaged"));
    err_free(e);
    table_undo(g.t);
    table_free(g.t);
    if (w.way) {
        reopen(&w);
        assert_stands_nowhere(&w);
    }
    end(&w);
}

static uint32_t count_files(const char *folder) {
    DIR *d = opendir(folder);
    uint32_t count = 0;
    for (struct dirent *file; (file = readdir(d));) count += strstr(file->d_name, ".run") != NULL;
    closedir(d);
    return count;
}

/* Entries that change in every batch, and panes that go, do not fill the disk. */
static void what_is_of_no_use_goes(void **state) {
    world w;
    begin(&w, state);
    follow(&w, 3000, true);
    for (uint32_t i = 0; i < 100; i++) {
        follow(&w, 300, false);
        assert_null(base_flush(w.b));
        assert_true(count_files(w.folder) < 4 * 8 + 4);
    }
    assert_holds_all(&w);
    end(&w);
}

/* Ranges that follow each other go on where the last one ended, also if something is written in
 * between, or another thread reads. */
static void ranges_go_on_while_it_follows(void **state) {
    world w;
    given g = { .t = kit_table() };
    begin(&w, state);
    w.keys = 20000;
    follow(&w, 30000, true);
    for (uint32_t i = 0; i < 5; i++) {
        follow(&w, 3000, false);
        assert_null(base_flush(w.b));
    }
    table_epoch_begin(g.t);
    for (uint64_t i = 0; i < 16; i++) {
        base_range range = { .table = "aggregate a", .from = i << 60 };
        range.to = range.from + (UINT64_MAX >> 4);
        for (uint32_t p = 0; p < 4; p++) {
            range.start = ((int64_t)p - 2) * 60000;
            assert_null(base_read_range(w.b, &range, take_section, &g));
        }
        if (i != 7) continue;
        base_range whole = { .table = "aggregate a", .to = UINT64_MAX };
        given other = { .t = kit_table() };
        table_epoch_begin(other.t);
        assert_null(base_read_range(w.b, &whole, take_section, &other));
        table_commit(other.t);
        table_free(other.t);
        follow(&w, 0, false);
        assert_null(base_flush(w.b));
    }
    table_commit(g.t);
    kit_assert_same(g.t, w.t);
    table_free(g.t);
    end(&w);
}

typedef struct parts {
    buf bytes[64];
    uint32_t count, given;
    bool first_is_last;
} parts;

static err *keep_part(void *arg, const pointer *at, uint32_t part, const buf *bytes) {
    parts *all = arg;
    assert_true(at->batch > 0);
    assert_true(part < 64 && !all->bytes[part].data);
    buf_put(&all->bytes[part], bytes->data, bytes->len);
    if (part >= all->count) all->count = part + 1;
    all->given++;
    all->first_is_last = part == 0;
    return NULL;
}

static void a_full_object_is_made_of_it(void **state) {
    for (int many = 0; many < 2; many++) {
        world w;
        image_reader *r;
        image_view view;
        parts all = { 0 };
        given g = { .t = kit_table() };
        begin(&w, state);
        w.keys = many ? 20000 : 500;
        follow(&w, many ? 60000 : 5000, true);
        follow(&w, 300, false);
        assert_null(base_flush(w.b));
        assert_null(base_make_full(w.b, many ? 4096 : 0, keep_part, &all));
        assert_true(all.first_is_last);
        assert_int_equal(all.given, all.count);
        if (many) assert_true(all.count > 2);
        assert_null(image_open("full", &all.bytes[0], &r));
        assert_int_equal(image_part_total(r), all.count);
        for (uint32_t i = 1; i < all.count; i++) assert_null(image_add_part(r, &all.bytes[i]));
        assert_true(image_head_of(r)->is_full);
        assert_int_equal(image_head_of(r)->batch, w.at.batch);
        table_epoch_begin(g.t);
        while (image_next(r, &view)) assert_null(take_section(&g, &view));
        table_commit(g.t);
        kit_assert_same(g.t, w.t);
        assert_int_equal(g.progress, w.at.batch);
        image_reader_free(r);
        table_free(g.t);
        end(&w);
    }
}

static void ranges_are_parts_of_a_pane(void **state) {
    world w;
    given g = { .t = kit_table() };
    begin(&w, state);
    follow(&w, 5000, true);
    assert_null(base_flush(w.b));
    table_epoch_begin(g.t);
    for (uint32_t p = 0; p < 4; p++) {
        base_range range = { .table = "aggregate a", .start = ((int64_t)p - 2) * 60000 };
        for (uint64_t i = 0; i < 8; i++) {
            range.from = i << 61;
            range.to = range.from + (UINT64_MAX >> 3);
            assert_null(base_read_range(w.b, &range, take_section, &g));
        }
    }
    assert_null(base_read_range(w.b, &(base_range){ .table = "other", .to = UINT64_MAX },
                                take_section, &g));
    table_commit(g.t);
    kit_assert_same(g.t, w.t);
    assert_true(g.sections >= 32 - 8);
    table_free(g.t);
    end(&w);
}

typedef struct seen {
    uint32_t count;
    int64_t last;
} seen;

static err *see(void *arg, const char *name, int64_t start, uint32_t generation) {
    seen *s = arg;
    assert_string_equal(name, "aggregate a");
    assert_int_equal(generation, 0);
    assert_true(!s->count || start > s->last);
    s->count++;
    s->last = start;
    return NULL;
}

static bool is_wanted(void *arg, const char *name, int64_t start, uint32_t generation) {
    (void)arg, (void)name, (void)generation;
    return start == 60000;
}

static void panes_are_listed_and_left_out(void **state) {
    world w;
    seen s = { 0 };
    given g = { .t = kit_table() };
    begin(&w, state);
    follow(&w, 2000, true);
    assert_null(base_flush(w.b));
    assert_null(base_list(w.b, see, &s));
    uint32_t panes;
    table_panes(w.t, &panes);
    assert_int_equal(s.count, panes);
    table_epoch_begin(g.t);
    assert_null(base_read(w.b, is_wanted, take_section, &g));
    table_commit(g.t);
    table_panes(g.t, &panes);
    assert_int_equal(panes, 1);
    assert_int_equal(pane_count(table_find_pane(g.t, 60000)),
                     pane_count(table_find_pane(w.t, 60000)));
    table_free(g.t);
    end(&w);
}

static int by_order(const void *x, const void *y) {
    const wanted *a = x, *b = y;
    return (a->order > b->order) - (a->order < b->order);
}

/* Look for every key there may be in every pane; what comes is what the table has. */
static void assert_finds_all(world *w) {
    given g = { .t = kit_table() };
    wanted *all = mem_alloc(w->keys * sizeof *all);
    char(*keys)[24] = mem_alloc(w->keys * sizeof *keys);
    for (uint32_t i = 0; i < w->keys; i++) {
        int len = snprintf(keys[i], sizeof keys[i], "user-%u", i);
        all[i] = (wanted){ .order = shard_order(XXH3_64bits(keys[i], (size_t)len), w->shards),
                           .key = keys[i],
                           .key_len = (uint32_t)len };
    }
    qsort(all, w->keys, sizeof *all, by_order);
    table_epoch_begin(g.t);
    for (int64_t start = -120000; start <= 60000; start += 60000) {
        base_range in = { .table = "aggregate a", .start = start };
        for (uint32_t i = 0; i < w->keys; i += 100) {
            uint32_t count = w->keys - i < 100 ? w->keys - i : 100;
            assert_null(base_look(w->b, &in, count, all + i, take_section, &g));
        }
    }
    table_commit(g.t);
    kit_assert_same(g.t, w->t);
    table_free(g.t);
    mem_free(keys);
    mem_free(all);
}

/* While entries change and go, and segments are merged; with filters and with too little memory for
 * them. */
static void groups_are_found(void **state) {
    for (int few = 0; few < 2; few++) {
        world w;
        begin(&w, state);
        w.keys = 3000;
        w.filter_bytes = few ? 1000 : 8 << 20;
        reopen(&w);
        follow(&w, 3000, true);
        for (uint32_t i = 0; i < 60; i++) {
            follow(&w, i % 10 == 5 ? 4000 : 40, false);
            assert_null(base_flush(w.b));
            if (i % 5 == 4) assert_finds_all(&w);
        }
        assert_true(few == (base_look_bytes(w.b) < 20000));
        reopen(&w);
        assert_int_equal(base_look_bytes(w.b), 0);
        assert_finds_all(&w);
        base_range other = { .table = "other" }, none = { .table = "aggregate a", .start = 1 };
        wanted one = { .order = 1 };
        assert_null(base_look(w.b, &other, 1, &one, take_section, NULL));
        assert_null(base_look(w.b, &none, 1, &one, take_section, NULL));
        end(&w);
    }
}

/* A merge of more than one run may read: what comes meanwhile, and a pane that goes, count. */
static void a_large_merge_takes_several_runs(void **state) {
    world w;
    begin(&w, state);
    w.keys = 100000;
    follow(&w, 1, true);
    for (uint32_t i = 0; i < 15; i++) {
        follow(&w, i < 3 ? 40000 : 30, false);
        assert_null(base_flush(w.b));
        if (i > 3 && i % 4 == 0) reopen(&w); /* what was begun is begun anew */
    }
    assert_holds_all(&w);
    end(&w);
}

/* A delta of `count` keys from `key` on in pane 0; the pane goes before them if `drops`. */
static void follow_keys(world *w, uint32_t key, uint32_t count, bool drops) {
    char parent[SL_POINTER_BYTES], text[24];
    pointer_write(&w->at, parent);
    image_head head = kit_head(false);
    w->at = pointer_new(POINTER_DELTA, w->at.batch + 1, 1);
    head.parent = parent;
    head.batch = w->at.batch;
    image *m = image_new(&head);
    table_epoch_begin(w->t);
    if (drops) table_drop_pane(w->t, table_find_pane(w->t, 0));
    for (uint32_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "user-%u", key + i);
        kit_set(w->t, 0, text, (int64_t)w->at.batch, NULL, NULL);
    }
    buf_put(image_begin(m, IMAGE_PROGRESS, "", 0), &w->at.batch, sizeof w->at.batch);
    image_end(m);
    image_put_table(m, "aggregate a", w->t, false);
    image_finish(m);
    table_commit(w->t);
    base_follow(w->b, &w->at, m);
    assert_null(base_flush(w->b));
}

static void a_pane_goes_while_its_segments_are_merged(void **state) {
    for (int goes = 0; goes < 2; goes++) {
        world w;
        begin(&w, state);
        follow(&w, 0, true);
        for (uint32_t i = 0; i < 3; i++) follow_keys(&w, i * 25000, 25000, false);
        follow_keys(&w, 0, 1, false);
        follow_keys(&w, 1, 1, goes);
        assert_true(base_merge_file(w.b) != UINT64_MAX); /* it takes more than one run */
        follow_keys(&w, 2, 1, false);
        for (uint32_t i = 0; i < 6; i++) follow_keys(&w, i, 1, false);
        assert_true(base_merge_file(w.b) == UINT64_MAX);
        assert_holds_all(&w);
        reopen(&w);
        assert_holds_all(&w);
        end(&w);
    }
}

/* An object in a store, as a reader asks for its parts. */
static err *give_part(void *arg, uint32_t part, buf *bytes) {
    const parts *all = arg;
    if (part == all->given) return err_new(ERR_REFUSED, "it is gone");
    buf_put(bytes, all->bytes[part].data, all->bytes[part].len);
    return NULL;
}

static image_reader *read_in_parts(const world *w, parts *all) {
    image_reader *r;
    image_head head = kit_head(true);
    head.batch = w->at.batch;
    image *m = image_new(&head);
    image_cut_at(m, 4096);
    buf_put(image_begin(m, IMAGE_PROGRESS, "", 0), &w->at.batch, sizeof w->at.batch);
    image_end(m);
    image_put_table(m, "aggregate a", w->t, true);
    image_finish(m);
    all->count = image_part_count(m);
    assert_in_range(all->count, 3, 64);
    for (uint32_t i = 0; i < all->count; i++) all->bytes[i] = image_take_part(m, i);
    image_free(m);
    buf first = { 0 };
    buf_put(&first, all->bytes[0].data, all->bytes[0].len);
    assert_null(image_open("full", &first, &r));
    image_read_from(r, give_part, all);
    return r;
}

/* Nothing of it is in memory but the part that is in hand. */
static void a_full_object_is_added_part_by_part(void **state) {
    for (int whole = 0; whole < 2; whole++) {
        world w;
        parts all = { .given = whole ? UINT32_MAX : 2 };
        begin(&w, state);
        w.keys = 20000;
        image_free(next_object(&w, 60000, true));
        image_reader *r = read_in_parts(&w, &all);
        assert_null(base_add(w.b, &w.at, r));
        assert_false(image_keeps(r));
        err *e = image_take_error(r);
        assert_true((e == NULL) == whole);
        err_free(e);
        if (whole)
            assert_holds_all(&w);
        else
            assert_stands_nowhere(&w);
        image_reader_free(r);
        for (uint32_t i = 0; i < all.count; i++) buf_done(&all.bytes[i]);
        follow(&w, 10, !whole);
        assert_null(base_flush(w.b));
        assert_holds_all(&w);
        end(&w);
    }
}

/* Each with panes in RocksDB, in files, and in files that are looked into. */
#define ALL(test)                                           \
    cmocka_unit_test_prestate(test, (void *)&IN_ROCKS),     \
        cmocka_unit_test_prestate(test, (void *)&IN_FILES), \
        cmocka_unit_test_prestate(test, (void *)&LOOKED_INTO)

int main(void) {
    static const base_way IN_ROCKS = BASE_IN_ROCKS, IN_FILES = BASE_IN_FILES,
                          LOOKED_INTO = BASE_LOOKED_INTO;
    const struct CMUnitTest tests[] = {
        ALL(gives_back_what_it_followed),
        ALL(a_full_object_takes_the_place_of_everything),
        ALL(a_large_full_object_is_taken_in_piece_by_piece),
        ALL(what_is_not_written_is_not_there_after_a_crash),
        ALL(a_full_object_that_ends_half_way_leaves_nothing),
        ALL(an_object_that_does_not_follow_is_not_taken),
        ALL(one_that_another_process_has_is_left_alone),
        ALL(another_ones_base_is_emptied),
        ALL(spoilt_files_are_noticed_and_filled_anew),
        ALL(a_damaged_segment_is_noticed_and_goes),
        ALL(what_is_of_no_use_goes),
        ALL(ranges_go_on_while_it_follows),
        ALL(a_full_object_is_made_of_it),
        ALL(ranges_are_parts_of_a_pane),
        ALL(panes_are_listed_and_left_out),
        ALL(a_large_merge_takes_several_runs),
        ALL(a_full_object_is_added_part_by_part),
        cmocka_unit_test_prestate(groups_are_found, (void *)&LOOKED_INTO),
        cmocka_unit_test_prestate(a_pane_goes_while_its_segments_are_merged, (void *)&LOOKED_INTO),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

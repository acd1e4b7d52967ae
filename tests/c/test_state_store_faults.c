/* The file: store on a file system that fails: the n-th call of each kind, for n = 1, 2 .. until a
 * put gets through without meeting it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/mem.h"
#include "state/store.h"
#include "tests/faults/file_faults.h"

enum { LEN = 20000,
       PAGE = 4096,
       LARGE = (2 << 20) + 3 * PAGE + 123, /* goes past the page cache, but for its end */
       MOST_CALLS = 40 };

typedef struct bench {
    char dir[64];
    char url[80];
    char old[LEN], fresh[LEN];
    store s;
} bench;

static void open_fresh(bench *b) {
    strcpy(b->dir, "/tmp/sluice-faults-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->url, sizeof b->url, "file:%s/deep/er", b->dir);
    memset(b->old, 'o', LEN);
    memset(b->fresh, 'f', LEN);
    file_faults_watch(b->dir);
    file_faults_set(NULL);
    assert_null(store_open(&(store_config){ .url = b->url }, &b->s));
}

static int leftovers(const bench *b) {
    char path[128];
    snprintf(path, sizeof path, "%s/deep/er/.tmp", b->dir);
    DIR *folder = opendir(path);
    int count = 0;
    for (const struct dirent *one; folder && (one = readdir(folder));) {
        count += one->d_name[0] != '.';
    }
    if (folder) closedir(folder);
    return count;
}

static void close_and_remove(bench *b) {
    char command[128];
    file_faults_set(NULL);
    store_close(&b->s);
    snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    assert_int_equal(system(command), 0);
}

static err *put(bench *b, const char *bytes, int32_t how, bool *exists) {
    return b->s.ops->put(b->s.handle, "p/state/x", bytes, LEN, how, exists);
}

/* What is there: 'o', 'f' or '-' for nothing; fails for anything else. */
static char held(bench *b) {
    buf out = { 0 };
    bool missing;
    assert_null(b->s.ops->get(b->s.handle, "p/state/x", &out, &missing));
    char what = missing ? '-' : out.len ? out.data[0]
                                        : '?';
    if (!missing) {
        assert_int_equal(out.len, LEN);
        assert_memory_equal(out.data, what == 'o' ? b->old : b->fresh, LEN);
    }
    buf_done(&out);
    return what;
}

typedef struct fault {
    const char *call, *times, *what;
    int32_t how;
    bool is_survived;  /* the put succeeds all the same */
    bool is_retriable; /* else: what its error says */
} fault;

/* One put with one fault, where the object and its folders are there already, or nothing is; false:
 * the fault was not met. */
static bool put_with(const fault *f, int nth, bool had_old) {
    bench b;
    char text[64];
    bool exists;
    open_fresh(&b);
    if (had_old) assert_null(put(&b, b.old, STORE_NEW, &exists));
    snprintf(text, sizeof text, "%s:%d%s:%s", f->call, nth, f->times, f->what);
    file_faults_set(text);
    err *e = put(&b, b.fresh, f->how, &exists);
    file_faults_seen seen = file_faults_look();
    file_faults_clear();
    assert_false(exists);
    assert_int_equal(seen.resynced, 0);
    assert_int_equal(seen.unsynced, 0);
    if (!e != (f->is_survived || !seen.hits)) print_error("%s: %s\n", text, e ? e->message : "put");
    assert_int_equal(!e, f->is_survived || !seen.hits);
    if (e) {
        assert_int_equal(e->code, ERR_IO);
        assert_int_equal(e->retriable, f->is_retriable);
        assert_non_null(strstr(e->message, "`p/state/x`"));
        if (!strcmp(f->what, "ENOSPC")) assert_non_null(strstr(e->message, "MB and"));
        char what = held(&b);
        assert_true(what == 'f' || what == (had_old ? 'o' : '-'));
    }
    if (!e) assert_int_equal(held(&b), 'f');
    err_free(e);
    assert_int_equal(leftovers(&b), 0);
    assert_null(put(&b, b.fresh, STORE_REPLACE, &exists)); // it goes on as if nothing had been
    assert_int_equal(held(&b), 'f');
    assert_int_equal(file_faults_look().resynced, 0);
    close_and_remove(&b);
    return seen.hits > 0;
}

static void the_nth_call_fails(void **state) {
    (void)state;
    static const fault faults[] = {
        { "open", "", "EIO", STORE_NEW, true, false },
        { "open", "+9", "EIO", STORE_NEW, false, false },
        { "open", "", "ENOSPC", STORE_REPLACE, false, true },
        { "mkdir", "", "EROFS", STORE_NEW, false, false },
        { "mkdir", "", "ENOSPC", STORE_REPLACE, false, true },
        { "write", "", "EIO", STORE_NEW, true, false },
        { "write", "+9", "EIO", STORE_NEW, false, false },
        { "write", "", "ENOSPC", STORE_REPLACE, false, true },
        { "write", "", "EDQUOT", STORE_NEW, false, true },
        { "write", "", "EINTR", STORE_NEW, true, false },
        { "write", "+3", "short", STORE_REPLACE, true, false },
        { "sync", "", "EIO", STORE_NEW, true, false },
        { "sync", "", "EIO", STORE_REPLACE, true, false },
        { "sync", "+99", "EIO", STORE_NEW, false, false },
        { "sync", "+99", "ENOSPC", STORE_REPLACE, false, true },
        { "link", "", "EIO", STORE_NEW, false, false },
        { "link", "", "ENOSPC", STORE_NEW, false, true },
        { "link", "", "EPERM", STORE_NEW, true, false },
        { "rename", "", "EIO", STORE_REPLACE, false, false },
        { "rename", "", "ENOSPC", STORE_REPLACE, false, true },
        { NULL, NULL, NULL, 0, false, false },
    };
    for (const fault *f = faults; f->call; f++) {
        int nth = 1;
        while (put_with(f, nth, false) && nth < MOST_CALLS) nth++;
        if (nth == 1) print_error("never met: %s\n", f->call);
        assert_in_range(nth, 2, MOST_CALLS - 1);
        nth = f->how == STORE_REPLACE ? 1 : MOST_CALLS;
        while (nth < MOST_CALLS && put_with(f, nth, true)) nth++;
    }
}

static void a_file_system_without_links_still_has_one_winner(void **state) {
    (void)state;
    bench b;
    bool exists;
    open_fresh(&b);
    file_faults_set("link:1+999:EPERM");
    assert_null(put(&b, b.old, STORE_NEW, &exists));
    assert_false(exists);
    assert_null(put(&b, b.fresh, STORE_NEW, &exists));
    assert_true(exists);
    assert_int_equal(held(&b), 'o');
    assert_int_equal(leftovers(&b), 0);
    close_and_remove(&b);
}

static void folders_that_somebody_removed_are_made_again(void **state) {
    (void)state;
    bench b;
    char command[128];
    bool exists;
    open_fresh(&b);
    assert_null(put(&b, b.old, STORE_NEW, &exists));
    snprintf(command, sizeof command, "rm -rf '%s/deep'", b.dir);
    assert_int_equal(system(command), 0);
    assert_null(put(&b, b.fresh, STORE_NEW, &exists));
    assert_int_equal(held(&b), 'f');
    close_and_remove(&b);
}

/* Memory at a page, as parts of objects have: whatever becomes of a write, the object is whole. */
static void what_is_large_is_written_whole(void **state) {
    (void)state;
    static const char *const faults[] = { NULL, "write:1:short", "write:1+2:short", "write:1:EIO",
                                          "write:2:EINTR", "write:2:short" };
    char *bytes = mem_alloc_aligned(PAGE, LARGE);
    for (int i = 0; i < LARGE; i++) bytes[i] = (char)(i * 7 % 251);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (int shift = 0; shift < 2; shift++) {
            bench b;
            bool exists, missing;
            buf out = { 0 };
            open_fresh(&b);
            file_faults_set(faults[i]);
            err *e = b.s.ops->put(b.s.handle, "p/state/x", bytes + shift, LARGE - 1, STORE_NEW,
                                  &exists);
            file_faults_clear();
            assert_null(e);
            assert_null(b.s.ops->get(b.s.handle, "p/state/x", &out, &missing));
            assert_int_equal(out.len, LARGE - 1);
            assert_memory_equal(out.data, bytes + shift, LARGE - 1);
            buf_done(&out);
            close_and_remove(&b);
        }
    }
    mem_free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_call_fails),
        cmocka_unit_test(what_is_large_is_written_whole),
        cmocka_unit_test(a_file_system_without_links_still_has_one_winner),
        cmocka_unit_test(folders_that_somebody_removed_are_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

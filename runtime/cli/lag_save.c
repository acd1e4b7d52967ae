#include "runtime/cli/lag_save.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "runtime/cli/text.h"

enum { LINE_BYTES = 1 << 20 };

/* Only what lag_put_json wrote is read again, name by name: what stands behind the next one. */
static const char *behind(const char *text, const char *name) {
    const char *found = text ? strstr(text, name) : NULL;
    return found ? found + strlen(name) : NULL;
}

/* The advice of each stage, the earlier line beside this one: stages in their order. */
static void compare(const char *before, const char *now, int64_t now_ms, buf *text) {
    static const char AT[] = "{\"at_ms\":", ADVISED[] = "\"advised_ms\":";
    const char *was = behind(before, AT), *is = now;
    if (!was) return;
    buf_put_text(text, "\nadvised delay, as saved at ");
    text_put_time(text, strtoll(was, NULL, 10), now_ms);
    buf_put_text(text, " and now\n");
    while ((was = behind(was, ADVISED)) && (is = behind(is, ADVISED)))
        buf_printf(text, "  %lld ms -> %lld ms\n", strtoll(was, NULL, 10), strtoll(is, NULL, 10));
}

/* The last line of the file; it is read to its end. */
static void read_last(FILE *f, char *line, size_t room) {
    *line = '\0';
    rewind(f);
    while (fgets(line, (int)room, f)) continue;
}

err *lag_save(const char *path, int64_t now_ms, const buf *json, buf *text) {
    FILE *f = fopen(path, "a+");
    if (!f) return err_new(ERR_IO, "--save %s: %s", path, strerror(errno));
    char *line = mem_copy_text(json->data, json->len), *before = mem_alloc(LINE_BYTES);
    read_last(f, before, LINE_BYTES);
    if (*before) compare(before, line, now_ms, text);
    fprintf(f, "{\"at_ms\":%" PRId64 ",%s", now_ms, line + 1);
    bool is_bad = fclose(f) != 0;
    mem_free(before);
    mem_free(line);
    return is_bad ? err_new(ERR_IO, "--save %s: %s", path, strerror(errno)) : NULL;
}

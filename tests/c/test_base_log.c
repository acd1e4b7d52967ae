/* Log lines: one line an event, whatever stands in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"

/* What is written of a value in a style, behind "x=" or "x":, up to the line's end. */
static void writes(log_style style, const char *value, const char *wanted) {
    char line[512];
    int ends[2];
    logger log;
    assert_int_equal(pipe(ends), 0);
    log_init(&log, ends[1], style, LOG_INFO);
    log_warn(&log, "it happened", log_text("x", value), log_number("n", 7));
    ssize_t len = read(ends[0], line, sizeof line - 1);
    assert_true(len > 0);
    line[len] = '\0';
    assert_ptr_equal(strchr(line, '\n'), line + len - 1); /* the only one */
    assert_non_null(strstr(line, wanted));
    close(ends[0]);
    close(ends[1]);
    log_done(&log);
}

static void values_with_lines_stay_in_one(void **state) {
    (void)state;
    writes(LOG_LOGFMT, "plain", " message=\"it happened\" x=plain n=7\n");
    writes(LOG_LOGFMT, "two\nlines\r\n", " x=\"two\\nlines\\r\\n\" n=7\n");
    writes(LOG_LOGFMT, "a\tb", " x=\"a\\tb\" n=7\n");
    writes(LOG_LOGFMT, "a\\nb", " x=\"a\\\\nb\" n=7\n"); /* no line, and not taken for one */
    writes(LOG_LOGFMT, "\x1b[31m\x7f", " x=\"\\u001b[31m\\u007f\" n=7\n");
    writes(LOG_LOGFMT, "", " x=\"\" n=7\n");
    writes(LOG_JSON, "two\nlines", ",\"x\":\"two\\nlines\",\"n\":7}\n");
    writes(LOG_PLAIN, "two\nlines", "sluice: warn: it happened (x=\"two\\nlines\" n=7)\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_with_lines_stay_in_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

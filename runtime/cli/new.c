/* `sluice new NAME`: writes a commented pipeline and its spec. What is there stays as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/plan_options.h"
#include "runtime/script/tool.h"

enum { WHOLE = 0666 };

static err *make_text(const char *name, const char *which, buf *out) {
    const sl_string arguments[] = { plan_text(name), plan_text(which) };
    const script_tool tool = { .library = getenv("SLUICE_LUA"),
                               .module = "sluice.new",
                               .function = "text",
                               .arguments = arguments,
                               .argument_count = 2 };
    return err_wrap(script_tool_run(&tool, out), "new");
}

static err *write_file(const char *path, const buf *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, WHOLE);
    if (fd < 0) return err_new(ERR_USAGE, "new: `%s`: %s", path, strerror(errno));
    ssize_t wrote = write(fd, text->data, text->len);
    int failed = close(fd) || wrote != (ssize_t)text->len;
    return failed ? err_new(ERR_IO, "new: writing `%s`: %s", path, strerror(errno)) : NULL;
}

/* Neither is written where one of them is there already. */
static err *write_both(const char *name, const buf *script, const buf *spec) {
    static const char *const ENDINGS[] = { ".lua", "_spec.lua" };
    char paths[2][4096];
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s%s", name, ENDINGS[i]);
        if (!access(paths[i], F_OK))
            return err_new(ERR_USAGE, "new: `%s` is there already; take another name, or move it",
                           paths[i]);
    }
    err *e = write_file(paths[0], script);
    if (!e) e = write_file(paths[1], spec);
    if (e) return e;
    printf("%s: a pipeline, and %s, its spec\n\n"
           "  sluice run %s --embedded    without a Kafka\n"
           "  sluice test %s\n",
           paths[0], paths[1], paths[0], paths[1]);
    return NULL;
}

int command_new(const args *a) {
    buf script, spec;
    buf_init(&script);
    buf_init(&spec);
    err *e = make_text(a->operand, "script", &script);
    if (!e) e = make_text(a->operand, "spec", &spec);
    if (!e) e = write_both(a->operand, &script, &spec);
    buf_done(&script);
    buf_done(&spec);
    return e ? command_failed(e) : 0;
}

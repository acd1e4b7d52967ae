#include "runtime/cli/shadow_ask.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/ask.h"
#include "runtime/cli/commands.h"
#include "runtime/script/answer.h"

enum { MOST_BATCHES = 1000000,
       MOST_ROWS = 1000,
       ROWS = 10,
       LONGEST_MS = 2000000000, /* batches come when there are records */
       PROMOTE_MS = 600000,
       HASH_LEN = 16 };

/* What stands first in an answer of batches that were done. */
typedef struct verdict {
    bool is_done, is_same;
    char hash[HASH_LEN + 1];
} verdict;

static err *read_number(const char *option, const char *text, uint32_t least, uint32_t most,
                        uint32_t *number) {
    char *end;
    if (!text) return NULL;
    unsigned long value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    if (*text >= '0' && *text <= '9' && !*end && value >= least && value <= most) return NULL;
    return err_new(ERR_USAGE, "%s %s: wanted a number from %u to %u", option, text, least, most);
}

static err *check_when(const args *a) {
    if (!a->promote || !strcmp(a->promote, "same") || !strcmp(a->promote, "always")) return NULL;
    return err_new(ERR_USAGE, "--promote %s: wanted same or always", a->promote);
}

/* As the process that runs can find it, wherever it stands; "-": its own. Owned by the caller. */
static err *find_script(const args *a, char **path) {
    *path = mem_copy_text("-", 1);
    if (!a->script) return NULL;
    char found[PATH_MAX];
    if (!realpath(a->script, found))
        return err_new(ERR_USAGE, "--script %s: %s", a->script, strerror(errno));
    mem_free(*path);
    *path = mem_copy_text(found, strlen(found));
    return NULL;
}

static verdict verdict_of(const buf *answer) {
    verdict v = { 0 };
    int len = 0;
    sscanf(answer->data, "{\"state\":\"done\",\"script_hash\":\"%16[0-9a-f]\",\"is_same\":%n",
           v.hash, &len);
    v.is_done = len > 0;
    v.is_same = v.is_done && answer->data[len] == 't';
    return v;
}

/* Print an answer; gives the code that the library makes of it. */
static int show(const args *a, const char *kind, const buf *answer) {
    int code = 0;
    buf text;
    buf_init(&text);
    err *e = script_answer(getenv("SLUICE_LUA"), kind, answer, &text, &code);
    if (!e && a->json)
        printf("%.*s\n", (int)answer->len, answer->data);
    else if (!e && code > 1)
        fprintf(stderr, "sluice: %s: %s\n", a->operand, buf_text(&text));
    else if (!e)
        printf("%s\n", buf_text(&text));
    fflush(stdout);
    buf_done(&text);
    return e ? command_failed(e) : code;
}

static bool is_yes(void) {
    char line[16] = "";
    printf("let it take over? [y/N] ");
    fflush(stdout);
    return fgets(line, sizeof line, stdin) && (*line == 'y' || *line == 'Y');
}

static bool is_wanted(const args *a, const verdict *v) {
    if (!v->is_done) return false;
    if (a->promote) return v->is_same || !strcmp(a->promote, "always");
    return !a->json && isatty(0) && isatty(1) && is_yes();
}

/* An ordinary reload, of that text alone. */
static int promote(const args *a, const verdict *v, const char *path) {
    pid_t pid;
    bool is_late;
    buf request, answer;
    buf_init(&request);
    buf_init(&answer);
    buf_printf(&request, "reload %s %s", v->hash, path);
    err *e = ask(a->operand, buf_text(&request), PROMOTE_MS, &answer, &pid, &is_late);
    int code = e ? command_failed(e) : show(a, "reload", &answer);
    if (!code && a->script && !a->json)
        printf("it runs now, and a restart begins with the script as it is on disk: put %s in its "
               "place\n",
               a->script);
    buf_done(&request);
    buf_done(&answer);
    return code;
}

static int ask_for(const args *a, uint32_t batches, uint32_t rows, const char *path) {
    pid_t pid;
    bool is_late;
    buf request, answer;
    buf_init(&request);
    buf_init(&answer);
    buf_printf(&request, "shadow %u %u %s", batches, rows, path);
    err *e = ask(a->operand, buf_text(&request), LONGEST_MS, &answer, &pid, &is_late);
    int code = e ? command_failed(e) : show(a, "shadow", &answer);
    buf_text(&answer);
    verdict v = { 0 };
    if (!e) v = verdict_of(&answer);
    if (is_wanted(a, &v)) code = promote(a, &v, path);
    buf_done(&request);
    buf_done(&answer);
    return code;
}

int shadow_ask(const args *a) {
    uint32_t batches = 0, rows = ROWS;
    char *path = NULL;
    err *e = read_number("--shadow", a->shadow, 1, MOST_BATCHES, &batches);
    if (!e) e = read_number("--rows", a->rows, 0, MOST_ROWS, &rows);
    if (!e) e = check_when(a);
    if (!e) e = find_script(a, &path);
    int code = e ? command_failed(e) : ask_for(a, batches, rows, path);
    mem_free(path);
    return code;
}

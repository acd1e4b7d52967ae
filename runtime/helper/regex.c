/* DESIGN: PCRE2 with its own JIT, a match context and a stack a regex, so that a match allocates
 * nothing. A pattern that tries too many ways is given up after MATCH_LIMIT steps, well before a
 * record could hold up the pipeline. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdbool.h>
#include <stdio.h>

#include "runtime/base/mem.h"
#include "runtime/shared/helper.h"

enum { MATCH_LIMIT = 1000000,
       STACK_START_BYTES = 32 << 10,
       STACK_MOST_BYTES = 1 << 20 };

/* What a match needs. */
typedef struct space {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL: the pattern is interpreted */
} space;

static void say(int number, size_t at, char *problem, uint32_t room) {
    PCRE2_UCHAR text[160];
    pcre2_get_error_message(number, text, sizeof text);
    snprintf(problem, room, "%s at character %zu", (const char *)text, at + 1);
}

static space *space_new(const pcre2_code *code, bool is_compiled) {
    space *s = mem_zalloc(1, sizeof *s);
    s->data = pcre2_match_data_create_from_pattern(code, NULL);
    s->context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    if (!is_compiled) return s;
    s->stack = pcre2_jit_stack_create(STACK_START_BYTES, STACK_MOST_BYTES, NULL);
    pcre2_jit_stack_assign(s->context, NULL, s->stack);
    return s;
}

sl_regex *sl_regex_new(const char *pattern, uint32_t len, int32_t kind, char *problem,
                       uint32_t room) {
    /* 10.42 takes the first byte of (?=a)b*?a for another one than its last, and finds nothing */
    uint32_t options = kind == SL_REGEX_TEXT ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF
                                             : PCRE2_NO_START_OPTIMIZE;
    int number;
    size_t at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, len, options | PCRE2_NEVER_BACKSLASH_C, &number, &at,
                      NULL);
    if (!code) {
        say(number, at, problem, room);
        return NULL;
    }
    sl_regex *regex = mem_zalloc(1, sizeof *regex);
    regex->code = code;
    regex->space = space_new(code, !pcre2_jit_compile(code, PCRE2_JIT_COMPLETE));
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &regex->group_count);
    regex->spans = mem_zalloc(2 * (regex->group_count + 1), sizeof *regex->spans);
    return regex;
}

void sl_regex_free(sl_regex *regex) {
    if (!regex) return;
    space *s = regex->space;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    pcre2_code_free(regex->code);
    mem_free(s);
    mem_free(regex->spans);
    mem_free(regex);
}

int32_t sl_regex_match(sl_regex *regex, const char *text, uint32_t len, uint32_t start) {
    const space *s = regex->space;
    if (start > len) return 0;
    int found = pcre2_match(regex->code, (PCRE2_SPTR)(text ? text : ""), len, start, 0, s->data,
                            s->context);
    if (found == PCRE2_ERROR_NOMATCH) return 0;
    if (found < 0) return -1;
    const size_t *ends = pcre2_get_ovector_pointer(s->data);
    for (uint32_t i = 0; i < 2 * (regex->group_count + 1); i++)
        regex->spans[i] = ends[i] == PCRE2_UNSET ? -1 : (int32_t)ends[i];
    return 1;
}

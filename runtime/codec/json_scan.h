#pragma once
/* Where the tokens of a short and plain JSON document begin: json_index's quick way for the usual
 * record, without the fixed cost of a call of simdjson. Plain is: printable ASCII only, no
 * backslash, all strings closed. Any other document is left to simdjson, which says what is wrong
 * with it. Tokens are the same as simdjson's (test_codec_fuzz compares them). thread: any */
#include <stddef.h>
#include <stdint.h>

enum {
    JSON_SCAN_BYTES = 512, /* longest document worth trying */
    JSON_SCAN_TOKENS = JSON_SCAN_BYTES + 64,
};

#ifdef __cplusplus
extern "C" {
#endif

/* Find the tokens of `text` (0 < len <= JSON_SCAN_BYTES) and put `len` twice behind them; returns
 * their number, 0: not a plain document. Bytes behind `len` are not read. `tokens`: room for
 * JSON_SCAN_TOKENS. */
typedef uint32_t json_scan(const char *text, size_t len, uint32_t *tokens);

/* The scan for this processor; NULL: there is none. */
json_scan *json_scan_choose(void);

#ifdef __cplusplus
}
#endif

/* The text of a script → its plan, as `sluice check` makes it: whatever it is, a plan or a message,
 * and no more time and memory than loading may take. */
#include <stdint.h>

#include "runtime/base/err.h"
#include "runtime/script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    script *s = NULL;
    const char *text = len ? (const char *)data : "";
    err *e = script_open(&(script_options){ .path = "fuzz.lua",
                                            .text = text,
                                            .text_len = len,
                                            .load_timeout_ms = 250,
                                            .load_memory_bytes = 64 << 20 },
                         &s);
    if (e && !e->message[0]) __builtin_trap();
    err_free(e);
    script_close(s);
    return 0;
}

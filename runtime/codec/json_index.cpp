#include "runtime/codec/json_index.h"

#include <cstring>
#include <memory>
#include <new>

#include <simdjson.h>

#include "runtime/codec/json_scan.h"

namespace {
constexpr size_t USUAL_BYTES = 64 * 1024;
constexpr size_t LARGE_BYTES = 1024 * 1024;
constexpr size_t DEPTH = 1; /* of simdjson's second stage, which is not used */
} // namespace

struct json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stages; /* owned */
    json_scan *scan = json_scan_choose();
    uint32_t scanned[JSON_SCAN_TOKENS];
};

json_index *json_index_new(void) {
    auto *index = new (std::nothrow) json_index;
    if (!index) return nullptr;
    auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        USUAL_BYTES, DEPTH, index->stages);
    if (!error) return index;
    delete index;
    return nullptr;
}

void json_index_free(json_index *index) {
    delete index;
}

/* Hold memory for `len` bytes: grow by doubling, fall back when a large document has passed. */
static bool fit(json_index *index, size_t len) {
    size_t room = index->stages->capacity();
    if (len <= room && (room <= LARGE_BYTES || len > LARGE_BYTES)) return true;
    size_t want = USUAL_BYTES;
    while (want < len) want *= 2;
    return !index->stages->set_capacity(want);
}

/* simdjson's way, for every document. */
static json_index_status make_any(json_index *index, const char *text, size_t len,
                                  json_tokens *tokens) {
    if (!fit(index, len)) return JSON_INDEX_ROOM;
    auto &stages = *index->stages;
    auto error = stages.stage1(reinterpret_cast<const uint8_t *>(text), len,
                               simdjson::stage1_mode::regular);
    tokens->at = stages.structural_indexes.get();
    tokens->count = stages.n_structural_indexes;
    tokens->has_escapes = std::memchr(text, '\\', len) != nullptr;
    switch (error) {
    case simdjson::SUCCESS: return JSON_INDEX_OK;
    case simdjson::UTF8_ERROR: return JSON_INDEX_UTF8;
    case simdjson::UNESCAPED_CHARS: return JSON_INDEX_CONTROL;
    case simdjson::EMPTY: return JSON_INDEX_EMPTY;
    default: return JSON_INDEX_UNCLOSED;
    }
}

json_index_status json_index_make(json_index *index, const char *text, size_t len,
                                  json_tokens *tokens) {
    if (!len) return JSON_INDEX_EMPTY;
    if (len > JSON_SCAN_BYTES || !index->scan) return make_any(index, text, len, tokens);
    tokens->at = index->scanned;
    tokens->count = index->scan(text, len, index->scanned);
    tokens->has_escapes = false;
    return tokens->count ? JSON_INDEX_OK : make_any(index, text, len, tokens);
}

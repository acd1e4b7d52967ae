#pragma once
/* One line of comma-separated values a record: the format "csv" of codec.h, by RFC 4180. Options
 * (sl_source.format_options): `columns`, the names in order, unless the first record of each
 * partition has them (sl_source.has_header); `delimiter`, `quote` (one byte each; quote "": none),
 * `null`, the text that means null where it stands without quotes. */
#include "runtime/codec/codec.h"

extern const codec_ops codec_csv;

#pragma once
/* Values as they came: the format "raw" of codec.h. A field of the value takes all of it, by its
 * type (field_put_plain). Records without a value are read, too: their keys, headers and metadata
 * are there, the value is null. */
#include "runtime/codec/codec.h"

extern const codec_ops codec_raw;

#pragma once
/* JSON values and keys: the format "json" of codec.h. */
#include "runtime/codec/codec.h"

extern const codec_ops codec_json;

#pragma once
/* Kafka as a source (sl_source_ops): positions are the caller's, nothing is committed, no group is
 * joined. Options: topics (text or list) or pattern (a regular expression; `without`: a list of
 * topics that never match), start, isolation, on_data_loss, and those of kafka_client.h. */
#include "runtime/shared/connect.h"

extern const sl_source_ops kafka_source_ops;

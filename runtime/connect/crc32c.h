#pragma once
/* CRC-32C (Castagnoli), as Kafka's record batches carry it (KIP-98). By the processor's instruction
 * where it has one, else by tables. thread: any. */
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t len);

/* The same by tables, for tests. */
uint32_t crc32c_by_table(const void *data, size_t len);

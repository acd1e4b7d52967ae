#include "runtime/connect/kafka_fate.h"

#include <stddef.h>

typedef struct known_code {
    rd_kafka_resp_err_t code;
    kafka_fate fate; /* whatever the flags say */
    const char *advice;
} known_code;

/* Measured by injecting each error at each request (exactly-once facts, 1.2). `_FENCED` does not
 * mean "somebody else": a pause or an outage longer than the transaction's timeout ends so, too. */
/* clang-format off */
static const known_code codes[] = {
    { RD_KAFKA_RESP_ERR__FENCED,                     KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR_PRODUCER_FENCED,             KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,      KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,           KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR__FATAL,                      KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR__STATE,                      KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR__CONFLICT,                   KAFKA_FATE_LOST, "" },
    { RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,          KAFKA_FATE_FENCED, "" },
    { RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,          KAFKA_FATE_FENCED, "" },
    { RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,           KAFKA_FATE_FENCED, "" },
    { RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,   KAFKA_FATE_STOP,
      "the broker's offset.metadata.max.bytes must be 200 or more" },
    { RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,  KAFKA_FATE_STOP,
      "check the account's rights: Read on the consumer group" },
    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,  KAFKA_FATE_STOP,
      "check the account's rights: Write on the output topics, Read on the input topics" },
    { RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KAFKA_FATE_STOP,
      "check the account's rights: Write and Describe on the TransactionalId of that name; or set "
      "delivery = \"at-least-once\"" },
    { RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, KAFKA_FATE_STOP,
      "check the account's rights: IdempotentWrite on the cluster" },
    { RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, KAFKA_FATE_STOP,
      "the broker's transaction.max.timeout.ms is below the pipeline's: raise it, or lower "
      "transaction.timeout.ms in the option `config`" },
    { RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,        KAFKA_FATE_STOP,
      "the broker is too old for transactions: use Kafka 0.11 or newer, or set "
      "delivery = \"at-least-once\"" },
    { RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,         KAFKA_FATE_STOP,
      "the broker is too old for transactions: use Kafka 0.11 or newer, or set "
      "delivery = \"at-least-once\"" },
};
/* clang-format on */

kafka_fate kafka_fate_of(rd_kafka_resp_err_t code, bool is_fatal, bool must_abort,
                         bool is_retriable, const char **advice) {
    *advice = "";
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code != code) continue;
        *advice = codes[i].advice;
        return codes[i].fate;
    }
    if (is_fatal) return KAFKA_FATE_LOST;
    if (must_abort) return KAFKA_FATE_ABORT;
    return is_retriable ? KAFKA_FATE_AGAIN : KAFKA_FATE_LOST;
}

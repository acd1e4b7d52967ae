/* What the Kafka ledger decides without a broker: lists of offsets, and what errors mean. The rest
 * is tested against a real Kafka: tests/e2e/test_transactions*.py. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/connect/kafka_fate.h"
#include "runtime/connect/kafka_marks.h"

typedef rd_kafka_topic_partition_list_t list;

static list *of(const char *pointer, uint32_t count, int64_t offset) {
    const sl_mark marks[] = { { .topic = "b", .partition = 1, .offset = offset },
                              { .topic = "a", .partition = 10, .offset = offset },
                              { .topic = "b", .partition = 0, .offset = offset } };
    return kafka_marks_list(pointer, marks, count);
}

static kafka_difference compare(list *committed, list *wanted, list *known, const char *seen) {
    buf text;
    buf_init(&text);
    kafka_difference how = kafka_marks_compare(committed, wanted, known, &text);
    if (seen && !strstr(buf_text(&text), seen)) print_error("%s\n", buf_text(&text));
    if (seen) assert_non_null(strstr(buf_text(&text), seen));
    buf_done(&text);
    kafka_marks_free(committed);
    kafka_marks_free(wanted);
    kafka_marks_free(known);
    return how;
}

static void lists_are_sorted(void **state) {
    list *all = of("p", 3, 7);
    (void)state;
    assert_string_equal(all->elems[0].topic, "a");
    assert_int_equal(all->elems[1].partition, 0);
    assert_int_equal(all->elems[2].partition, 1);
    assert_int_equal(all->elems[2].metadata_size, 1);
    kafka_marks_free(all);
}

static void the_same_is_the_same(void **state) {
    (void)state;
    assert_int_equal(compare(of("p", 3, 7), of("p", 3, 7), of("", 0, 0), NULL), KAFKA_SAME);
    assert_int_equal(compare(of("", 0, 0), of("", 0, 0), of("", 0, 0), NULL), KAFKA_SAME);
}

static void every_difference_is_seen(void **state) {
    (void)state;
    assert_int_equal(compare(of("p2", 3, 7), of("p1", 3, 7), of("", 0, 0),
                             "topic a partition 10 has offset 7 with `p2`, committed last was "
                             "offset 7 with `p1`"),
                     KAFKA_MOVED);
    assert_int_equal(compare(of("p", 3, 8), of("p", 3, 7), of("", 0, 0), "has offset 8"),
                     KAFKA_MOVED);
    assert_int_equal(compare(of("", 3, 7), of("p", 3, 7), of("", 0, 0), "offset 7 with ``"),
                     KAFKA_FOREIGN);
    assert_int_equal(compare(of("x", 3, 7), of("p", 3, 7), of("", 0, 0), "offset 7 with `x`"),
                     KAFKA_FOREIGN);
    assert_int_equal(compare(of("p", 2, 7), of("p", 3, 7), of("", 0, 0), "partition 0 has nothing"),
                     KAFKA_GONE);
    assert_int_equal(compare(of("p", 3, -1001), of("p", 3, 7), of("", 0, 0), "has nothing"),
                     KAFKA_GONE);
}

static void what_is_there_beside_it_must_be_known(void **state) {
    (void)state;
    assert_int_equal(compare(of("p", 3, 7), of("p", 2, 7), of("", 0, 0), "last was nothing"),
                     KAFKA_MOVED);
    assert_int_equal(compare(of("p", 3, 7), of("p", 2, 7), of("", 3, 0), NULL), KAFKA_SAME);
    /* nothing was committed: what another process has in the meantime is not ours */
    assert_int_equal(compare(of("p", 1, 7), of("", 0, 0), of("", 0, 0), "topic b partition 1"),
                     KAFKA_MOVED);
}

static void a_partition_without_an_offset_is_not_there(void **state) {
    (void)state;
    assert_int_equal(compare(of("p", 3, -1001), of("", 0, 0), of("", 0, 0), NULL), KAFKA_SAME);
}

static void joined_lists_have_each_partition_once(void **state) {
    list *more = of("p", 3, 7), *joined = kafka_marks_join(of("p", 2, 7), more);
    (void)state;
    assert_int_equal(joined->cnt, 3);
    assert_int_equal(joined->elems[1].partition, 0);
    kafka_marks_free(more);
    kafka_marks_free(joined);
}

/* The classes measured by injecting each error (facts: exactly-once, 1.2). */
static void errors_have_their_fate(void **state) {
    enum { FATAL = 1,
           ABORT,
           RETRIABLE };
    static const struct {
        rd_kafka_resp_err_t code;
        int flag;
        kafka_fate fate;
    } known[] = {
        { RD_KAFKA_RESP_ERR__FENCED, FATAL, KAFKA_FATE_LOST },
        { RD_KAFKA_RESP_ERR__FENCED, ABORT, KAFKA_FATE_LOST }, /* not: abort, and again */
        { RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ABORT, KAFKA_FATE_LOST },
        { RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, FATAL, KAFKA_FATE_LOST },
        { RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, ABORT, KAFKA_FATE_LOST },
        { RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, ABORT, KAFKA_FATE_LOST },
        { RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, ABORT, KAFKA_FATE_ABORT },
        { RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, FATAL, KAFKA_FATE_LOST },
        { RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, ABORT, KAFKA_FATE_ABORT },
        { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ABORT, KAFKA_FATE_ABORT },
        { RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ABORT, KAFKA_FATE_FENCED },
        { RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ABORT, KAFKA_FATE_FENCED },
        { RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ABORT, KAFKA_FATE_FENCED },
        { RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, ABORT, KAFKA_FATE_STOP },
        { RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ABORT, KAFKA_FATE_STOP },
        { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ABORT, KAFKA_FATE_STOP },
        { RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FATAL, KAFKA_FATE_STOP },
        { RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, FATAL, KAFKA_FATE_STOP },
        { (rd_kafka_resp_err_t)120, ABORT, KAFKA_FATE_ABORT }, /* TRANSACTION_ABORTABLE, KIP-890 */
        { RD_KAFKA_RESP_ERR__TIMED_OUT, RETRIABLE, KAFKA_FATE_AGAIN },
        { RD_KAFKA_RESP_ERR__TIMED_OUT, 0, KAFKA_FATE_LOST },
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *advice;
        kafka_fate fate = kafka_fate_of(known[i].code, known[i].flag == FATAL,
                                        known[i].flag == ABORT, known[i].flag == RETRIABLE,
                                        &advice);
        assert_int_equal(fate, known[i].fate);
        assert_true((fate == KAFKA_FATE_STOP) == (*advice != 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_sorted),
        cmocka_unit_test(the_same_is_the_same),
        cmocka_unit_test(every_difference_is_seen),
        cmocka_unit_test(what_is_there_beside_it_must_be_known),
        cmocka_unit_test(a_partition_without_an_offset_is_not_there),
        cmocka_unit_test(joined_lists_have_each_partition_once),
        cmocka_unit_test(errors_have_their_fate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

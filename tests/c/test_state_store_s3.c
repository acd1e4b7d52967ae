/* The s3: store against a server that answers as told: what it asks, and what it makes of answers
 * that a well-behaved server does not give. The suite of all stores runs against a real one
 * (tests/e2e/test_stores.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <time.h>

#include <cmocka.h>

#include "http_kit.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "state/store_s3.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define REFUSED "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
#define BUSY "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
#define OF_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct bench {
    http_kit kit;
    sl_value items[5];
    sl_value options;
    store_config config;
    logger log;
    int log_fds[2];
    store s;
    buf out;
    bool flag; /* `exists`, `missing` */
} bench;

static sl_value text_option(const char *name, const char *text) {
    return (sl_value){ .name = { .data = name, .len = (uint32_t)strlen(name) },
                       .kind = SL_TEXT,
                       .text = { .data = text, .len = (uint32_t)strlen(text) } };
}

static void begin(bench *b, const char *const *answers) {
    *b = (bench){ 0 };
    kit_start(&b->kit, answers);
    assert_int_equal(pipe2(b->log_fds, O_NONBLOCK), 0);
    log_init(&b->log, b->log_fds[1], LOG_LOGFMT, LOG_INFO);
    b->items[0] = text_option("endpoint", b->kit.endpoint);
    b->items[1] = text_option("region", "eu-central-1");
    b->items[2] = text_option("access_key", "AKID");
    b->items[3] = text_option("secret_key", "hunter2");
    b->options = (sl_value){ .kind = SL_TABLE, .item_count = 4, .items = b->items };
    b->config = (store_config){ .url = "s3://bkt/some/folder/", .options = &b->options };
    b->config.log = &b->log;
    b->config.patience_ms = 400;
    assert_null(store_open(&b->config, &b->s));
}

static void end(bench *b, int requests) {
    assert_int_equal(b->kit.count, requests);
    store_close(&b->s);
    buf_done(&b->out);
    log_done(&b->log);
    close(b->log_fds[0]);
    close(b->log_fds[1]);
    kit_stop(&b->kit);
}

static err *put(bench *b, int32_t how) {
    return b->s.ops->put(b->s.handle, "p/x", "bytes", 5, how, &b->flag);
}

static err *get(bench *b) {
    buf_reset(&b->out);
    return b->s.ops->get(b->s.handle, "p/x", &b->out, &b->flag);
}

static void ok(err *e) {
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

static void fails(err *e, bool is_retriable, const char *words) {
    assert_non_null(e);
    if (!strstr(e->message, words)) print_error("%s\n", e->message);
    assert_non_null(strstr(e->message, words));
    assert_null(strstr(e->message, "hunter2"));
    assert_int_equal(e->code, ERR_IO);
    assert_int_equal(e->retriable, is_retriable);
    err_free(e);
}

static void assert_asked(bench *b, int n, const char *words) {
    if (!strcasestr(kit_asked(&b->kit, n), words)) {
        print_error("no `%s` in %s\n", words, kit_asked(&b->kit, n));
    }
    assert_non_null(strcasestr(kit_asked(&b->kit, n), words));
}

static void requests_are_signed_and_carry_their_digest(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ OK, OK, NULL });
    ok(put(&b, STORE_REPLACE));
    ok(get(&b));
    assert_asked(&b, 0, "PUT /bkt/some/folder/p/x HTTP/1.1\r\n");
    assert_asked(&b, 0, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/");
    assert_asked(&b, 0, "/eu-central-1/s3/aws4_request, SignedHeaders=content-type;host;"
                        "x-amz-content-sha256;x-amz-date, ");
    // sha256 of "bytes"
    assert_asked(&b, 0, "\r\nx-amz-content-sha256: "
                        "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9\r\n");
    assert_asked(&b, 0, "\r\nContent-Length: 5\r\n");
    assert_null(strcasestr(kit_asked(&b.kit, 0), "\r\nIf-None-Match:"));
    assert_null(strcasestr(kit_asked(&b.kit, 0), "security-token"));
    assert_asked(&b, 1, "GET /bkt/some/folder/p/x HTTP/1.1\r\n");
    assert_asked(&b, 1, "\r\nx-amz-content-sha256: " OF_EMPTY "\r\n");
    end(&b, 2);
}

static void a_new_object_is_put_under_a_condition_that_was_tried_out(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ OK, REFUSED, OK, REFUSED, NULL });
    ok(put(&b, STORE_NEW));
    assert_false(b.flag);
    ok(put(&b, STORE_NEW));
    assert_true(b.flag);
    assert_asked(&b, 0, "PUT /bkt/some/folder/.probe HTTP/1.1\r\n");
    assert_asked(&b, 0, "\r\nIf-None-Match: *\r\n");
    assert_asked(&b, 1, "PUT /bkt/some/folder/.probe HTTP/1.1\r\n");
    assert_asked(&b, 2, "PUT /bkt/some/folder/p/x HTTP/1.1\r\n");
    assert_asked(&b, 2, "\r\nIf-None-Match: *\r\n");
    end(&b, 4);
}

static void a_probe_of_an_earlier_start_is_enough(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ REFUSED, OK, NULL });
    ok(put(&b, STORE_NEW));
    end(&b, 2);
}

#define NO_KEY \
    "HTTP/1.1 404 Not Found\r\nContent-Length: 37\r\n\r\n<Error><Code>NoSuchKey</Code></Error>"
#define FOUND "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytes"
#define OTHER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"

static void a_server_without_conditions_is_warned_of_and_looked_at_first(void **state) {
    (void)state;
    bench b;
    char line[512] = "";
    begin(&b, (const char *[]){ OK, OK, OK, NO_KEY, OK, OTHER, NULL });
    ok(put(&b, STORE_NEW));
    assert_false(b.flag);
    assert_asked(&b, 3, "GET /bkt/some/folder/p/x ");
    assert_asked(&b, 4, "PUT /bkt/some/folder/p/x ");
    assert_null(strcasestr(kit_asked(&b.kit, 4), "\r\nIf-None-Match:"));
    ok(put(&b, STORE_NEW));
    assert_true(b.flag);
    assert_true(read(b.log_fds[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "does not know If-None-Match"));
    end(&b, 6);
}

#define UNKNOWN                                                  \
    "HTTP/1.1 501 Not Implemented\r\nContent-Length: 42\r\n\r\n" \
    "<Error><Code>NotImplemented</Code></Error>"

static void without_conditions_nothing_keeps_a_second_process_out(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ OK, OK, OK, NULL });
    err *e = b.s.ops->guard(b.s.handle);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_PLAN);
    assert_non_null(strstr(e->message, "conditional_puts = false"));
    err_free(e);
    end(&b, 3);
    begin(&b, (const char *[]){ REFUSED, NULL });
    ok(b.s.ops->guard(b.s.handle));
    end(&b, 1);
}

/* Nor is the server asked about it any more. */
static void a_user_may_say_that_it_is_known(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ NO_KEY, OK, NULL });
    store_close(&b.s);
    b.items[4] = (sl_value){ .name = { .data = "conditional_puts", .len = 16 }, .kind = SL_FLAG };
    b.options.item_count = 5;
    assert_null(store_open(&b.config, &b.s));
    ok(b.s.ops->guard(b.s.handle));
    ok(put(&b, STORE_NEW));
    assert_asked(&b, 1, "PUT /bkt/some/folder/p/x ");
    assert_null(strcasestr(kit_asked(&b.kit, 1), "\r\nIf-None-Match:"));
    end(&b, 2);
}

static void a_server_that_refuses_conditions_as_such(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ UNKNOWN, OK, NO_KEY, OK, NULL });
    ok(put(&b, STORE_NEW));
    assert_false(b.flag);
    assert_null(strcasestr(kit_asked(&b.kit, 1), "\r\nIf-None-Match:"));
    end(&b, 4);
    // it was not the condition that it does not know
    begin(&b, (const char *[]){ UNKNOWN, UNKNOWN, NULL });
    fails(put(&b, STORE_NEW), false, "501 NotImplemented");
    end(&b, 2);
}

static void an_answer_that_was_lost_may_meet_its_own_object(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ REFUSED, "!close", REFUSED, FOUND, BUSY, FOUND, BUSY, OTHER,
                                BUSY, NO_KEY, OK, NULL });
    ok(put(&b, STORE_NEW)); // asked again by libcurl itself
    assert_false(b.flag);
    ok(put(&b, STORE_NEW));
    assert_false(b.flag);
    ok(put(&b, STORE_NEW));
    assert_true(b.flag);
    ok(put(&b, STORE_NEW));
    assert_false(b.flag);
    assert_asked(&b, 10, "PUT ");
    end(&b, 11);
}

static void that_is_remembered_from_one_put_to_the_next(void **state) {
    (void)state;
    bench b;
    const char *answers[KIT_ANSWERS] = { REFUSED };
    for (int i = 1; i < KIT_ANSWERS - 1; i++) answers[i] = BUSY;
    begin(&b, answers);
    fails(put(&b, STORE_NEW), true, "503");
    int count = b.kit.count;
    b.kit.answers[count] = FOUND;
    b.kit.answers[count + 1] = REFUSED;
    ok(put(&b, STORE_NEW));
    assert_false(b.flag);
    ok(put(&b, STORE_NEW)); // now it is known how it ended
    assert_true(b.flag);
    end(&b, count + 2);
}

static void what_may_pass_is_asked_again_for_so_long(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ BUSY, "!close", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
                                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole", NULL });
    ok(get(&b));
    assert_string_equal(buf_text(&b.out), "whole");
    end(&b, 5);
    const char *answers[KIT_ANSWERS] = { 0 };
    for (int i = 0; i < KIT_ANSWERS - 1; i++) answers[i] = BUSY;
    begin(&b, answers);
    fails(get(&b), true, "times in 0.4 s: s3://bkt/some/folder/: getting `p/x`: 503");
    assert_true(b.kit.count > 2);
    end(&b, b.kit.count);
}

static void a_server_that_says_how_long_is_left_alone_so_long(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ "HTTP/1.1 503 Slow Down\r\nRetry-After: 1\r\n"
                                "Content-Length: 0\r\n\r\n",
                                FOUND, NULL });
    store_close(&b.s);
    b.config.patience_ms = 5000;
    assert_null(store_open(&b.config, &b.s));
    int64_t begin_ms = clock_steady_ms(&(clock_source){ 0 });
    ok(get(&b));
    assert_in_range(clock_steady_ms(&(clock_source){ 0 }) - begin_ms, 1000, 3000);
    end(&b, 2);
}

static void silence_is_asked_again(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ "!hang", FOUND, NULL });
    store_close(&b.s);
    b.config.patience_ms = 3000; // a third of it without a byte, and it is asked again
    assert_null(store_open(&b.config, &b.s));
    ok(get(&b));
    assert_string_equal(buf_text(&b.out), "bytes");
    end(&b, 2);
}

#define FAULT(status, code, more)                                                              \
    "HTTP/1.1 " status "\r\n" more "\r\n<?xml version=\"1.0\"?>\n<Error><Code>" code "</Code>" \
    "<Message>as\nit is</Message></Error>"
#define TILL_END "Connection: close\r\n"

static void refusals_say_what_to_do(void **state) {
    (void)state;
    static const struct {
        const char *answer, *words;
    } cases[] = {
        { FAULT("404 Not Found", "NoSuchBucket", TILL_END),
          "s3://bkt/some/folder/: getting `p/x`: 404 NoSuchBucket (as it is): make the bucket" },
        { FAULT("404 Not Found", "XAdminUserNotFound", TILL_END), "does not know the access key" },
        { FAULT("403 Forbidden", "InvalidAccessKeyId", TILL_END), "does not know the access key" },
        { FAULT("403 Forbidden", "SignatureDoesNotMatch", TILL_END), "secret key does not belong" },
        { FAULT("403 Forbidden", "AccessDenied", TILL_END), "s3:PutObject" },
        { FAULT("403 Forbidden", "Whatever", TILL_END), "does not let these keys do it" },
        { FAULT("403 Forbidden", "RequestTimeTooSkewed", TILL_END), "clock of this machine" },
        { FAULT("400 Bad Request", "ExpiredToken", TILL_END), "session token has run out" },
        { FAULT("400 Bad Request", "Odd", TILL_END), "400 Odd (as it is)" },
        { FAULT("301 Moved", "PermanentRedirect", "x-amz-bucket-region: us-west-2\r\n" TILL_END),
          "lies in the region us-west-2, asked as in eu-central-1: set `region`" },
        { "HTTP/1.1 400 Bad Request\r\n" TILL_END
          "\r\n<Error><Code>AuthorizationHeaderMalformed</Code><Region>sa-east-1</Region></Error>",
          "lies in the region sa-east-1" },
        { "HTTP/1.1 501 No\r\n" TILL_END "\r\n", "501" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench b;
        begin(&b, (const char *[]){ cases[i].answer, cases[i].answer, NULL });
        fails(get(&b), false, cases[i].words);
        fails(b.s.ops->remove(b.s.handle, "p/x"), false, "removing `p/x`");
        end(&b, 2);
    }
}

static void only_a_key_that_is_not_there_is_missing(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ NO_KEY, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                                NO_KEY,
                                NULL });
    ok(get(&b));
    assert_true(b.flag);
    ok(get(&b));
    assert_true(b.flag);
    ok(b.s.ops->remove(b.s.handle, "p/x"));
    end(&b, 3);
}

static err *note_entry(void *arg, const char *name, int64_t size, int64_t changed_ms) {
    buf_printf(arg, "%s %d %lld|", name, (int)size, (long long)changed_ms);
    return NULL;
}

#define PAGE(more, entries)                                                              \
    "HTTP/1.1 200 OK\r\n" TILL_END "\r\n<ListBucketResult><Name>bkt</Name>" more entries \
    "</ListBucketResult>"
#define ENTRY(key, size)                                                        \
    "<Contents><Key>some/folder/" key "</Key><LastModified>2026-01-02T03:04:05" \
    ".678Z</LastModified><ETag>&quot;x&quot;</ETag><Size>" size "</Size></Contents>"

static void a_listing_is_read_page_by_page(void **state) {
    (void)state;
    bench b;
    buf seen = { 0 };
    begin(&b, (const char *[]){
                  PAGE("<IsTruncated>true</IsTruncated>"
                       "<NextContinuationToken>1/a+=</NextContinuationToken>",
                       ENTRY("p/b", "7") ENTRY("p/.hidden", "1") ENTRY("p/o&amp;o", "1")),
                  PAGE("<IsTruncated>false</IsTruncated>", ENTRY("p/a", "12345678901")), NULL });
    ok(b.s.ops->list(b.s.handle, "p/", note_entry, &seen));
    assert_string_equal(buf_text(&seen), "p/a -539222987 1767323045678|p/b 7 1767323045678|");
    assert_asked(&b, 0, "GET /bkt/?list-type=2&prefix=some%2Ffolder%2Fp%2F HTTP/1.1");
    assert_asked(&b, 1, "GET /bkt/?continuation-token=1%2Fa%2B%3D&list-type=2"
                        "&prefix=some%2Ffolder%2Fp%2F ");
    buf_done(&seen);
    end(&b, 2);
}

static void half_a_listing_is_an_error(void **state) {
    (void)state;
    static const char *const pages[] = { PAGE("<IsTruncated>true</IsTruncated>", ENTRY("p/b", "7")),
                                         "HTTP/1.1 200 OK\r\n" TILL_END "\r\n<html>Hi</html>",
                                         NULL };
    for (int i = 0; pages[i]; i++) {
        bench b;
        buf seen = { 0 };
        begin(&b, (const char *[]){ pages[i], NULL });
        fails(b.s.ops->list(b.s.handle, "p/", note_entry, &seen), false, "listing");
        assert_int_equal(seen.len, 0);
        end(&b, 1);
    }
}

static void nothing_of_the_environment(void) {
    static const char *const names[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION",
                                         "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_PROFILE",
                                         "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE",
                                         "AWS_SHARED_CREDENTIALS_FILE", NULL };
    for (int i = 0; names[i]; i++) unsetenv(names[i]);
}

static void assert_place(const store_config *config, const char *wanted) {
    s3_place p;
    buf seen = { 0 };
    ok(s3_place_read(config, &p));
    buf_printf(&seen, "%s %s %s%s %s:%s", p.region, p.base, p.prefix, p.session_token ? "!" : "",
               p.access_key, p.secret_key);
    assert_string_equal(buf_text(&seen), wanted);
    buf_done(&seen);
    s3_place_done(&p);
}

static void where_it_is_and_who_asks(void **state) {
    (void)state;
    nothing_of_the_environment();
    setenv("AWS_ACCESS_KEY_ID", "a", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    store_config c = { .url = "s3://bkt" };
    assert_place(&c, "us-east-1 https://bkt.s3.us-east-1.amazonaws.com/  a:s");
    setenv("AWS_DEFAULT_REGION", "cn-north-1", 1);
    c.url = "s3://b.k.t//x/y/";
    assert_place(&c, "cn-north-1 https://s3.cn-north-1.amazonaws.com.cn/b.k.t/ x/y/ a:s");
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://localhost:9000/", 1);
    setenv("AWS_SESSION_TOKEN", "t", 1);
    assert_place(&c, "eu-west-1 http://localhost:9000/b.k.t/ x/y/! a:s");
    sl_value items[] = { text_option("endpoint", "https://s3.example"),
                         text_option("access_key", "A"), text_option("secret_key", "S"),
                         text_option("path_style", "") };
    items[3].kind = SL_FLAG;
    sl_value options = { .kind = SL_TABLE, .item_count = 4, .items = items };
    c = (store_config){ .url = "s3://bkt/x", .options = &options };
    assert_place(&c, "eu-west-1 https://bkt.s3.example/ x/ A:S"); // the token is of other keys
    items[3].number = 1;
    assert_place(&c, "eu-west-1 https://s3.example/bkt/ x/ A:S");
}

static void keys_of_a_profile(void **state) {
    (void)state;
    char path[] = "/tmp/sluice-keys-XXXXXX";
    static const char text[] = "[other]\naws_access_key_id = O\naws_secret_access_key=P\n"
                               "[default]\n# aws_access_key_id = no\naws_access_key_id=D \n"
                               "aws_secret_access_key = E/+=\naws_session_token=T\n\n[last]\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    nothing_of_the_environment();
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    store_config c = { .url = "s3://bkt" };
    assert_place(&c, "us-east-1 https://bkt.s3.us-east-1.amazonaws.com/ ! D:E/+=");
    setenv("AWS_PROFILE", "other", 1);
    assert_place(&c, "us-east-1 https://bkt.s3.us-east-1.amazonaws.com/  O:P");
    close(fd);
    unlink(path);
}

static void refuses(const char *url, const char *words) {
    s3_place p;
    err *e = s3_place_read(&(store_config){ .url = url }, &p);
    assert_non_null(e);
    assert_int_equal(e->code, ERR_PLAN);
    if (!strstr(e->message, words)) print_error("%s\n", e->message);
    assert_non_null(strstr(e->message, words));
    assert_null(strstr(e->message, "hunter2"));
    err_free(e);
}

static void what_is_wrong_with_a_place_is_told(void **state) {
    (void)state;
    nothing_of_the_environment();
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere", 1);
    refuses("s3://bkt/x", "no access key; looked for the options access_key and secret_key");
    setenv("AWS_ACCESS_KEY_ID", "me", 1);
    refuses("s3://bkt/x", "no secret key");
    setenv("AWS_SECRET_ACCESS_KEY", "hunter2", 1);
    refuses("s3:bkt/x", "wanted s3://BUCKET/FOLDER");
    refuses("s3://me:hunter2@bkt/x", "wanted s3://BUCKET/FOLDER");
    refuses("s3://", "no bucket's name");
    refuses("s3://bkt/a b", "holds characters");
    refuses("s3://bkt/../x", "holds characters");
    setenv("AWS_ENDPOINT_URL", "localhost:9000", 1);
    refuses("s3://bkt/x", "endpoint is no address");
    setenv("AWS_ENDPOINT_URL", "http://me:hunter2@localhost", 1);
    refuses("s3://bkt/x", "endpoint is no address");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_signed_and_carry_their_digest),
        cmocka_unit_test(a_new_object_is_put_under_a_condition_that_was_tried_out),
        cmocka_unit_test(a_probe_of_an_earlier_start_is_enough),
        cmocka_unit_test(a_server_without_conditions_is_warned_of_and_looked_at_first),
        cmocka_unit_test(without_conditions_nothing_keeps_a_second_process_out),
        cmocka_unit_test(a_user_may_say_that_it_is_known),
        cmocka_unit_test(a_server_that_refuses_conditions_as_such),
        cmocka_unit_test(an_answer_that_was_lost_may_meet_its_own_object),
        cmocka_unit_test(that_is_remembered_from_one_put_to_the_next),
        cmocka_unit_test(what_may_pass_is_asked_again_for_so_long),
        cmocka_unit_test(a_server_that_says_how_long_is_left_alone_so_long),
        cmocka_unit_test(silence_is_asked_again),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(only_a_key_that_is_not_there_is_missing),
        cmocka_unit_test(a_listing_is_read_page_by_page),
        cmocka_unit_test(half_a_listing_is_an_error),
        cmocka_unit_test(where_it_is_and_who_asks),
        cmocka_unit_test(keys_of_a_profile),
        cmocka_unit_test(what_is_wrong_with_a_place_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

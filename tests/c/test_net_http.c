/* Requests over HTTP, against a server that misbehaves as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "http_kit.h"
#include "runtime/base/clock.h"
#include "runtime/net/http.h"

static int64_t now_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

typedef struct bench {
    http_kit kit;
    http *h;
    http_answer a;
    volatile int stop;
} bench;

static void begin(bench *b, const char *const *answers) {
    *b = (bench){ 0 };
    kit_start(&b->kit, answers);
    b->h = http_new(&(http_config){ .stall_ms = 1000, .stop = &b->stop });
}

static void end(bench *b) {
    http_answer_done(&b->a);
    http_free(b->h);
    kit_stop(&b->kit);
}

static err *ask(bench *b, const char *method, const char *body, size_t most) {
    http_request r = { .method = method, .url = b->kit.endpoint, .body = body, .most = most };
    r.body_len = body ? strlen(body) : 0;
    return http_send(b->h, &r, &b->a);
}

static void get(bench *b) {
    err *e = ask(b, "GET", NULL, 0);
    if (e) print_error("%s\n", e->message);
    assert_null(e);
}

static void fails(bench *b, size_t most, bool is_retriable, err_code code, const char *words) {
    err *e = ask(b, "GET", NULL, most);
    assert_non_null(e);
    if (!strstr(e->message, words)) print_error("%s\n", e->message);
    assert_non_null(strstr(e->message, words));
    assert_int_equal(e->code, code);
    assert_int_equal(e->retriable, is_retriable);
    err_free(e);
}

static void an_answer_is_status_headers_and_body(void **state) {
    (void)state;
    bench b;
    const char *value;
    size_t len;
    begin(&b, (const char *[]){ "HTTP/1.1 404 Nope\r\nX-One:  two words \r\nX-One-More: 3\r\n"
                                "Content-Length: 4\r\n\r\nbody",
                                NULL });
    get(&b);
    assert_int_equal(b.a.status, 404);
    assert_string_equal(buf_text(&b.a.body), "body");
    assert_true(http_header(&b.a, "x-one", &value, &len));
    assert_int_equal(len, 9);
    assert_memory_equal(value, "two words", 9);
    assert_false(http_header(&b.a, "x", &value, &len));
    assert_false(http_header(&b.a, "x-two", &value, &len));
    end(&b);
}

static void a_long_body_waits_to_be_asked_for_but_not_long(void **state) {
    (void)state;
    bench b;
    char *body = malloc(3000001);
    memset(body, 'x', 3000000);
    body[3000000] = '\0';
    begin(&b, (const char *[]){ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL });
    int64_t begin_ms = now_ms();
    assert_null(ask(&b, "PUT", body, 0));
    assert_true(now_ms() - begin_ms < 5000); // nobody asks for it here
    assert_int_equal(kit_body_len(kit_asked(&b.kit, 0)), 3000000);
    assert_non_null(strcasestr(kit_asked(&b.kit, 0), "\r\nExpect: 100-continue\r\n"));
    assert_int_equal(strncmp(kit_asked(&b.kit, 0), "PUT / HTTP/1.1\r\n", 16), 0);
    end(&b);
    free(body);
}

static void a_connection_is_used_again(void **state) {
    (void)state;
    bench b;
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    begin(&b, (const char *[]){ answer, answer, answer, NULL });
    for (int i = 0; i < 3; i++) get(&b);
    assert_int_equal(b.kit.connections, 1);
    end(&b);
}

static void a_connection_that_was_closed_meanwhile_is_no_error(void **state) {
    (void)state;
    bench b;
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    begin(&b, (const char *[]){ answer, "!close", answer, NULL });
    get(&b);
    assert_int_equal(b.a.sent, 1);
    get(&b); // libcurl asks again by itself: the connection was an old one
    assert_int_equal(b.a.sent, 2);
    assert_int_equal(b.kit.connections, 2);
    end(&b);
}

static void half_an_answer_is_none(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf",
                                "!close",
                                NULL });
    fails(&b, 0, true, ERR_IO, "127.0.0.1:");
    fails(&b, 0, true, ERR_IO, "127.0.0.1:");
    fails(&b, 0, true, ERR_IO, "127.0.0.1:");
    end(&b);
}

static void nobody_there_may_pass(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ NULL });
    kit_stop(&b.kit);
    fails(&b, 0, true, ERR_IO, "127.0.0.1:");
    http_free(b.h);
    http_answer_done(&b.a);
}

static void an_answer_that_is_too_long_is_cut_off(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnine chars", NULL });
    fails(&b, 8, false, ERR_IO, "longer than 8 bytes");
    end(&b);
}

static void silence_ends(void **state) {
    (void)state;
    bench b;
    begin(&b, (const char *[]){ "!hang", NULL });
    int64_t begin_ms = now_ms();
    fails(&b, 0, true, ERR_IO, "127.0.0.1:");
    assert_in_range(now_ms() - begin_ms, 900, 8000);
    end(&b);
}

static void *ask_to_stop(void *arg) {
    nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    *(volatile int *)arg = 1;
    return NULL;
}

static void a_wait_ends_when_asked_to_stop(void **state) {
    (void)state;
    bench b;
    pthread_t thread;
    begin(&b, (const char *[]){ "!hang", NULL });
    http_free(b.h);
    b.h = http_new(&(http_config){ .stall_ms = 30000, .stop = &b.stop });
    pthread_create(&thread, NULL, ask_to_stop, (void *)&b.stop);
    int64_t begin_ms = now_ms();
    fails(&b, 0, false, ERR_STOPPED, "asked to stop");
    assert_true(now_ms() - begin_ms < 5000);
    pthread_join(thread, NULL);
    end(&b);
}

static void this_machine_is_asked_without_a_proxy(void **state) {
    (void)state;
    bench b;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    begin(&b, (const char *[]){ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL });
    get(&b);
    unsetenv("http_proxy");
    end(&b);
}

static void what_is_no_url_is_told(void **state) {
    (void)state;
    bench b;
    static const char *const bad[] = { "ftp://me:hunter2@127.0.0.1/", "http://",
                                       "file:///etc/passwd", NULL };
    begin(&b, (const char *[]){ NULL });
    for (int i = 0; bad[i]; i++) {
        err *e = http_send(b.h, &(http_request){ .method = "GET", .url = bad[i] }, &b.a);
        assert_non_null(e);
        assert_false(e->retriable);
        assert_null(strstr(e->message, "hunter2"));
        err_free(e);
    }
    end(&b);
}

static void escaping(void **state) {
    (void)state;
    buf out = { 0 };
    http_escape(&out, "a-b._~/+ %\xc3\xa4=&");
    assert_string_equal(buf_text(&out), "a-b._~%2F%2B%20%25%C3%A4%3D%26");
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_status_headers_and_body),
        cmocka_unit_test(a_long_body_waits_to_be_asked_for_but_not_long),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(a_connection_that_was_closed_meanwhile_is_no_error),
        cmocka_unit_test(half_an_answer_is_none),
        cmocka_unit_test(nobody_there_may_pass),
        cmocka_unit_test(an_answer_that_is_too_long_is_cut_off),
        cmocka_unit_test(silence_ends),
        cmocka_unit_test(a_wait_ends_when_asked_to_stop),
        cmocka_unit_test(this_machine_is_asked_without_a_proxy),
        cmocka_unit_test(what_is_no_url_is_told),
        cmocka_unit_test(escaping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The control socket: who may speak, what garbage does, and whose name it is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/cli/control.h"
#include "runtime/cli/control_place.h"

typedef struct kit {
    char folder[32];
    control *control;
    uint64_t waiting; /* a request of `wait` */
} kit;

static void echo(void *arg, control *c, uint64_t request, const char *words) {
    char json[64];
    (void)arg;
    snprintf(json, sizeof json, "{\"words\":%zu}", strlen(words));
    control_answer(c, request, json);
}

static void wait_on(void *arg, control *c, uint64_t request, const char *words) {
    kit *k = arg;
    (void)c, (void)words;
    __atomic_store_n(&k->waiting, request, __ATOMIC_SEQ_CST);
}

static control *open_one(kit *k, const char *name) {
    control *c = control_new();
    control_on(c, "echo", echo, NULL);
    control_on(c, "wait", wait_on, k);
    err *e = control_open(c, name);
    if (e) fail_msg("%s", e->message);
    return c;
}

static int setup(void **state) {
    kit *k = mem_zalloc(1, sizeof *k);
    strcpy(k->folder, "/tmp/sluice-control-XXXXXX");
    assert_non_null(mkdtemp(k->folder));
    setenv("SLUICE_RUN_DIR", k->folder, 1);
    k->control = open_one(k, "counts");
    *state = k;
    return 0;
}

static int teardown(void **state) {
    kit *k = *state;
    control_close(k->control, "{}");
    assert_int_equal(rmdir(k->folder), 0); /* no socket is left */
    mem_free(k);
    return 0;
}

static int connect_to(const char *label) {
    int fd;
    pid_t pid;
    err *e = control_place_connect(label, &fd, &pid);
    if (e) fail_msg("%s", e->message);
    assert_int_equal(pid, getpid());
    return fd;
}

/* The next line, without its end; "": the other side has ended. */
static void read_line(int fd, char *line, size_t room) {
    size_t len = 0;
    while (len + 1 < room && recv(fd, line + len, 1, 0) == 1 && line[len] != '\n') len++;
    line[len] = '\0';
}

static void asks(int fd, const char *request, const char *wanted) {
    char line[512];
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    read_line(fd, line, sizeof line);
    assert_string_equal(line, wanted);
}

static void requests_are_answered_in_order(void **state) {
    (void)state;
    int fd = connect_to("counts");
    char line[64];
    asks(fd, "echo\n", "{\"words\":0}");
    asks(fd, "echo a b\r\necho abcd\n", "{\"words\":3}");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "{\"words\":4}");
    asks(fd, "\n", "{\"error\":\"unknown command ``; there are: echo, wait\"}");
    asks(fd, "\x01\xff\"\n",
         "{\"error\":\"unknown command `\\u0001?\\\"`; there are: echo, wait\"}");
    close(fd);
}

/* `echo status | nc -U …` closes its end at once. */
static void who_has_ended_is_still_answered(void **state) {
    (void)state;
    int fd = connect_to("counts");
    char line[64];
    send(fd, "echo x\n", 7, 0);
    shutdown(fd, SHUT_WR);
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "{\"words\":1}");
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "");
    close(fd);
}

static void a_line_that_does_not_end_is_cut_off(void **state) {
    (void)state;
    int fd = connect_to("counts"), other = connect_to("counts");
    char junk[1000], line[64];
    memset(junk, 'x', sizeof junk);
    ssize_t sent = 0;
    for (int i = 0; i < 100000 && sent >= 0; i++) sent = send(fd, junk, sizeof junk, MSG_NOSIGNAL);
    assert_true(sent < 0); /* it was closed, and did not take all */
    asks(other, "echo x\n", "{\"words\":1}");
    close(fd);
    /* one of the longest that are taken */
    memset(junk, 'y', sizeof junk);
    memcpy(junk, "echo ", 5);
    for (int i = 0; i < 4; i++) send(other, junk, sizeof junk, 0);
    asks(other, "\n", "{\"words\":3995}");
    close(other);
    fd = connect_to("counts"); /* garbage in pieces, with ends in between */
    for (int i = 0; i < 100; i++) send(fd, "\x00\xc3\n", 3, MSG_NOSIGNAL);
    read_line(fd, line, sizeof line);
    assert_string_equal(line, "{\"error\":\"unknown command ``; there are: echo, wait\"}");
    close(fd);
}

static void who_only_sends_holds_nobody_up(void **state) {
    (void)state;
    int greedy = connect_to("counts"), other = connect_to("counts");
    char many[4000];
    for (size_t i = 0; i < sizeof many; i += 5) memcpy(many + i, "echo\n", 5);
    ssize_t sent = 1;
    while (sent > 0) sent = send(greedy, many, sizeof many, MSG_NOSIGNAL | MSG_DONTWAIT);
    asks(other, "echo x\n", "{\"words\":1}"); /* the greedy one never reads */
    close(greedy);
    close(other);
}

static void silent_clients_make_room(void **state) {
    (void)state;
    int idle[2 * CONTROL_CLIENTS];
    for (int i = 0; i < 2 * CONTROL_CLIENTS; i++) {
        idle[i] = connect_to("counts");
        asks(idle[i], "echo x\n", "{\"words\":1}");
    }
    for (int i = 0; i < 2 * CONTROL_CLIENTS; i++) close(idle[i]);
}

static void who_waits_is_told_the_end(void **state) {
    kit *k = *state;
    char line[64];
    int waits = connect_to("counts"), gone = connect_to("counts");
    send(waits, "wait\n", 5, 0);
    send(gone, "wait\n", 5, 0);
    while (!__atomic_load_n(&k->waiting, __ATOMIC_SEQ_CST)) continue;
    close(gone);
    control_answer(k->control, 12345, "{}"); /* nobody's */
    control_close(k->control, "{\"ended\":true}");
    read_line(waits, line, sizeof line);
    assert_string_equal(line, "{\"ended\":true}");
    close(waits);
    k->control = open_one(k, "counts");
}

static void only_the_owner_may_connect(void **state) {
    kit *k = *state;
    char path[64];
    struct stat is;
    snprintf(path, sizeof path, "%s/counts.sock", k->folder);
    assert_int_equal(stat(path, &is), 0);
    assert_int_equal(is.st_mode & 0777, 0600);
}

/* Bind a socket of that name and die. */
static void leave_dead_socket(kit *k, const char *name) {
    pid_t child = fork();
    if (!child) {
        control_place place;
        int listener;
        err_free(control_place_make(&place, name, &listener));
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    (void)k;
}

static void a_dead_process_leaves_its_name(void **state) {
    kit *k = *state;
    int other;
    leave_dead_socket(k, "dead");
    control *c = open_one(k, "dead");
    assert_string_equal(control_label(c, &other), "dead");
    assert_int_equal(other, 0);
    close(connect_to("dead"));
    control_close(c, "{}");
}

static void the_second_of_a_name_has_another(void **state) {
    kit *k = *state;
    int other;
    char label[32];
    control *c = open_one(k, "counts");
    snprintf(label, sizeof label, "counts@%d", (int)getpid());
    assert_string_equal(control_label(c, &other), label);
    assert_int_equal(other, getpid());
    close(connect_to(label));
    buf labels;
    buf_init(&labels);
    control_place_list(&labels);
    assert_int_equal(labels.len, strlen("counts") + strlen(label) + 2);
    assert_string_equal(labels.data, "counts");
    buf_done(&labels);
    control_close(c, "{}");
    close(connect_to("counts"));
}

static void the_second_takes_the_name_once_it_is_free(void **state) {
    kit *k = *state;
    int other;
    control *first = open_one(k, "twice"), *second = open_one(k, "twice");
    assert_string_not_equal(control_label(second, &other), "twice");
    assert_false(control_take_name(second, "twice"));
    control_close(first, "{}");
    assert_true(control_take_name(second, "twice"));
    assert_string_equal(control_label(second, &other), "twice");
    assert_int_equal(other, 0);
    close(connect_to("twice"));
    control *third = open_one(k, "twice");
    control_label(third, &other);
    assert_int_equal(other, getpid());
    control_close(third, "{}");
    close(connect_to("twice"));
    control_close(second, "{}");
}

/* Names have up to 200 bytes, sun_path 108. */
static void long_names_and_folders(void **state) {
    kit *k = *state;
    char name[201], folder[200];
    int other;
    memset(name, 'n', 200);
    name[200] = '\0';
    control *c = open_one(k, name);
    assert_string_equal(control_label(c, &other), name);
    close(connect_to(name));
    name[199] = 'm'; /* alike in what of it is shown */
    control *second = open_one(k, name);
    control_label(second, &other);
    assert_int_equal(other, 0);
    control_close(second, "{}");
    control_close(c, "{}");
    memset(folder, 0, sizeof folder);
    snprintf(folder, sizeof folder, "%s/", k->folder);
    memset(folder + strlen(folder), 'f', 120);
    setenv("SLUICE_RUN_DIR", folder, 1);
    c = open_one(k, "far");
    close(connect_to("far"));
    control_close(c, "{}");
    assert_int_equal(rmdir(folder), 0);
    setenv("SLUICE_RUN_DIR", k->folder, 1);
}

static void a_folder_of_all_is_refused(void **state) {
    kit *k = *state;
    control_place place;
    int listener, fd;
    pid_t pid;
    chmod(k->folder, 0777);
    err *e = control_place_make(&place, "open", &listener);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "others can write there"));
    err_free(e);
    e = control_place_connect("counts", &fd, &pid);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "no pipeline called `counts` runs here"));
    err_free(e);
    chmod(k->folder, 0700);
    e = control_place_connect("../counts", &fd, &pid);
    assert_non_null(e);
    assert_non_null(strstr(e->message, "there are: counts"));
    err_free(e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered_in_order),
        TEST(who_has_ended_is_still_answered),
        TEST(a_line_that_does_not_end_is_cut_off),
        TEST(who_only_sends_holds_nobody_up),
        TEST(silent_clients_make_room),
        TEST(who_waits_is_told_the_end),
        TEST(only_the_owner_may_connect),
        TEST(a_dead_process_leaves_its_name),
        TEST(the_second_of_a_name_has_another),
        TEST(the_second_takes_the_name_once_it_is_free),
        TEST(long_names_and_folders),
        TEST(a_folder_of_all_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

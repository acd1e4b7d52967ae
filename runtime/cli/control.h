#pragma once
/* The local socket of a running pipeline: `sluice status`, `stop` and `reload` speak to it. A
 * client sends lines "COMMAND WORDS…", and gets a line of JSON for each, one after the other; the
 * connection stays open until either ends it:
 *
 *   echo status | nc -U FOLDER/NAME.sock
 *
 * A thread of its own reads and writes; nothing here waits for a batch, or holds one up. What comes
 * in is not trusted: lines, clients and the time in which a client is silent have limits. */
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

enum { CONTROL_CLIENTS = 32,      /* at a time; one more takes the place of the one idle longest */
       CONTROL_LINE_BYTES = 4096, /* longest request */
       CONTROL_COMMANDS = 8 };

typedef struct control control;

/* A client asks. It is answered once, by control_answer, now or later: nothing must wait here,
 * since all other clients would. `words`: behind the command, borrowed. thread: the control's. */
typedef void control_command(void *arg, control *c, uint64_t request, const char *words);

/* Called now and then while requests wait for an answer. thread: the control's. */
typedef void control_turn(void *arg, control *c);

control *control_new(void);

/* One command; `name` is borrowed for good. Before control_open. */
void control_on(control *c, const char *name, control_command *run, void *arg);
void control_on_turn(control *c, control_turn *turn, void *arg);

/* Make the socket for the pipeline `name` and begin to answer. ERR_IO: there is none, and why. */
err *control_open(control *c, const char *name);

/* What commands call the pipeline: its name, or NAME@PID where process `*other` has that already;
 * borrowed. */
const char *control_label(const control *c, int *other);

/* Where another process has the name: take it, once it is free. False: it is not. The label changes
 * then: nobody else must be in control_label. */
bool control_take_name(control *c, const char *name);

/* Answer a request; `json`: a value in one line. One whose client has gone is forgotten. thread:
 * any. */
void control_answer(control *c, uint64_t request, const char *json);

/* Whether somebody still waits for the answer. thread: any. */
bool control_is_waiting(control *c, uint64_t request);

/* End; requests that still wait are answered with `json`. NULL is allowed. */
void control_close(control *c, const char *json);

#pragma once
/* The commands. Each gives the process's exit code. */
#include "runtime/cli/args.h"

int command_run(const args *a);
int command_check(const args *a);
int command_try(const args *a);
int command_new(const args *a);
int command_schema_infer(const args *a);
int command_test(const args *a);
int command_checkpoint_ls(const args *a);
int command_checkpoint_verify(const args *a);
int command_checkpoint_rollback(const args *a);
int command_checkpoint_recover(const args *a);
int command_checkpoint_gc(const args *a);
int command_checkpoint_fork(const args *a);
int command_checkpoint_export(const args *a);
int command_checkpoint_import(const args *a);
int command_state_ls(const args *a);
int command_state_get(const args *a);
int command_state_diff(const args *a);
int command_why(const args *a);
int command_replay(const args *a);
int command_lag(const args *a);
int command_status(const args *a);
int command_stop(const args *a);
int command_reload(const args *a);
void command_version(void);

/* Print the error (taken) and give its exit code: 2 for wrong usage, script or plan, else 1. */
int command_failed(err *e);

/* The exit code alone. */
int command_code(const err *e);

/* End the process at once, nothing is cleaned up. Safe in a signal handler and on any thread. */
void command_end_now(int code);

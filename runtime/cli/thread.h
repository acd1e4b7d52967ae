#pragma once
/* Threads of the command line. */
#include <pthread.h>
#include <stdbool.h>

/* Start a thread that no signal is delivered to: they are for main, whose waits they end. */
bool thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

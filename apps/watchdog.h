/* SPDX-License-Identifier: Apache-2.0 */
/* Ends the program when work stands still, as it does where a file system hangs: a job of many processes would wait for
 * this one for ever. */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include "cli.h"

#include <pthread.h>

typedef struct watchdog {
    double seconds; /* without a step; 0: there is no watchdog */
    /* Says what is being done; called in a thread of its own. */
    void (*where)(void *user, char *text, size_t size);
    void *user;
    pthread_t thread;
    pthread_mutex_t lock; /* of the next two */
    pthread_cond_t over;
    int steps, ended;
} watchdog;

/* After so many seconds without a step it prints "no progress for S s: WHERE" and ends the program, EXIT_FAILED. */
int watchdog_start(watchdog *dog, cli_failure *failure);
void watchdog_step(watchdog *dog);
void watchdog_stop(watchdog *dog);

#endif

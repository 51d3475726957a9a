/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that do one task together: one thread cannot fill a fast file system. */
#ifndef CREW_H
#define CREW_H

#include "cli.h"

#include <pthread.h>

enum { crew_most = 8 };

/* Does part `part` of `parts`. */
typedef void (*crew_task)(void *data, int part, int parts);

typedef struct crew {
    int count; /* threads beside the one that calls crew_run */
    pthread_t threads[crew_most];
    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t begun, done;
    crew_task task;
    void *data;
    int round, joined, busy, ended;
} crew;

/* A crew of so many threads, the caller's included. To be stopped after a failure too. */
int crew_start(crew *c, int threads, cli_failure *failure);

/* Does all parts and returns when they are done. */
void crew_run(crew *c, crew_task task, void *data);

void crew_stop(crew *c);

/* pthread_create without signals for the thread, which are the main thread's; an error number. */
int crew_thread(pthread_t *thread, void *(*run)(void *), void *data);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for one task; see crew.h. */
#include "crew.h"

#include <signal.h>
#include <string.h>

int crew_thread(pthread_t *thread, void *(*run)(void *), void *data) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void *work(void *argument) {
    crew *c = argument;
    pthread_mutex_lock(&c->lock);
    const int part = ++c->joined;
    for (int round = 0;;) {
        while (c->round == round && !c->ended)
            pthread_cond_wait(&c->begun, &c->lock);
        if (c->ended)
            break;
        round = c->round;
        pthread_mutex_unlock(&c->lock);
        c->task(c->data, part, c->count + 1);
        pthread_mutex_lock(&c->lock);
        if (--c->busy == 0)
            pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

int crew_start(crew *c, int threads, cli_failure *failure) {
    *c = (crew){.count = 0};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->begun, NULL);
    pthread_cond_init(&c->done, NULL);
    while (c->count < threads - 1) {
        const int error = crew_thread(&c->threads[c->count], work, c);
        if (error)
            return fail(failure, EXIT_FAILED, "cannot start a thread: %s", strerror(error));
        c->count++;
    }
    return EXIT_DONE;
}

void crew_run(crew *c, crew_task task, void *data) {
    pthread_mutex_lock(&c->lock);
    c->task = task;
    c->data = data;
    c->busy = c->count;
    c->round++;
    pthread_cond_broadcast(&c->begun);
    pthread_mutex_unlock(&c->lock);
    task(data, 0, c->count + 1);
    pthread_mutex_lock(&c->lock);
    while (c->busy)
        pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void crew_stop(crew *c) {
    pthread_mutex_lock(&c->lock);
    c->ended = 1;
    pthread_cond_broadcast(&c->begun);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->count; i++)
        pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->begun);
    pthread_mutex_destroy(&c->lock);
}

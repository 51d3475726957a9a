/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdog; see watchdog.h. */
#include "watchdog.h"

#include "crew.h"
#include "file.h"
#include "team.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first process to end ends the others: each has this long to say where it stands. */
enum { last_words_seconds = 1 };

static void give_up(const watchdog *dog) {
    cli_failure failure = {.command = "conv"};
    char where[200];
    dog->where(dog->user, where, sizeof where);
    fail(&failure, EXIT_FAILED, "no progress for %g s: %s (rank %d of %d, on %s)", dog->seconds, where, team_rank(),
         team_size(), team_host());
    cli_say(&failure, failure.text);
    sleep(last_words_seconds);
    output_unlock_by_file();
    _exit(EXIT_FAILED);
}

static void *watch(void *argument) {
    watchdog *dog = argument;
    pthread_mutex_lock(&dog->lock);
    while (!dog->ended) {
        const struct timespec until = cli_after(dog->seconds);
        const int before = dog->steps;
        int error = 0;
        while (!dog->ended && error != ETIMEDOUT)
            error = pthread_cond_timedwait(&dog->over, &dog->lock, &until);
        if (!dog->ended && dog->steps == before) {
            pthread_mutex_unlock(&dog->lock);
            give_up(dog);
        }
    }
    pthread_mutex_unlock(&dog->lock);
    return NULL;
}

int watchdog_start(watchdog *dog, cli_failure *failure) {
    if (dog->seconds <= 0)
        return EXIT_DONE;
    pthread_mutex_init(&dog->lock, NULL);
    pthread_cond_init(&dog->over, NULL);
    const int error = crew_thread(&dog->thread, watch, dog);
    if (!error)
        return EXIT_DONE;
    dog->seconds = 0;
    return fail(failure, EXIT_FAILED, "cannot start a thread: %s", strerror(error));
}

void watchdog_step(watchdog *dog) {
    if (dog->seconds <= 0)
        return;
    pthread_mutex_lock(&dog->lock);
    dog->steps++;
    pthread_mutex_unlock(&dog->lock);
}

void watchdog_stop(watchdog *dog) {
    if (dog->seconds <= 0)
        return;
    pthread_mutex_lock(&dog->lock);
    dog->ended = 1;
    pthread_cond_signal(&dog->over);
    pthread_mutex_unlock(&dog->lock);
    pthread_join(dog->thread, NULL);
}

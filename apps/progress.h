/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on standard error: only when that is a terminal, only for work of more than a second, redrawn ten
 * times a second at most, and wiped at the end.
 *
 *     [=========>          ]  47%  30/64 images  812 MB/s  3 s left
 *     [=========>          ]  47%  470/1000 problems  120 problems/s  4 s left */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>

typedef struct progress {
    const char *unit; /* what is counted */
    int64_t count;    /* units of the whole job */
    double bytes;     /* moved by the whole job; 0: the rate is in units */
    double started;   /* time; 0: no bar wanted */
    double drawn;     /* time of the last drawing; 0: none yet */
} progress;

void progress_start(progress *bar, const char *unit, int64_t count, double bytes);

/* `done` is the finished part of the job, 0..1. */
void progress_update(progress *bar, double done);

/* Wipes the bar until the next drawing, for a line of output. */
void progress_hide(const progress *bar);

/* Wipes the bar. */
void progress_finish(progress *bar);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar; see progress.h. Each drawing is one write, so that it cannot mix with other lines. */
#include "progress.h"

#include "cli.h"

#include <stdio.h>
#include <unistd.h>

enum { bar_width = 20 };

void progress_start(progress *bar, const char *unit, int64_t count, double bytes) {
    double now = isatty(STDERR_FILENO) ? cli_seconds() : 0;
    *bar = (progress){.unit = unit, .count = count, .bytes = bytes, .started = now};
}

void progress_update(progress *bar, double done) {
    static const char full[] = "===================="; /* bar_width of = */
    double now = bar->started > 0 ? cli_seconds() : 0;
    double seconds = now - bar->started;
    if (bar->started <= 0 || seconds < 1 || now - bar->drawn < 0.1 || done <= 0)
        return;
    int filled = (int)(done * bar_width);
    int moves = bar->bytes > 0;
    double rate = done / seconds * (moves ? bar->bytes * 1e-6 : (double)bar->count);
    fprintf(stderr, "\r[%.*s>%*s] %3.0f%%  %.0f/%lld %s  %.0f %s/s  %.0f s left\033[K", filled, full,
            bar_width - filled, "", 100 * done, done * (double)bar->count, (long long)bar->count, bar->unit, rate,
            moves ? "MB" : bar->unit, seconds * (1 - done) / done);
    bar->drawn = now;
}

void progress_hide(const progress *bar) {
    if (bar->drawn > 0)
        fprintf(stderr, "\r\033[K");
}

void progress_finish(progress *bar) {
    progress_hide(bar);
    bar->started = bar->drawn = 0;
}

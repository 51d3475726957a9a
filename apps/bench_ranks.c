/* SPDX-License-Identifier: Apache-2.0 */
/* Benchmarks by several ranks; see bench_ranks.h. */
#include "bench_ranks.h"

#include "team.h"

#include <inttypes.h>

int bench_part(dwc_problem *whole, int weak, dwc_problem *part, cli_failure *failure) {
    char text[DWC_PROBLEM_TEXT_MAX];
    dwc_error error;
    const int64_t size = team_size(), images = whole->n;
    *part = *whole;
    if (weak) {
        if (__builtin_mul_overflow(images, size, &whole->n))
            return fail(failure, EXIT_USAGE, "--scaling weak: too many images");
        return dwc_problem_geometry(whole, NULL, &error) ? fail_library(failure, "--scaling weak", &error) : EXIT_DONE;
    }
    part->n = images / size + (team_rank() < images % size);
    if (size == 1 || images >= size)
        return EXIT_DONE;
    dwc_problem_print(whole, text, sizeof text);
    return fail(failure, EXIT_USAGE,
                "%s: fewer images than the %" PRId64 " ranks; --batch gives more, --scaling weak gives each rank all",
                text, size);
}

void bench_combine(dwc_bench_result *results, int count) {
    if (team_size() == 1)
        return;
    for (int i = 0; i < count; i++) {
        dwc_bench_result *r = &results[i];
        double worst[] = {r->min_s, r->median_s, r->best_offset_median_s, r->limit_s, r->verification.max_err};
        int64_t least[] = {r->rounds, r->verification.passed};
        team_max(worst, 5);
        team_min(least, 2);
        r->min_s = worst[0], r->median_s = worst[1], r->best_offset_median_s = worst[2], r->limit_s = worst[3];
        r->verification.max_err = worst[4];
        r->rounds = least[0], r->verification.passed = (int)least[1];
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The options that limit which algorithms a plan may use. */
#ifndef PLAN_LIMITS_H
#define PLAN_LIMITS_H

#include "cli.h"
#include "options.h"

#include <stddef.h>

/* All zero: no limits but the library's defaults. */
typedef struct plan_limits {
    int numerics; /* dwc_numerics */
    double max_error;
    int64_t max_workspace; /* as in dwc_plan_options */
    int strict_nonfinite;
} plan_limits;

extern const cli_choice plan_numerics[];

/* A parser of options.h: bytes, where dwc_plan_options has 1 for none. */
int option_workspace(const cli_option *option, const char *text, void *value, cli_failure *failure);

/* Rows of a plan_limits that lies at offset `at` of the command's options. */
/* clang-format off */
#define OPTIONS_LIMITS(at)                                                                                             \
    {.name = "--numerics", .argument = "any|direct",                                                                   \
     .help = "roundings: of any algorithm, or those of 'direct' alone\n[any]", .parse = option_choose,                 \
     .offset = (at) + offsetof(plan_limits, numerics), .choices = plan_numerics},                                      \
    {.name = "--max-error", .argument = "E",                                                                           \
     .help = "no algorithm with a larger error bound: of the largest\ndifference from the exact result, relative to "  \
             "the largest\nsum of |input * filter| [1e-5, f64 1e-13; with the name\nof an algorithm: none]",           \
     .parse = option_positive, .offset = (at) + offsetof(plan_limits, max_error)},                                     \
    {.name = "--max-workspace", .argument = "BYTES",                                                                   \
     .help = "no algorithm that needs more scratch memory, such as 0,\n500K or 2Mi", .parse = option_workspace,        \
     .offset = (at) + offsetof(plan_limits, max_workspace)},                                                           \
    {.name = "--strict-nonfinite",                                                                                     \
     .help = "no algorithm that may spread NaN and infinity beyond the\nwindows that contain them",                    \
     .parse = option_flag, .offset = (at) + offsetof(plan_limits, strict_nonfinite)}
/* clang-format on */

extern const cli_choice plan_caches[];

/* A row of an int, a dwc_cache. */
#define OPTION_CACHE(at)                                                                                               \
    {.name = "--cache", .argument = "auto|warm|cold",                                                                  \
     .help = "tensors are in the caches, or come from memory [auto:\nby their size]", .parse = option_choose,          \
     .offset = (at), .choices = plan_caches}

void plan_limits_set(const plan_limits *limits, dwc_plan_options *options);

#endif

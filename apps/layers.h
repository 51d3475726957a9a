/* SPDX-License-Identifier: Apache-2.0 */
/* The problems a command works on: problem texts, or the lines of a shape file times batches, types and layouts. */
#ifndef LAYERS_H
#define LAYERS_H

#include "cli.h"
#include "options.h"

#include <stddef.h>

typedef struct layer {
    char *network, *name; /* NULL where no shape file gave them */
    dwc_problem problem;
} layer;

typedef struct layer_list {
    layer *layers;
    int64_t count;
} layer_list;

/* "64,1" and the like; most_values values at most. */
enum { most_values = 16 };
typedef struct layer_variants {
    int64_t batches[most_values];
    dwc_dtype dtypes[most_values];
    dwc_layout layouts[most_values];
    int batch_count, dtype_count, layout_count; /* 0: batch 1, f32, nhwc */
} layer_variants;

/* Where a command's problems come from. */
typedef struct layer_source {
    word_list problems;
    const char *shapes;
    layer_variants variants;
} layer_source;

/* Parsers of options.h for the lists of a layer_variants. */
int option_batches(const cli_option *option, const char *text, void *variants, cli_failure *failure);
int option_dtypes(const cli_option *option, const char *text, void *variants, cli_failure *failure);
int option_layouts(const cli_option *option, const char *text, void *variants, cli_failure *failure);

/* Rows of a layer_source that lies at offset `at` of the command's options. */
/* clang-format off */
#define OPTIONS_LAYERS(at)                                                                                             \
    {.name = "PROBLEM...", .argument = "PROBLEM...", .help = "problems, such as f32:nhwc:n1:56x56x128:k3x3",           \
     .parse = option_words, .offset = (at) + offsetof(layer_source, problems), .repeated = 1},                         \
    {.name = "--shapes", .argument = "FILE",                                                                           \
     .help = "layers from a CSV file with the header\nnetwork,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding",                \
     .parse = option_text, .offset = (at) + offsetof(layer_source, shapes)},                                           \
    {.name = "--batch", .argument = "N,...", .help = "batch sizes of the shape file's layers [1]",                     \
     .parse = option_batches, .offset = (at) + offsetof(layer_source, variants)},                                      \
    {.name = "--dtype", .argument = "f16|bf16|f32|f64,...",                                                            \
     .help = "element types of the shape file's layers [f32]", .parse = option_dtypes,                                 \
     .offset = (at) + offsetof(layer_source, variants)},                                                               \
    {.name = "--layout", .argument = "nhwc|nchw,...", .help = "layouts of the shape file's layers [nhwc]",             \
     .parse = option_layouts, .offset = (at) + offsetof(layer_source, variants)}
/* clang-format on */

/* Appends all problems of a source, which must name one: first the texts, then the lines of the shape file (CSV with
 * the header network,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding) in the file's order, each in all its variants. */
int layers_read(layer_list *list, const layer_source *source, cli_failure *failure);

void layers_free(layer_list *list);

#endif

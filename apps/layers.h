/* SPDX-License-Identifier: Apache-2.0 */
/* The problems a command works on: problem texts, or the lines of a shape file times batches, types and layouts. */
#ifndef LAYERS_H
#define LAYERS_H

#include "cli.h"

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

/* Parsers of options.h for the lists of a layer_variants. */
int option_batches(const cli_option *option, const char *text, void *variants, cli_failure *failure);
int option_dtypes(const cli_option *option, const char *text, void *variants, cli_failure *failure);
int option_layouts(const cli_option *option, const char *text, void *variants, cli_failure *failure);

/* Appends one problem. */
int layers_add_text(layer_list *list, const char *text, cli_failure *failure);

/* Appends a shape file: CSV with the header network,layer,H,W,C,kh,kw,sh,sw,dh,dw,M,padding, in the file's order, each
 * line in all its variants. */
int layers_add_file(layer_list *list, const char *path, const layer_variants *variants, cli_failure *failure);

void layers_free(layer_list *list);

#endif

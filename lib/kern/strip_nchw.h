/* SPDX-License-Identifier: Apache-2.0 */
/* How strip_nchw.inc cuts the columns of a problem into strips: what kernels and their cost have in common. */
#ifndef DWC_KERN_STRIP_NCHW_H
#define DWC_KERN_STRIP_NCHW_H

#include "kern/kern.h"

/* Where the inputs of a column of taps come from: two neighbours, cut where the columns are side by side, or are apart;
 * whole rows, lanes picked; loads; as taps_nchw.inc does. */
enum { DWCI_STRIP_CUT, DWCI_STRIP_APART, DWCI_STRIP_PICK, DWCI_STRIP_LOAD, DWCI_STRIP_TAPS };

/* Vectors side by side at most: more taps need the registers. */
#define DWCI_STRIP_MOST(KH, KW) ((KH) * (KW) <= 9 && (KH) <= 5 ? 4 : 2)

/* Of taps_nchw.inc: vectors side by side at most, columns of taps that share a load of a sum. */
enum { DWCI_TAPS_SIDE = 2, DWCI_TAPS_PIECE = 8 };

typedef struct dwci_nchw_strips {
    int inputs;              /* DWCI_STRIP_... */
    int channels;            /* in a vector, 1 or 2 */
    int64_t vectors, strips; /* of a row of outputs */
} dwci_nchw_strips;

static inline dwci_nchw_strips dwci_nchw_strips_of(const dwci_direct_args *g, int64_t lanes) {
    const int64_t reach = (g->kw - 1) * g->dw;
    dwci_nchw_strips s = {.channels = 1, .vectors = dwci_vectors(g->ow, lanes)};
    const int row = g->sw <= 2 && g->ow <= lanes && g->w <= g->sw * lanes && (g->sw > 1 || 2 * g->left == g->kw - 1);
    if (g->dw > 1)
        s.inputs = reach <= lanes && g->left <= reach && (g->ow - 1) * g->sw - g->left < g->w ? DWCI_STRIP_APART
                                                                                              : DWCI_STRIP_LOAD;
    else
        s.inputs = row ? DWCI_STRIP_PICK : DWCI_STRIP_CUT;
    /* Inputs of two channels: half a vector each, or each a vector. */
    if (s.inputs == DWCI_STRIP_PICK && 2 * g->ow <= lanes && (g->sw > 1 ? g->w : 2 * g->w) <= lanes)
        s.channels = 2;
    s.strips = dwci_vectors(s.vectors, s.inputs == DWCI_STRIP_LOAD ? 2 : DWCI_STRIP_MOST(g->kh, g->kw));
    return s;
}

#endif

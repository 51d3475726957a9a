/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel tables. The files of this folder are compiled once per instruction set; each compilation exports one const
 * table of pure functions. Nothing of a table runs before cpuid said that it may.
 *
 * Direct convolution. A kernel computes rows y0..y1-1 of one plane of the output:
 *
 *     NHWC: a plane is an image;       input [h][w][c], output [oh][ow][c*m], filter packed as [kh*kw][oc_padded]
 *     NCHW: a plane is one channel k;  input [h][w],    output [m][oh][ow],   filter packed as [c*m][kh*kw]
 *
 * The packed filter has the accumulator's type (float, or double for f64). Every output is one sum over its taps in the
 * image, row by row and left to right, one (fused, where the set has it) multiply-add each, starting at +0: all kernels
 * of all tables with fused multiply-add give the same bits. */
#ifndef DWC_KERN_KERN_H
#define DWC_KERN_KERN_H

#include <stdint.h>

/* Packed NHWC filters are padded with zeros to a multiple of this many channels, so that no kernel needs a masked
 * filter load. At least the elements of the widest vector. */
#define DWCI_CHANNEL_PADDING 16

enum { DWCI_CLAMP_NONE, DWCI_CLAMP_RELU, DWCI_CLAMP_RELU6 };

typedef struct dwci_direct_args {
    int64_t h, w, c;
    int64_t kh, kw, m;
    int64_t sh, sw, dh, dw;
    int64_t oh, ow, oc;
    int64_t top, left;  /* zeros above and left of the image */
    int64_t oc_padded;  /* NHWC: channels of a packed filter row */
    const void *filter; /* packed; NCHW: of the plane's first output channel */
    const void *bias;   /* the tensors' type, NULL: none; NCHW: from the plane's first output channel */
    int clamp;          /* DWCI_CLAMP_... */
} dwci_direct_args;

/* in and out point to the plane's first element. */
typedef void (*dwci_direct_fn)(const dwci_direct_args *args, const void *in, void *out, int64_t y0, int64_t y1);

/* One instance: what it was compiled for, 0 standing for any value. The first entry that fits a problem serves it, and
 * the last one fits all. */
typedef struct dwci_direct_kernel {
    const char *name;
    int kw, sw, dw, m;
    dwci_direct_fn run;
} dwci_direct_kernel;

/* The kernels for one element type. */
typedef struct dwci_kern_element {
    const dwci_direct_kernel *direct_nhwc, *direct_nchw;
    int direct_nhwc_count, direct_nchw_count;

    /* The limits, see limits.inc. peak: does `rounds` rounds of multiply-adds in registers, leaves a vector in sink (at
     * most 64 bytes) and returns the operations done. stream: reads and writes whole vectors of vector_bytes; `to` is
     * aligned to 64 bytes, `from` anyhow. */
    double (*peak)(int64_t rounds, void *sink);
    void (*stream)(void *to, int64_t write_vectors, const void *from, int64_t read_vectors, int nontemporal);
    int vector_bytes;
} dwci_kern_element;

/* Indices into dwci_kern_table.element, in the order of dwc_dtype. */
enum { DWCI_KERN_F16, DWCI_KERN_BF16, DWCI_KERN_F32, DWCI_KERN_F64, DWCI_KERN_ELEMENTS };

typedef struct dwci_kern_table {
    const char *name; /* of the instruction set, as in isas.def */
    int fused;        /* multiply-add is fused: results carry the numerics class "fma" */
    const dwci_kern_element *element[DWCI_KERN_ELEMENTS];
} dwci_kern_table;

#define DWC_KERN_ISA(name, flags) extern const dwci_kern_table dwci_kern_##name;
#include "kern/isas.def"
#undef DWC_KERN_ISA

#endif

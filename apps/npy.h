/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of .npy files (NumPy's array format, versions 1.0, 2.0, 3.0).
 *
 *     "\x93NUMPY" major minor | length: 2 bytes (1.0) or 4 | {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3),
 * } then the elements, dense. Ours start at a multiple of 4096 bytes.
 *
 * Source: numpy.lib.format. Read here: C order, little endian f2 f4 f8, and V2 as bfloat16. Anything else, and a size
 * that is not the shape's, is one EXIT_USAGE failure that starts with the file's name. */
#ifndef NPY_H
#define NPY_H

#include "file.h"

typedef struct npy_header {
    dwc_dtype dtype;
    int rank;                    /* may exceed DWC_MAX_RANK: then shape holds the first ones */
    int64_t shape[DWC_MAX_RANK]; /* sizes, >= 0 */
    int64_t data_offset, data_bytes;
} npy_header;

/* Reads and checks the header and the file's size. */
int npy_read_header(const input_file *file, npy_header *header, cli_failure *failure);

enum { NPY_DATA_OFFSET = 4096 };

/* Writes the NPY_DATA_OFFSET bytes before the data of an array of this type, rank (up to DWC_MAX_RANK) and shape. */
void npy_format_header(const npy_header *header, char text[NPY_DATA_OFFSET]);

/* "<f4" and so on, as written in files; "?" for an unknown type. */
const char *npy_descr(dwc_dtype dtype);

#endif

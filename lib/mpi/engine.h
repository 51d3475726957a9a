/* SPDX-License-Identifier: Apache-2.0 */
/* A piece of a batch, some whole images, computed by one rank on memory that the library owns. */
#ifndef DWC_MPI_ENGINE_H
#define DWC_MPI_ENGINE_H

#include "mpi/mpi_plan.h"

typedef struct dwci_mpi_engine {
    dwc_mpi_context *context;
    dwc_plan *plan;
    void *packed, *workspace;
    int64_t input_bytes, output_bytes; /* of its images */
} dwci_mpi_engine;

/* Images of a piece, of n that have so many bytes of input and output: about chunk_bytes, a few milliseconds, one at
 * least. */
int64_t dwci_mpi_piece(int64_t n, double image_bytes, double image_s, int64_t chunk_bytes);

/* The same by the plan; 0 if there is no output. */
int64_t dwci_mpi_piece_images(const dwc_mpi_plan *plan);

/* With the numerics of the plan. On failure too it has to be freed, as has one that is all zero. */
dwc_status dwci_mpi_engine_make(const dwc_mpi_plan *plan, int64_t images, dwci_mpi_engine *engine, dwc_error *error);
void dwci_mpi_engine_free(dwci_mpi_engine *engine);

dwc_status dwci_mpi_engine_load(const dwci_mpi_engine *engine, const void *filter, dwc_error *error);
dwc_status dwci_mpi_engine_run(const dwci_mpi_engine *engine, const void *input, const void *bias, void *output,
                               dwc_error *error);

/* Memory of this rank's context, or the failure; never NULL on success. */
dwc_status dwci_mpi_allocate(const dwc_mpi_context *context, int64_t bytes, void **memory, dwc_error *error);

/* The same, every byte set to `byte`. */
dwc_status dwci_mpi_allocate_filled(const dwc_mpi_context *context, int64_t bytes, int byte, void **memory,
                                    dwc_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions and the constants they are made of, see dwconv_mpi.h. */
#ifndef DWC_MPI_PREDICT_H
#define DWC_MPI_PREDICT_H

#include "mpi/agree.h"
#include "mpi/mpi_plan.h"

/* A mode is chosen in place of the root alone if it takes at most so much of its time. */
#define DWCI_MPI_WORTH_IT 0.8

void dwci_mpi_say_constants(dwci_mpi_arguments *arguments, const dwc_mpi_constants *constants);

/* dwc_mpi_measure for ranks that have agreed; the same status on all. */
dwc_status dwci_mpi_measure(const dwc_mpi_plan *plan, dwc_mpi_constants *constants, dwc_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that run one command together: those that mpirun or srun started, or this one alone.
 *
 *     every rank: team_start -> work on its own -> team_agree -> work ... -> team_finish
 *
 * MPI is initialised only when a launcher started the program; alone, and in a build without MPI, all of this does
 * nothing. All functions are collective unless they say otherwise: every rank calls them in the same order, after a
 * failure of its own too. */
#ifndef TEAM_H
#define TEAM_H

#include <stdint.h>

#include "cli.h"

/* Joins the processes of the launcher. EXIT_USAGE: the launcher started several, and MPI knows only one. */
int team_start(cli_failure *failure);

/* Leaves them; nothing of the team may be called afterwards. */
void team_finish(void);

/* These are not collective. */
const char *team_launcher(void); /* "none", or what started the processes, for people */
int team_rank(void);             /* 0 .. size-1; 0 prints and decides what one has to decide */
int team_size(void);             /* 1: alone */
int team_sharing(void);          /* how many ranks may run on the same cores as this one, itself included */
const char *team_host(void);     /* name of this node */

/* Work that wants cores for itself is for the first rank of those that share cores: its number among these workers, -1
 * for the other ranks, and how many workers there are. */
int team_worker(void);
int team_workers(void);

/* The exit code for all: 0 if no rank has failed, else the failure of the first that has, which all ranks then hold. */
int team_agree(cli_failure *failure);

/* Rank 0's bytes, for all. */
void team_share(void *data, size_t bytes);

/* Element by element over all ranks. */
void team_sum(int64_t *values, int count);
void team_min(int64_t *values, int count);
void team_max(double *values, int count);

/* Calls the others off, once, for a reason that is not 0: not collective. Then all, called off or not, call
 * team_settle, which is. */
void team_call_off(int reason);
int team_called_off(void); /* the reason of another rank that has called, else 0; not collective either */
void team_settle(void);

#endif

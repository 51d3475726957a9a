/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of an algorithm: one way to compute a class of problems.
 *
 * A new algorithm is one file algo/NAME.c that defines `const dwci_algo dwci_algo_NAME` and one line DWCI_ALGO(NAME) in
 * algos.def. The order of the functions below is the order in which they are called. */
#ifndef DWC_ALGO_ALGO_H
#define DWC_ALGO_ALGO_H

#include "dwconv.h"
#include "kern/kern.h"

#include <stdbool.h>

/* How many times as long as on the server core that most constants of the cost models were fitted on it takes here to
 * multiply and add, and to move what lies in the second cache, the last one and memory; nanoseconds that a line of
 * outputs takes longer here, but not there, where all of a tile's lines fall into one set of the first cache: see
 * core/calibration.c. */
typedef struct dwci_pace {
    double arithmetic, near, far, memory, collision_ns;
} dwci_pace;

/* What an algorithm may base its decisions on. Sizes that would change the bits of a result (n, threads) must not
 * decide the numerics: see dwc_plan_execute. */
typedef struct dwci_case {
    dwc_problem problem;
    dwc_geometry geometry;
    const dwc_machine *machine;
    const dwci_kern_table *table;       /* kernels of the instruction set in use */
    int threads;                        /* at most so many */
    const struct dwci_binding *binding; /* of the threads to cores; NULL: none */
    dwc_cache cache;                    /* where the tensors are said to be */
    dwci_pace pace;
} dwci_case;

/* Values of an algorithm's parameters, in the order of its param_names. */
enum { DWCI_MAX_PARAMS = 8 };
typedef struct dwci_params {
    int value[DWCI_MAX_PARAMS];
} dwci_params;

/* What prepare decides. */
typedef struct dwci_prepared {
    const char *kernel;     /* name of the kernel instance; "" if there is none */
    const void *state;      /* the algorithm's own, static or inside the kernel tables; may be NULL */
    int threads;            /* that run will use */
    size_t packed_bytes;    /* of the packed filter */
    size_t workspace_bytes; /* of the scratch memory of one run */
    double error_bound; /* of max |got - exact| / max over outputs of S, S = sum |input * filter| + |bias|; before the
                           rounding to dtype, underflow aside */
    bool componentwise; /* each output also keeps (taps + 2) * u * its own S */
    bool spreads_nonfinite; /* see dwc_plan_info */
    int64_t band_rows;      /* the same */
} dwci_prepared;

/* One chosen way to compute one problem; the core of a dwc_plan. */
typedef struct dwci_solution {
    dwci_case problem_case;
    dwci_params params;
    dwci_prepared prepared;
} dwci_solution;

typedef struct dwci_tensors {
    const void *input, *packed, *bias;
    void *output, *workspace;
} dwci_tensors;

typedef struct dwci_algo {
    const char *name;               /* stable: recorded in files */
    const char *description;        /* one line */
    int revision;                   /* 1 or more; to be raised when its speed or its results change: records of earlier
                                       ones are raced again */
    bool automatic;                 /* the planner may choose it by itself */
    bool in_order;                  /* sums over the taps row by row, left to right: DWC_NUMERICS_DIRECT allows it */
    const char *const *param_names; /* NULL-terminated; NULL: no parameters */
    int tile_params;                /* the first of them, which shape tiles within the caches */

    /* Can it compute this? If not, writes the reason to why. NULL: it can compute anything. */
    bool (*applicable)(const dwci_case *c, char *why, size_t size);
    /* Legal parameters; writes at most `most` and returns how many; 0: only what the user names. NULL: it has none. */
    int (*candidates)(const dwci_case *c, dwci_params *list, int most);
    /* Seconds that a run should take by the model. */
    double (*cost)(const dwci_case *c, const dwci_params *params);
    /* Fills s->prepared from the rest of s. False with the reason if the parameters, which may come from a user, are
     * not legal, or if a size overflows. */
    bool (*prepare)(dwci_solution *s, char *why, size_t size);
    /* filter [kh,kw,c,m] -> packed. */
    void (*pack)(const dwci_solution *s, const void *filter, void *packed);
    /* Computes the output; never called for an empty output. */
    void (*run)(const dwci_solution *s, const dwci_tensors *t);
} dwci_algo;

#define DWCI_ALGO(name) extern const dwci_algo dwci_algo_##name;
#include "algo/algos.def"
#undef DWCI_ALGO

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What measuring needs beside dwconv.h. Unstable: may change with any version. */
#ifndef DWCONV_EXPERT_H
#define DWCONV_EXPERT_H

#include "dwconv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the parameters of every candidate of options->algo for a problem, as dwc_plan_options takes them, in the
 * algorithm's order of preference; at most `most`. Returns how many; 0 where no algorithm is named, or it or the
 * problem is unknown, or they do not go together. */
DWC_API int dwc_expert_candidates(const dwc_context *context, const dwc_problem *problem,
                                  const dwc_plan_options *options, char (*texts)[DWC_PARAMS_TEXT_MAX], int most);

/* One way to compute a problem, as the planner weighs it for "auto". */
typedef struct dwc_candidate {
    const char *algo;                 /* static string */
    char params[DWC_PARAMS_TEXT_MAX]; /* empty if it has none, or if the algorithm does not apply */
    double model_s;                   /* the cost model's seconds with the threads of the options */
    int legal;                        /* 0: does not apply or breaks a limit */
    char why[160];                    /* the reason then */
} dwc_candidate;

/* Writes every candidate of every algorithm that "auto" may choose, in the fixed order that breaks ties; those that do
 * not apply too, once for the algorithm. With several threads, what rounds otherwise than the plan for one thread would
 * is not legal. At most `most`; *count: how many. */
DWC_API dwc_status dwc_expert_survey(const dwc_context *context, const dwc_problem *problem,
                                     const dwc_plan_options *options, dwc_candidate *list, int most, int *count,
                                     dwc_error *error);

/* A plan as dwc_plan_create makes it for a named algorithm and parameters, whose source is "measured". */
DWC_API dwc_status dwc_expert_plan_measured(const dwc_context *context, const dwc_problem *problem,
                                            const dwc_plan_options *options, dwc_plan **plan, dwc_error *error);

/* Sends a line to the context's log. */
DWC_API void dwc_expert_log(const dwc_context *context, unsigned topic, const char *line);

/* dwc_plan_verify on every step-th row of outputs only (1: on all), beginning with the first. */
DWC_API dwc_status dwc_expert_verify_some(const dwc_plan *plan, const void *input, const void *filter, const void *bias,
                                          const void *output, int64_t step, dwc_verification *result, dwc_error *error);

/* ---- tuning records ---------------------------------------------------------------------------------------------- */

enum { DWC_KEY_TEXT_MAX = 640, DWC_MACHINE_TEXT_MAX = 96 };

/* One candidate of a race. Times are per execution; ratios are its time over that of the choice, within a round. */
typedef struct dwc_record_entry {
    char algo[32];
    char params[DWC_PARAMS_TEXT_MAX];
    int revision;            /* of the algorithm when it was raced */
    int rounds;              /* 0: it was found wrong, or time was up before it ran */
    double ratio, low, high; /* median and interval */
    double median_s, min_s;
    double model_s; /* the cost model's guess */
    double max_err; /* measured on random data, as in dwc_verification */
    int64_t workspace_bytes;
} dwc_record_entry;

/* One race, or a calibration (see below). Its key: what was raced, as text: the problem with n1, the batch class
 * (resident in the caches, or streaming from memory), threads, placement of threads, alignment of buffers, and the
 * limits in force. To be stored, texts have to be UTF-8 without control characters, numbers finite, whole numbers not
 * negative. */
typedef struct dwc_record {
    char key[DWC_KEY_TEXT_MAX];
    char machine[DWC_MACHINE_TEXT_MAX]; /* kind of machine: CPU, instruction set, caches; not the host */
    dwc_effort effort;
    int complete; /* 0: the time was up before the race was decided */
    int tie;      /* 1: others are as fast, and the choice is the first of them in fixed order */
    int rounds;
    int tried, legal;     /* candidates */
    int64_t images;       /* raced with so many */
    double default_ratio; /* time of the model's choice over that of the choice; 0: unknown */
    double spent_s;
    char library[16], host[64], date[24]; /* date: UTC, 2026-01-31T12:00:00Z */
    dwc_record_entry *entries;            /* the choice first, then by ratio; those of 0 rounds last */
    int count;
} dwc_record;

/* The key and machine under which records for such plans are kept. Both buffers may be NULL. */
DWC_API dwc_status dwc_expert_key(const dwc_context *context, const dwc_problem *problem,
                                  const dwc_plan_options *options, char key[DWC_KEY_TEXT_MAX],
                                  char machine[DWC_MACHINE_TEXT_MAX], dwc_error *error);

/* The problem that races for a plan use: one image or, where the batch streams, as many images as take twice the last
 * cache. *streaming (may be NULL): its batch class. */
DWC_API dwc_status dwc_expert_canonical(const dwc_context *context, const dwc_problem *problem,
                                        const dwc_plan_options *options, dwc_problem *canonical, int *streaming,
                                        dwc_error *error);

/* Revision of an algorithm's kernels: raised when their speed or results change. 0: no such algorithm. */
DWC_API int dwc_expert_revision(const char *algo);

/* The records in the order of their keys, 0 <= index < dwc_wisdom_count. Copies; to be released by
 * dwc_expert_record_free. dwc_expert_record_find: the one of this key and machine, DWC_NO_RECORD if there is none. */
DWC_API dwc_status dwc_expert_record_get(const dwc_wisdom *wisdom, int64_t index, dwc_record *record, dwc_error *error);
DWC_API dwc_status dwc_expert_record_find(const dwc_wisdom *wisdom, const char *key, const char *machine,
                                          dwc_record *record, dwc_error *error);
DWC_API void dwc_expert_record_free(dwc_record *record);

/* Adds a record, to the journal too (dwc_wisdom_keep), unless a better one is there. DWC_FILE_ERROR: the journal could
 * not be written; the record is in the wisdom all the same. */
DWC_API dwc_status dwc_expert_record_add(dwc_wisdom *wisdom, const dwc_record *record, dwc_error *error);

/* Removes records that `drop` returns nonzero for; returns how many. `drop` must not call functions of the wisdom. */
DWC_API int64_t dwc_expert_records_drop(dwc_wisdom *wisdom, int (*drop)(const dwc_record *record, void *user),
                                        void *user);

/* Reads a file without its journals into `wisdom`; sign: takes records whose checksum is not theirs, and signs them.
 * dwc_expert_wisdom_replace writes exactly the wisdom's records to `path`, as dwc_wisdom_merge does but forgetting what
 * was there, and removes the journals that it may remove. */
DWC_API dwc_status dwc_expert_wisdom_read(dwc_wisdom *wisdom, const char *path, int sign, dwc_wisdom_report *report,
                                          dwc_error *error);
DWC_API dwc_status dwc_expert_wisdom_replace(dwc_wisdom *wisdom, const char *path, dwc_error *error);

/* ---- calibration ------------------------------------------------------------------------------------------------- */

/* Loops that tell how fast a machine is, one thread each; the last one is a plan of `direct`. */
enum {
    DWC_CALIBRATION_MULTIPLY_ADD, /* float32 vectors in registers: seconds of a vector */
    DWC_CALIBRATION_SECOND_CACHE, /* a line read and a line written, from and to the second cache: seconds of both, */
    DWC_CALIBRATION_LAST_CACHE,   /* the last cache, where it is much larger, */
    DWC_CALIBRATION_MEMORY,       /* and memory, past the caches where that is faster; not measured where the last cache
                                     is larger than 128 MiB */
    DWC_CALIBRATION_COLLISION,    /* a line of outputs of a 3x3 filter whose outputs and inputs all fall into one set of
                                     the first cache: seconds more than if they fell into two, 1e-11 at least */
    DWC_CALIBRATION_LOOPS
};

/* The cost model goes by the calibration among the records of the context's wisdom, without one by that of a core known
 * to be alike, if the library knows one. It is a record of this key, an entry for each loop, of which `algo` is the
 * name. */
typedef struct dwc_calibration {
    double seconds[DWC_CALIBRATION_LOOPS]; /* 0: not measured */
} dwc_calibration;

#define DWC_CALIBRATION_KEY "calibration"
enum { DWC_CALIBRATION_REVISION = 2 }; /* of the loops, and of the speed of `direct` in place */

/* The calibration of the context's kind of machine. DWC_NO_RECORD: there is none, or none by these loops. */
DWC_API dwc_status dwc_expert_calibration_find(const dwc_context *context, const dwc_wisdom *wisdom,
                                               dwc_calibration *calibration, dwc_error *error);

/* Its record but for host, date and version, the entries in `entries`. */
DWC_API void dwc_expert_calibration_record(const dwc_context *context, const dwc_calibration *calibration,
                                           dwc_record *record, dwc_record_entry entries[DWC_CALIBRATION_LOOPS]);

/* Bytes of the second and the last cache as the cost model sees them, guesses where they are not known. */
DWC_API void dwc_expert_caches(const dwc_context *context, int64_t *second, int64_t *last);

/* ---- limits of the machine --------------------------------------------------------------------------------------- */

/* Keeps `threads` threads busy with independent multiply-adds in registers, `rounds` rounds each, in the accumulator's
 * type of dtype and with the context's instruction set. Returns the operations done by all (a multiply-add is two). */
DWC_API double dwc_expert_peak(const dwc_context *context, dwc_dtype dtype, int64_t rounds, int threads);

/* Bytes of a vector of the context's instruction set. */
DWC_API int dwc_expert_vector_bytes(const dwc_context *context);

/* Reads read_bytes from `from` and writes write_bytes to `to` (aligned to 64 bytes), both rounded down to 64 bytes, in
 * equal shares of `threads` threads; reads and writes advance together. What is written is of no meaning.
 * nontemporal: the stores go past the caches. */
DWC_API void dwc_expert_stream(const dwc_context *context, void *to, int64_t write_bytes, const void *from,
                               int64_t read_bytes, int nontemporal, int threads);

/* ---- checksums --------------------------------------------------------------------------------------------------- */

/* CRC-32C (Castagnoli) of what `crc` is the checksum of (0: of nothing) with these bytes behind it. */
DWC_API uint32_t dwc_expert_crc32c(uint32_t crc, const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* dwconv: TensorFlow's 2-D depthwise convolution (depthwise_conv2d_native) on CPUs.
 *
 *     problem --planner--> plan --pack filter--> execute, as often as wanted
 *
 *     dwc_context *ctx;  dwc_plan *plan;  dwc_problem p;  dwc_error err;
 *     dwc_context_create(NULL, &ctx, &err);
 *     dwc_problem_parse("f32:nhwc:n64:112x112x32:k3x3", &p, &err);
 *     dwc_plan_create(ctx, &p, NULL, &plan, &err);
 *     ... dwc_plan_pack_filter, dwc_plan_execute; see each function below.
 *
 * Rules that hold for every function here:
 *  - Errors: a function that can fail returns a dwc_status and takes a `dwc_error *` as its last argument (NULL when
 *    the text is not wanted). On failure nothing is changed and no output parameter is set. A pointer that must not be
 *    NULL is DWC_INVALID_ARGUMENT; functions without a status take no NULL unless they say so.
 *  - The library never prints, aborts, exits, or reads the environment by itself. What it uses may: hwloc reads HWLOC_*
 *    while a context is created, OpenMP reads OMP_*, libgomp ends a process that cannot start its threads,
 *    and OpenBLAS reads OPENBLAS_* when loaded and complains on stderr when it runs out of buffers (more than 128 calls
 *    at once).
 *  - Sizes are int64_t and count elements unless a name says bytes. Buffers belong to the caller.
 *  - Thread safety: there is no global state. Contexts and plans are immutable after creation; any number of threads
 *    may use one at the same time (execute: each with its own workspace and output).
 *  - No function reads or writes a byte outside the tensors it is given.
 */
#ifndef DWCONV_H
#define DWCONV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DWC_API __attribute__((visibility("default")))
#else
#define DWC_API
#endif

#define DWC_VERSION_MAJOR 0
#define DWC_VERSION_MINOR 1
#define DWC_VERSION_PATCH 0
#define DWC_VERSION_STRING "0.1.0"

/* Version of the library at run time, "MAJOR.MINOR.PATCH". A static string. */
DWC_API const char *dwc_version(void);

/* How the library was built: compiler, build type, optional parts, e.g. "gcc 12.2.0, Release, OpenMP, hwloc 2.9.0".
 * A static string. */
DWC_API const char *dwc_build_info(void);

/* ---- status ------------------------------------------------------------------------------------------------------ */

#define DWC_STATUS_LIST(X)                                                                                             \
    X(DWC_OK, 0, "ok")                                                                                                 \
    X(DWC_INVALID_ARGUMENT, 1, "invalid argument")                                                                     \
    X(DWC_OUT_OF_MEMORY, 2, "out of memory")                                                                           \
    X(DWC_NOT_APPLICABLE, 3, "the algorithm asked for does not apply to the problem")                                  \
    X(DWC_INTERNAL_ERROR, 4, "internal error")                                                                         \
    X(DWC_NO_RECORD, 5, "there is no tuning record for the problem")                                                   \
    X(DWC_FILE_ERROR, 6, "a file could not be read or written")                                                        \
    X(DWC_STOPPED, 7, "stopped on request")                                                                            \
    X(DWC_MISMATCH, 8, "the ranks of a collective call have different arguments")                                      \
    X(DWC_MPI_ERROR, 9, "MPI reported an error")

typedef enum dwc_status {
#define DWC_STATUS_ENUM(name, value, text) name = value,
    DWC_STATUS_LIST(DWC_STATUS_ENUM)
#undef DWC_STATUS_ENUM
} dwc_status;

/* "DWC_INVALID_ARGUMENT" and "invalid argument"; static strings, for an unknown value too. */
DWC_API const char *dwc_status_name(dwc_status status);
DWC_API const char *dwc_status_text(dwc_status status);

/* What went wrong: one line without newline that names the field and its value. Written only on failure. */
typedef struct dwc_error {
    dwc_status status;
    char message[252];
} dwc_error;

/* ---- problem ----------------------------------------------------------------------------------------------------- */

typedef enum dwc_operation { DWC_FORWARD = 1 } dwc_operation;
typedef enum dwc_dtype { DWC_F16 = 1, DWC_BF16 = 2, DWC_F32 = 3, DWC_F64 = 4 } dwc_dtype;
typedef enum dwc_layout { DWC_NHWC = 1, DWC_NCHW = 2 } dwc_layout;
typedef enum dwc_padding { DWC_SAME = 1, DWC_VALID = 2, DWC_EXPLICIT = 3 } dwc_padding;
typedef enum dwc_activation { DWC_NO_ACTIVATION = 0, DWC_RELU = 1, DWC_RELU6 = 2 } dwc_activation;

/* A convolution to compute; plain data, copy it freely.
 *
 *     input  [n,h,w,c] (NHWC) or [n,c,h,w] (NCHW)
 *     filter [kh,kw,c,m] in both layouts, not flipped (correlation)
 *     bias   [c*m]
 *     output [n,oh,ow,c*m] or [n,c*m,oh,ow], oh and ow from dwc_problem_geometry
 *
 *     output(n, i, j, k*m+q) = activation( bias(k*m+q) +
 *         sum over a < kh, b < kw of input(n, i*sh - top + a*dh, j*sw - left + b*dw, k) * filter(a, b, k, q) )
 *
 * where taps outside the image contribute nothing. n, h, w, c, m may be 0 (empty tensors); kh, kw, strides and
 * dilations are at least 1. All tensors have type dtype: f16 and bf16 are the 16-bit patterns, accumulated in float32
 * and rounded once, to nearest even, at the end; f32 accumulates in float32, f64 in float64. Source: TensorFlow's
 * tf.nn.depthwise_conv2d; dilation is true dilation, also with stride > 1. */
typedef struct dwc_problem {
    dwc_operation operation;
    dwc_dtype dtype;
    dwc_layout layout;
    int64_t n, h, w, c;
    int64_t kh, kw, m;
    int64_t sh, sw;
    int64_t dh, dw;
    dwc_padding padding;
    int64_t pad_top, pad_bottom, pad_left, pad_right; /* >= 0 with DWC_EXPLICIT, else 0 */
    int bias;                                         /* 1: a bias vector is added */
    dwc_activation activation;
} dwc_problem;

/* Sets a forward f32 NHWC problem with every size, stride and dilation 1, SAME padding, no bias, no activation. */
DWC_API void dwc_problem_init(dwc_problem *problem);

/* What follows from a problem. */
typedef struct dwc_geometry {
    int64_t oh, ow, oc;                               /* output sizes; oc = c*m */
    int64_t pad_top, pad_bottom, pad_left, pad_right; /* zeros around the image, SAME and VALID resolved */
    int64_t input_elements, filter_elements, bias_elements, output_elements;
    size_t element_bytes;
    double inbounds_taps; /* multiply-adds over the whole output that fall inside the image */
} dwc_geometry;

/* Checks every field and computes the geometry; geometry may be NULL.
 * SAME: out = ceil(in/stride), odd padding at the bottom and right. VALID, EXPLICIT: out = (in + pads - eff)/stride + 1
 * with eff = (k-1)*dilation + 1. DWC_INVALID_ARGUMENT names the field; anything that overflows 64 bits or the address
 * space is refused. */
DWC_API dwc_status dwc_problem_geometry(const dwc_problem *problem, dwc_geometry *geometry, dwc_error *error);

/* Text form, one token:
 *     DTYPE:LAYOUT:nN:HxWxC:kKHxKW[:sSHxSW][:dDHxDW][:mM][:same|:valid|:pT,B,L,R][:bias][:relu|:relu6]
 * dwc_problem_parse also checks the problem like dwc_problem_geometry. dwc_problem_print writes the canonical text, cut
 * to `size` bytes with a terminating zero, and returns its full length (as snprintf does); DWC_PROBLEM_TEXT_MAX bytes
 * hold any problem. */
#define DWC_PROBLEM_TEXT_MAX 512
DWC_API dwc_status dwc_problem_parse(const char *text, dwc_problem *problem, dwc_error *error);
DWC_API size_t dwc_problem_print(const dwc_problem *problem, char *text, size_t size);

/* Names as in the text form ("f32", "nhwc", "same", "relu6"); "?" for an unknown value. Static strings.
 * dwc_dtype_parse and dwc_layout_parse return 0 for an unknown name. */
DWC_API const char *dwc_dtype_name(dwc_dtype dtype);
DWC_API const char *dwc_layout_name(dwc_layout layout);
DWC_API const char *dwc_padding_name(dwc_padding padding);
DWC_API const char *dwc_activation_name(dwc_activation activation);
DWC_API dwc_dtype dwc_dtype_parse(const char *name);
DWC_API dwc_layout dwc_layout_parse(const char *name);
DWC_API size_t dwc_dtype_bytes(dwc_dtype dtype); /* 0 for an unknown value */

/* Arrays of element type dtype from and to float64; rounds to nearest even. */
DWC_API void dwc_convert_to_f64(dwc_dtype dtype, const void *from, double *to, int64_t count);
DWC_API void dwc_convert_from_f64(dwc_dtype dtype, const double *from, void *to, int64_t count);

/* ---- context ----------------------------------------------------------------------------------------------------- */

/* Instruction sets, a later one includes the earlier ones of the same machine kind. Baseline: plain vectors, without
 * fused multiply-add, on any machine kind; AVX2 and AVX-512: x86-64; NEON: AArch64. */
typedef enum dwc_isa {
    DWC_ISA_BASELINE = 1,
    DWC_ISA_AVX2 = 2,
    DWC_ISA_AVX512 = 3,
    DWC_ISA_NEON = 4,
    DWC_ISA_BEST = 99
} dwc_isa;

DWC_API const char *dwc_isa_name(dwc_isa isa);
DWC_API dwc_isa dwc_isa_parse(const char *name); /* "baseline" "avx2" "avx512" "neon" "best"; 0 for an unknown name */
DWC_API int dwc_isa_built(dwc_isa isa);          /* are there kernels for it? not for sets of other machine kinds */

/* Log topics, a bit mask. */
enum { DWC_LOG_PLAN = 1, DWC_LOG_DISPATCH = 2, DWC_LOG_TUNE = 4, DWC_LOG_MPI = 8, DWC_LOG_ALL = 15 };

/* Receives one line without newline. May be called from any thread that uses the context. */
typedef void (*dwc_log_fn)(void *user, unsigned topic, const char *line);

/* A dwc_log_fn that prints "dwconv: TOPIC: line" to stderr. */
DWC_API void dwc_log_to_stderr(void *user, unsigned topic, const char *line);

/* Bit mask for a comma list of "plan", "dispatch", "tune", "mpi", "all". DWC_INVALID_ARGUMENT names an unknown one. */
DWC_API dwc_status dwc_log_topics_parse(const char *text, unsigned *topics, dwc_error *error);

/* Memory for contexts, plans and what dwc_allocate gives. `alignment` is a power of two; `allocate` returns NULL on
 * failure. Both may be called from any thread. */
typedef struct dwc_allocator {
    void *(*allocate)(void *user, size_t alignment, size_t bytes);
    void (*release)(void *user, void *pointer);
    void *user;
} dwc_allocator;

#define DWC_MAX_THREADS 1024

/* ---- wisdom: what tuning found ----------------------------------------------------------------------------------- */

/* A set of tuning records: for a problem on a machine the algorithm and parameters that won a race (dwconv_tune.h runs
 * them), with the times of the others; and calibrations of machines. Contexts use one to plan. All functions may be
 * called from several threads at the same time, also while plans are made. Its memory is the C library's.
 *
 * Its file has one record a line, as JSON, sorted; lines can be sorted, copied and joined by hand. Every program that
 * adds records appends them to a journal of its own beside it, FILE.HOST.PROCESS.RANDOM.journal, one write a record, so
 * that a process that is killed loses nothing that was finished; dwc_wisdom_merge puts the journals into the file. */
typedef struct dwc_wisdom dwc_wisdom;

DWC_API dwc_status dwc_wisdom_create(dwc_wisdom **wisdom, dwc_error *error);
DWC_API void dwc_wisdom_destroy(dwc_wisdom *wisdom); /* takes NULL; must outlive the contexts that use it */

/* What reading a file and its journals found. Damage costs the records that it touches, no others. */
typedef struct dwc_wisdom_report {
    int64_t records;          /* good ones */
    int64_t damaged;          /* pieces that are no record */
    int64_t unsigned_records; /* records whose checksum is not theirs: ignored until they are signed again */
    int64_t journals;         /* journals that were read */
    char first[200];          /* the first trouble, "line 3: ..."; empty if there was none */
} dwc_wisdom_report;

/* Adds the records of a file and its journals; of two records for the same case the better one stays (the newer kernel,
 * then the higher effort, then the later date). A file that does not exist holds no records. report may be NULL.
 * DWC_FILE_ERROR: it cannot be read, or is of a later format; DWC_OUT_OF_MEMORY. */
DWC_API dwc_status dwc_wisdom_load(dwc_wisdom *wisdom, const char *path, dwc_wisdom_report *report, dwc_error *error);

/* From now on appends each record that is added by tuning to a journal of `path`, which is created with the first one.
 * The directory is made if need be. DWC_FILE_ERROR: no file can be created there; the wisdom stays as it was. */
DWC_API dwc_status dwc_wisdom_keep(dwc_wisdom *wisdom, const char *path, dwc_error *error);

/* Rewrites the file at `path` with the records of the file, of its journals and, unless wisdom is NULL, of the wisdom;
 * then removes the journals of this wisdom and of processes of this host that have ended. Readers see the old file or
 * the new one, never less. Where another process holds the lock, FILE.lock, for more than a few seconds, or locks do
 * not work, nothing is changed; that is DWC_OK where the wisdom is kept beside this file, or NULL, as journals lose
 * nothing. DWC_FILE_ERROR: cannot be written, or locked; all files are as before. */
DWC_API dwc_status dwc_wisdom_merge(dwc_wisdom *wisdom, const char *path, dwc_error *error);

/* Forgets the records of one problem (every batch class, thread count and machine), or all of them (NULL); files keep
 * theirs. */
DWC_API void dwc_wisdom_forget(dwc_wisdom *wisdom, const dwc_problem *problem);

DWC_API int64_t dwc_wisdom_count(const dwc_wisdom *wisdom);

/* Path of the user's file: DWC_WISDOM, else $XDG_STATE_HOME/dwconv/wisdom.jsonl, else
 * $HOME/.local/state/dwconv/wisdom.jsonl. Like dwc_context_options_from_env it reads the environment, when called.
 * DWC_NOT_APPLICABLE: none of them is set. */
DWC_API dwc_status dwc_wisdom_path_from_env(char *path, size_t size, dwc_error *error);

/* Path of the file for all users of this installation, read after the user's. A static string. */
DWC_API const char *dwc_wisdom_site_path(void);

/* What the pointers lead to must outlive the context; topology is read during creation only. */
typedef struct dwc_context_options {
    int threads;             /* 1 or more; 0: one per core this process may run on */
    dwc_isa max_isa;         /* best one used; DWC_ISA_BEST: what the CPU has */
    dwc_allocator allocator; /* all zero: the C library */
    dwc_log_fn log;          /* NULL: silent */
    void *log_user;
    unsigned log_topics;
    const dwc_wisdom *wisdom; /* tuning records and a calibration for its plans; NULL: neither */
    const char *topology; /* hwloc synthetic description in place of this machine's, for tests; NULL: this machine */
    int bind;             /* 1: while a plan runs on several threads, thread i stays on the i-th of the cores that the
                             process may run on (then the first again), found by hwloc; only where neither another
                             process nor another plan computes on these cores at the same time.
                             0: the operating system (or OMP_PROC_BIND) decides */
} dwc_context_options;

/* The defaults: threads 0, DWC_ISA_BEST, the C library's memory, silent, not bound. */
DWC_API void dwc_context_options_init(dwc_context_options *options);

/* Overrides options from DWC_THREADS, DWC_ISA, DWC_BIND (0 or 1) and DWC_VERBOSE (log topics, to stderr). The only
 * place of the library that reads the environment; a program calls it where it wants that. */
DWC_API dwc_status dwc_context_options_from_env(dwc_context_options *options, dwc_error *error);

typedef struct dwc_context dwc_context;

/* options may be NULL (the defaults). A context must outlive its plans. Destroy takes NULL. */
DWC_API dwc_status dwc_context_create(const dwc_context_options *options, dwc_context **context, dwc_error *error);
DWC_API void dwc_context_destroy(dwc_context *context);

/* The machine as planning sees it. Sizes in bytes, 0 where unknown. The source "sysfs" (no hwloc) counts hardware
 * threads as cores and one NUMA node. */
typedef struct dwc_machine {
    char vendor[16];   /* "AuthenticAMD"; "ARM0x41", by the implementer's number; "unknown" */
    char cpu[64];      /* brand text */
    int family, model; /* x86 cpuid; AArch64: variant and part number of MIDR_EL1; 0 elsewhere */
    int cores;         /* physical cores of the machine */
    int usable_cores;  /* cores this process may run on */
    int numa_nodes;
    int64_t l1d_bytes, l2_bytes, l3_bytes; /* of one cache, as one core sees it */
    int l2_cores, l3_cores;                /* cores that share one such cache */
    dwc_isa isa;                           /* in use: the CPU's best under the cap */
    dwc_isa best_isa;                      /* best of the CPU */
    char source[32];                       /* where this came from: "hwloc", "hwloc synthetic", "sysfs" */
} dwc_machine;

/* Belongs to the context. */
DWC_API const dwc_machine *dwc_context_machine(const dwc_context *context);
DWC_API int dwc_context_threads(const dwc_context *context);

/* Memory from the context's allocator, aligned to 64 bytes, for tensors, packed filters and workspaces. NULL on
 * failure; release takes NULL. */
DWC_API void *dwc_allocate(const dwc_context *context, size_t bytes);
DWC_API void dwc_release(const dwc_context *context, void *pointer);

/* The same for tensors that are used together, each with a colour of its own, 0..7 (8 is 0 again): their addresses
 * differ modulo 4096, so that they do not fall into the same sets of the first cache, as large allocations otherwise
 * do, which malloc starts at the same place in a page. It helps most where the channels are a multiple of 128. To be
 * released by dwc_release_coloured only. */
DWC_API void *dwc_allocate_coloured(const dwc_context *context, size_t bytes, int colour);
DWC_API void dwc_release_coloured(const dwc_context *context, void *pointer);

/* ---- algorithms -------------------------------------------------------------------------------------------------- */

typedef struct dwc_algo_info {
    const char *name;
    const char *description; /* one line */
    int automatic;           /* 0: only by name */
} dwc_algo_info;

/* The algorithms of this build, 0 <= index < dwc_algo_count(), in the order that breaks ties. */
DWC_API int dwc_algo_count(void);
DWC_API dwc_algo_info dwc_algo_get(int index);

/* ---- plan -------------------------------------------------------------------------------------------------------- */

/* Which roundings a plan may make. */
typedef enum dwc_numerics {
    DWC_NUMERICS_ANY = 0,   /* those of any algorithm within the error limit */
    DWC_NUMERICS_DIRECT = 1 /* the sum over the taps, in order: only `direct` */
} dwc_numerics;

/* Where input and output lie when a plan is executed. */
typedef enum dwc_cache {
    DWC_CACHE_AUTO = 0, /* in the caches if they are small enough: 0.6 of the last one, a batch, which is seldom used
                           twice, 0.1 of it */
    DWC_CACHE_WARM = 1, /* in the caches */
    DWC_CACHE_COLD = 2  /* in memory, however small: one of many batches, say */
} dwc_cache;

/* How much is done to find the best plan. */
typedef enum dwc_effort {
    DWC_EFFORT_ESTIMATE =
        0, /* a record of the wisdom, else the nearest record, else the cost model; nothing is measured */
    DWC_EFFORT_WISDOM = 1,    /* a record of this kind of machine and these kernels, else DWC_NO_RECORD */
    DWC_EFFORT_MEASURE = 2,   /* 24 candidates, 0.25 to 1 s a problem: this and the next two by dwconv_tune.h only */
    DWC_EFFORT_PATIENT = 3,   /* 64 candidates, 2 s */
    DWC_EFFORT_EXHAUSTIVE = 4 /* all candidates */
} dwc_effort;

/* "estimate" "wisdom" "measure" "patient" "exhaustive"; "?" for an unknown value. dwc_effort_parse returns -1 for an
 * unknown name. */
DWC_API const char *dwc_effort_name(dwc_effort effort);
DWC_API int dwc_effort_parse(const char *name);

/* All zero: the defaults. The limits hold for a named algorithm too: if it breaks one, the plan is refused. */
typedef struct dwc_plan_options {
    const char *algo;   /* "auto" or NULL: the planner chooses; else a name */
    const char *params; /* parameters as dwc_plan_info prints them; NULL: the algorithm's best by its cost model.
                           Only with an algorithm's name. */
    int threads;        /* 0: the context's */
    dwc_numerics numerics;
    double max_error;      /* most error_bound of dwc_plan_info; 0: with "auto" 1e-5 (f64: 1e-13) for algorithms that do
                              not add the products themselves, as direct and im2col_gemm do; else none */
    int64_t max_workspace; /* most workspace_bytes of dwc_plan_info, kept to by fewer threads if need be; 1: no
                              workspace (a workspace has 64 bytes or more); 0: no limit */
    int bands;             /* 1: no algorithm whose band_rows is 0 */
    dwc_effort effort;     /* DWC_EFFORT_ESTIMATE or DWC_EFFORT_WISDOM; of no meaning with an algorithm's name */
    int ignore_wisdom;     /* 1: no record of a problem is used; a calibration is (dwconv_tune.h) */
    int strict_nonfinite;  /* 1: no algorithm that may spread NaN and infinity beyond the windows that contain them */
    dwc_cache cache;       /* what the choice is to be fast for: which records and which cost; no limit */
} dwc_plan_options;

DWC_API void dwc_plan_options_init(dwc_plan_options *options);

typedef struct dwc_plan dwc_plan;

/* Chooses an algorithm and its parameters for the problem, without measuring. options may be NULL (the defaults).
 * "auto" takes the best of the wisdom's record that keeps to the limits; several threads take the parameters of a
 * record for as many threads, but always the numerics that one thread has. DWC_INVALID_ARGUMENT: the problem or an
 * option; DWC_NOT_APPLICABLE: the named algorithm does not apply or breaks a limit, or no algorithm keeps to the
 * limits, with the reason. The plan keeps no pointer to problem or options. Destroy takes NULL. */
DWC_API dwc_status dwc_plan_create(const dwc_context *context, const dwc_problem *problem,
                                   const dwc_plan_options *options, dwc_plan **plan, dwc_error *error);
DWC_API void dwc_plan_destroy(dwc_plan *plan);

#define DWC_PARAMS_TEXT_MAX 128

typedef struct dwc_plan_info {
    dwc_problem problem;
    dwc_geometry geometry;
    const char *algo;                 /* static string */
    char params[DWC_PARAMS_TEXT_MAX]; /* "name=value,..."; empty when the algorithm has none */
    const char *kernel;               /* kernel instance, e.g. "nhwc_k3s1"; "" where there is none; static string */
    const char *isa;                  /* instruction set of the kernels */
    int threads;                      /* used by execute; fewer than asked for where the problem is too small */
    const char *source;   /* who chose: "explicit", "record", "near" (a record of another kind of machine, of an older
                           kernel, or for another number of threads), "model", or "measured" (a race just now) */
    const char *near;     /* of "near": "machine", "kernel" or "threads"; else ""; static string */
    double model_seconds; /* the cost model's guess */
    double error_bound;   /* of max |got - exact| / max over outputs of S, S = sum |input * filter| + |bias|; before the
                             last rounding, underflow aside */
    size_t packed_bytes, workspace_bytes;
    int spreads_nonfinite; /* 1: NaN or infinity of the input may reach outputs whose window does not contain it, and
                              inputs beyond a 4096th of the accumulator's largest number may give NaN or infinity */
    int64_t band_rows;     /* An image computed in bands of rows, as problems of their own, keeps its bits where all
                              bands begin at multiples of so many output rows; 0: only as a whole */
} dwc_plan_info;

DWC_API void dwc_plan_get_info(const dwc_plan *plan, dwc_plan_info *info);

/* One line that says all of it, for logs; as snprintf. */
DWC_API size_t dwc_plan_describe(const dwc_plan *plan, char *text, size_t size);

/* Rewrites the filter [kh,kw,c,m] into the plan's own form in `packed` (packed_bytes of dwc_plan_info, aligned to 64
 * bytes, not overlapping the filter). The result serves every execution of this plan. filter may be NULL only if it has
 * no elements. DWC_INVALID_ARGUMENT: a null pointer. */
DWC_API dwc_status dwc_plan_pack_filter(const dwc_plan *plan, const void *filter, void *packed, dwc_error *error);

/* Writes zeros to the tensors, each thread to about the part that it will read or write in dwc_plan_execute (low
 * images, whose channels the threads share, excepted): on a machine with several NUMA nodes fresh memory comes to lie
 * beside the core that first writes to it. To be called before the input is filled, best with threads bound
 * (dwc_context_options). Either pointer may be NULL. DWC_INVALID_ARGUMENT: the plan is a null pointer. */
DWC_API dwc_status dwc_plan_first_touch(const dwc_plan *plan, void *input, void *output, dwc_error *error);

/* Computes the output. bias is read only if the problem has one (else NULL is fine); workspace has workspace_bytes of
 * dwc_plan_info (NULL when that is 0), aligned to 64 bytes, one per concurrent call. Pointers of empty tensors may be
 * NULL. The output must overlap nothing else. Tensors need the alignment of their element type only. Allocates nothing
 * and takes no lock (the thread runtime's first parallel region, bound threads, and OpenBLAS inside im2col_gemm
 * excepted). For one algorithm and its parameters (which "auto" chooses by the image, by whether the batch stays in
 * the caches or is said to, and by the wisdom) the bits of the output depend on neither threads, n, an image's place
 * in the batch nor addresses, and for `direct` not on which instruction set with fused multiply-add is in use (AVX2,
 * AVX-512, NEON); signs and payloads of NaN aside, and provided that the caller's floating-point environment is the
 * default one, in which the worker threads run.
 * DWC_INVALID_ARGUMENT: a null pointer, or an output that overlaps another tensor, packed filter or workspace. */
DWC_API dwc_status dwc_plan_execute(const dwc_plan *plan, const void *input, const void *packed, const void *bias,
                                    void *output, void *workspace, dwc_error *error);

/* How an output compares with the exact result, computed in float64 (slow: a plain loop over all taps, threaded). */
typedef struct dwc_verification {
    double max_err; /* max |got - exact| / max over outputs of S, S = sum |input * filter| + |bias|; finite ones only */
    double tolerance; /* what the algorithm promises for max_err with this type, underflow aside */
    int64_t failures; /* outputs outside the promise. direct, im2col_gemm, reference: each output's own bound. NaN and
                         Inf must be where they belong (anywhere, with spreads_nonfinite and an input that has some or
                         is huge); where the exact value overflows the type, Inf is right */
    int64_t first_failure; /* element index in the output, -1 if none */
    double got, expected;  /* there */
    int passed;            /* 1 if failures is 0 */
} dwc_verification;

/* Checks `output` as a result of this plan on these tensors (the filter as given, not packed). */
DWC_API dwc_status dwc_plan_verify(const dwc_plan *plan, const void *input, const void *filter, const void *bias,
                                   const void *output, dwc_verification *result, dwc_error *error);

/* ---- one call, TensorFlow's argument list ------------------------------------------------------------------------ */

#define DWC_MAX_RANK 8
typedef struct dwc_tensor {
    dwc_dtype dtype;
    int rank;
    int64_t shape[DWC_MAX_RANK];
    void *data; /* dense, row-major; not written for input and filter */
} dwc_tensor;

/* The attributes of tf.raw_ops.DepthwiseConv2dNative. */
typedef struct dwc_tf_attributes {
    const int64_t *strides; /* length 4, in the order of data_format: [1,sh,sw,1] or [1,1,sh,sw] */
    int strides_count;
    const char *padding;              /* "SAME", "VALID", "EXPLICIT" */
    const int64_t *explicit_paddings; /* 8 numbers, before and after of each dimension; only with "EXPLICIT" */
    int explicit_paddings_count;
    const char *data_format;  /* "NHWC", "NCHW"; NULL: "NHWC" */
    const int64_t *dilations; /* length 4 like strides; NULL with count 0: all 1 */
    int dilations_count;
} dwc_tf_attributes;

/* The problem of such a call; makes every argument check of the operator. input and filter: dtype, rank and shape are
 * read, data is not. */
DWC_API dwc_status dwc_problem_from_tf(const dwc_tensor *input, const dwc_tensor *filter,
                                       const dwc_tf_attributes *attributes, dwc_problem *problem, dwc_error *error);

/* Plans, packs and executes once with memory of the context's allocator. output: dtype, rank and shape must be those of
 * the result (dwc_problem_from_tf and dwc_problem_geometry tell them). */
DWC_API dwc_status dwc_depthwise_conv2d_native(const dwc_context *context, const dwc_tensor *input,
                                               const dwc_tensor *filter, const dwc_tf_attributes *attributes,
                                               const dwc_tensor *output, dwc_error *error);

#ifdef __cplusplus
}
#endif

#endif

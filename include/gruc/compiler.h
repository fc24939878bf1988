/* SPDX-License-Identifier: MIT */
#ifndef GRUC_COMPILER_H
#define GRUC_COMPILER_H

/* libgruc: from a model description and its weights to running code or files. Nothing is printed,
 * no signal handler or global is touched, and no input makes it exit. Handles are opaque; distinct
 * handles may be used by distinct threads at once, one handle by one thread at a time. */

#include <gruc/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, "major.minor.patch", static storage. */
GRUC_API const char *gruc_version(void);

/* ---- diagnostics ---- */
enum gruc_diagnostic_level { GRUC_LEVEL_NOTE, GRUC_LEVEL_WARNING, GRUC_LEVEL_ERROR };

struct gruc_diagnostic {
    size_t size;
    enum gruc_diagnostic_level level;
    const char *code;        /* "E0123", or "" */
    const char *file;        /* or NULL */
    unsigned line, column, length; /* from 1; 0: unknown */
    const char *text;
    const char *source_line; /* or NULL */
};
/* The diagnostic and its texts are valid during the call only. */
typedef void (*gruc_diagnostic_function)(void *context, const struct gruc_diagnostic *diagnostic);

/* ---- options ---- */
enum gruc_tier { GRUC_TIER_ACCURATE, GRUC_TIER_FAST, GRUC_TIER_APPROX };

/* How the weights of products are stored. AUTO never changes a result: it takes a narrower type
 * only where that holds every weight of a tensor exactly. Under BF16 and F16 weights are rounded
 * to nearest even; F16 leaves everything else float32, BF16 rounds each row that is multiplied as
 * well, unless the product is too small to gain by it. Under INT8 each column of weights has a
 * scale, and each row that is multiplied is quantized to 16 bits by its largest number. A tensor
 * that the type cannot hold, and a product too small to gain by INT8, stays float32. */
enum gruc_weights_type {
    GRUC_WEIGHTS_TYPE_AUTO,
    GRUC_WEIGHTS_TYPE_F32,
    GRUC_WEIGHTS_TYPE_BF16,
    GRUC_WEIGHTS_TYPE_F16,
    GRUC_WEIGHTS_TYPE_INT8
};

struct gruc_options {
    size_t size;                 /* sizeof(struct gruc_options) */
    gruc_diagnostic_function diagnostic; /* may be NULL */
    void *diagnostic_context;
    const char *weights;         /* file that overrides the model's own; NULL: the model's */
    uint64_t seed;               /* of the initialisers when there are no weights */
    const char *backend;         /* "auto" (NULL), "cpu", "ref", "cuda", "cudnn" */
    const char *target;          /* LLVM triple, NULL: this machine */
    const char *cpu;             /* LLVM's name, "native", NULL: native here, generic elsewhere */
    const char *features;        /* LLVM feature list, NULL: none */
    int optimization;            /* 0 to 3; 2 by default */
    enum gruc_tier accuracy;
    uint64_t batch;              /* overrides the model's static batch, 0: as the model says */
    uint64_t steps;              /* static number of steps for every "~", 0: any */
    unsigned threads;            /* what run and bench use; code is the same */
    const char *dump_after;      /* pass name or "all", NULL: none */
    void (*dump)(void *context, const char *pass, const char *text); /* receives dumps */
    void *dump_context;
    void (*time_pass)(void *context, const char *phase, double milliseconds);
    void *time_context;
    enum gruc_weights_type weights_type;
};
/* Fills in the defaults, size included. */
GRUC_API void gruc_options_init(struct gruc_options *options);

/* ---- models ---- */
struct gruc_model_handle;

/* Parses and checks a file (or text of length bytes named path for messages and for finding the
 * weights beside it). Diagnostics go to options->diagnostic. GRUC_ERROR_INPUT when there were
 * errors. *out is the caller's, NULL on failure. options may be NULL. Large weights are not kept in
 * memory: their file stays open until the model is destroyed and is read whenever it is compiled;
 * GRUC_ERROR_INPUT when it has become shorter. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_model_open(const char *path,
                                                        const struct gruc_options *options,
                                                        struct gruc_model_handle **out);
GRUC_API GRUC_MUST_USE enum gruc_status gruc_model_parse(const char *path, const char *text,
                                                         size_t length,
                                                         const struct gruc_options *options,
                                                         struct gruc_model_handle **out);
GRUC_API void gruc_model_destroy(struct gruc_model_handle *model);

/* ---- code ---- */
/* Compiles for this process. The module owns its code and is freed by grt_module_destroy; it
 * outlives model. GRUC_ERROR_UNSUPPORTED with a diagnostic when no back end takes the model.
 * Machine code is generated in threads of its own, at most seven and one for each other processor
 * that the caller may use; they have ended when it returns. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_model_jit(struct gruc_model_handle *model,
                                                       const struct gruc_options *options,
                                                       struct grt_module **out);

enum gruc_emit {
    GRUC_EMIT_OBJ, GRUC_EMIT_STATIC, GRUC_EMIT_SHARED, GRUC_EMIT_EXE, GRUC_EMIT_HEADER,
    GRUC_EMIT_ASM, GRUC_EMIT_LLVM_IR, GRUC_EMIT_IR, GRUC_EMIT_DOT,
    GRUC_EMIT_COUNT
};
/* Writes one file; beside its place first, then renamed, so a failure leaves nothing. */
GRUC_API GRUC_MUST_USE enum gruc_status gruc_model_emit(struct gruc_model_handle *model,
                                                        const struct gruc_options *options,
                                                        enum gruc_emit emit, const char *path);

#ifdef __cplusplus
}
#endif
#endif

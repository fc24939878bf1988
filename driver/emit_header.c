/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "codegen/entry_points.h"
#include "driver/emit.h"
#include "driver/header_names.h"

/* What the parts of a header are written from. */
struct header {
    const struct gruc_module_info *info;
    const struct gruc_tensor_info *tensors;
    struct gruc_header_names names;
    uint64_t stack_bytes;
    struct gruc_strbuf *out;
};

static const char *c_type(const struct gruc_tensor_info *tensor)
{
    static const char *const types[] = {
        [GRUC_FLOAT32] = "float",
        [GRUC_INT32] = "int32_t",
        [GRUC_BOOL] = "uint8_t",
    };
    return types[tensor->dtype];
}

static size_t port_count(const struct header *header)
{
    return (size_t)header->info->n_inputs + header->info->n_outputs;
}

static int is_output(const struct header *header, size_t index)
{
    return index >= header->info->n_inputs;
}

/* (batch, steps, 40), without the batch for functions of one row. */
static void append_shape(const struct header *header, const struct gruc_tensor_info *tensor,
                         int with_batch)
{
    struct gruc_strbuf *out = header->out;
    const char *separator = "";
    gruc_strbuf_text(out, "(");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        if (dim == GRUC_DIM_BATCH && !with_batch)
            continue;
        gruc_strbuf_text(out, separator);
        separator = ", ";
        if (dim == GRUC_DIM_BATCH)
            gruc_strbuf_text(out, "batch");
        else if (dim < 0)
            gruc_strbuf_text(out, header->names.steps[-2 - dim]);
        else
            gruc_strbuf_format(out, "%" PRId64, dim);
    }
    gruc_strbuf_text(out, ")");
}

static void write_opening(const struct header *header)
{
    const char *upper = header->names.upper;
    gruc_strbuf_format(header->out,
                       "/* Made by gruc %s from the model '%s'. The code needs no library, keeps\n"
                       " * nothing between calls outside the state, allocates nothing and calls "
                       "nothing. All\n * arrays are dense, row-major and the caller's; they must "
                       "not overlap. */\n"
                       "#ifndef %s_H\n#define %s_H\n\n"
                       "#include <stddef.h>\n#include <stdint.h>\n\n"
                       "#ifdef __cplusplus\n"
                       "#define %s_ALIGNED alignas(64)\n"
                       "#define %s_ASSERT(condition, text) static_assert(condition, text)\n"
                       "extern \"C\" {\n"
                       "#else\n"
                       "#define %s_ALIGNED _Alignas(64)\n"
                       "#define %s_ASSERT(condition, text) _Static_assert(condition, text)\n"
                       "#endif\n\n",
                       gruc_version(), header->info->name, upper, upper, upper, upper, upper,
                       upper);
}

static void write_scratch_macro(const struct header *header)
{
    const struct gruc_module_info *info = header->info;
    struct gruc_strbuf *out = header->out;
    gruc_strbuf_text(out, "/* Bytes of workspace for a call that computes so many rows, aligned to "
                          "64. */\n");
    gruc_strbuf_format(out, "#define %s_SCRATCH_BYTES(rows", header->names.upper);
    for (uint32_t i = 0; i < info->n_steps; i++)
        gruc_strbuf_format(out, ", %s", header->names.steps[i]);
    gruc_strbuf_format(out,
                       ") \\\n    (%" PRIu64 "u + ((uint64_t)(rows) < %" PRIu64
                       "u ? (uint64_t)(rows) : %" PRIu64 "u) * (%" PRIu64 "u",
                       info->workspace_fixed, info->row_group, info->row_group,
                       info->workspace_row);
    for (uint32_t i = 0; i < info->n_steps; i++)
        gruc_strbuf_format(out, " + %" PRIu64 "u * (uint64_t)(%s)", info->workspace_row_step[i],
                           header->names.steps[i]);
    gruc_strbuf_format(out, ") + %" PRIu64 "u)\n\n", info->tile_rows * info->workspace_tile);
}

static void write_constants(const struct header *header)
{
    const struct gruc_module_info *info = header->info;
    const char *upper = header->names.upper;
    struct gruc_strbuf *out = header->out;
    gruc_strbuf_format(out, "#define %s_ABI_VERSION %uu\n", upper, info->abi);
    gruc_strbuf_format(out, "#define %s_STATE_BYTES %" PRIu64 "u /* of each row of the batch */\n",
                       upper, info->state_bytes);
    gruc_strbuf_format(out, "#define %s_STATE_ALIGN %uu\n", upper, GRUC_ABI_ALIGNMENT);
    if (header->stack_bytes != 0)
        gruc_strbuf_format(out, "#define %s_STACK_BYTES %" PRIu64 "u /* most that a call uses */\n",
                           upper, header->stack_bytes);
    if (info->batch != 0)
        gruc_strbuf_format(out, "#define %s_BATCH %" PRIu64 "u /* rows of every call */\n", upper,
                           info->batch);
    for (uint32_t i = 0; i < info->n_steps; i++) {
        if (info->steps[i] != 0)
            gruc_strbuf_format(out, "#define %s_STATIC_STEPS_%u %" PRIu64 "u\n", upper, (unsigned)i,
                               info->steps[i]);
    }
    for (size_t i = 0; i < port_count(header); i++) {
        const struct gruc_tensor_info *tensor = &header->tensors[i];
        gruc_strbuf_format(out, "#define %s_%s_SIZE %" PRIu64 "u /* numbers a %s */\n", upper,
                           header->names.tensors_upper[i], gruc_header_count(tensor),
                           gruc_header_symbol(tensor) >= 0 ? "step" : "row");
    }
    gruc_strbuf_text(out, "\n");
    write_scratch_macro(header);
}

static void write_status(const struct header *header)
{
    const char *upper = header->names.upper;
    gruc_strbuf_format(header->out,
                       "/* What the functions that answer an int answer. */\n"
                       "enum %s_status {\n",
                       header->names.module);
#define STATUS_LINE(status, value, text)                                                           \
    gruc_strbuf_format(header->out, "    %s_" #status " = " #value ", /* " text " */\n", upper);
    GRUC_STATUS_LIST(STATUS_LINE)
#undef STATUS_LINE
    gruc_strbuf_text(header->out, "};\n\n");
}

static void write_padding(const struct header *header, unsigned *number, uint64_t from, uint64_t to)
{
    if (to > from)
        gruc_strbuf_format(header->out, "    uint8_t padding_%u[%" PRIu64 "];\n", (*number)++,
                           to - from);
}

/* The state that begins at the least offset from begin on, n_states: none. */
static uint32_t next_state(const struct header *header, uint64_t begin)
{
    const struct gruc_tensor_info *states = header->tensors + port_count(header);
    uint32_t best = header->info->n_states;
    for (uint32_t i = 0; i < header->info->n_states; i++) {
        if (states[i].offset >= begin &&
            (best == header->info->n_states || states[i].offset < states[best].offset))
            best = i;
    }
    return best;
}

static void write_state(const struct header *header)
{
    const char *name = header->names.module;
    struct gruc_strbuf *out = header->out;
    if (header->info->state_bytes == 0) {
        gruc_strbuf_format(out,
                           "/* The model has no state: pass NULL. */\n"
                           "typedef struct %s_state %s_state;\n\n",
                           name, name);
        return;
    }
    gruc_strbuf_format(out,
                       "/* What a row of the batch carries from call to call: the caller's, "
                       "without pointers,\n * so it may be copied and stored as bytes. All zero "
                       "is the start. */\n"
                       "typedef struct %s_state {\n"
                       "    %s_ALIGNED uint32_t started; /* 0 until the first call */\n",
                       name, header->names.upper);
    uint64_t place = sizeof(uint32_t);
    unsigned paddings = 0;
    uint32_t index = next_state(header, place);
    while (index < header->info->n_states) {
        const struct gruc_tensor_info *state = header->tensors + port_count(header) + index;
        uint64_t width = gruc_header_count(state);
        write_padding(header, &paddings, place, state->offset);
        gruc_strbuf_format(out, "    float %s[%" PRIu64 "];\n",
                           header->names.tensors[port_count(header) + index], width);
        place = state->offset + width * sizeof(float);
        index = next_state(header, place);
    }
    write_padding(header, &paddings, place, header->info->state_bytes);
    gruc_strbuf_format(out,
                       "} %s_state;\n\n%s_ASSERT(sizeof(%s_state) == %s_STATE_BYTES, "
                       "\"layout of the state\");\n\n",
                       name, header->names.upper, name, header->names.upper);
}

static void write_args(const struct header *header)
{
    static const struct {
        const char *type, *name, *text;
    } head[] = {
#define GRUC_ABI_ARGUMENT(type, name, text) {#type, #name, text},
#include <gruc/abi.def>
#undef GRUC_ABI_ARGUMENT
    };
    const char *name = header->names.module, *upper = header->names.upper;
    struct gruc_strbuf *out = header->out;
    gruc_strbuf_format(out,
                       "/* Bits of flags: continue from the state and store to it; check the "
                       "arguments only. */\n"
                       "#define %s_ARGS_CARRY %uu\n#define %s_ARGS_VALIDATE %uu\n\n"
                       "typedef void gruc_barrier_function(void *context);\n\n"
                       "/* One call of %s_run_batch. Every member has eight bytes. */\n"
                       "struct %s_args {\n",
                       upper, GRUC_ARGS_CARRY, upper, GRUC_ARGS_VALIDATE, name, name);
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        if (strcmp(head[i].name, "state") == 0)
            gruc_strbuf_format(out, "    %s_state *state; /* batch of them, or NULL */\n", name);
        else
            gruc_strbuf_format(out, "    %s%s%s; /* %s%s */\n", head[i].type,
                               strchr(head[i].type, '*') != NULL ? "" : " ", head[i].name,
                               strncmp(head[i].text, "GRUC", 4) == 0 ? upper : "",
                               head[i].text + 4 * (strncmp(head[i].text, "GRUC", 4) == 0));
    }
    for (uint32_t i = 0; i < header->info->n_steps; i++)
        gruc_strbuf_format(out, "    uint64_t %s;\n", header->names.steps[i]);
    for (size_t i = 0; i < port_count(header); i++) {
        gruc_strbuf_format(out, "    %s%s *%s; /* ", is_output(header, i) ? "" : "const ",
                           c_type(&header->tensors[i]), header->names.tensors[i]);
        append_shape(header, &header->tensors[i], 1);
        gruc_strbuf_text(out, " */\n");
    }
    gruc_strbuf_format(out,
                       "};\n\n%s_ASSERT(sizeof(void *) == 8, \"64-bit targets only\");\n"
                       "%s_ASSERT(sizeof(struct %s_args) == %zu, \"layout of the arguments\");\n\n",
                       upper, upper, name,
                       8 * (GRUC_ABI_HEAD_SLOTS + header->info->n_steps + port_count(header)));
}

/* The parameters of the functions for one row: of NAME_step each a step of a sequence, of NAME_run
 * whole sequences, their numbers of steps between inputs and outputs. */
static void append_parameters(const struct header *header, int whole, const char *indent)
{
    struct gruc_strbuf *out = header->out;
    for (size_t i = 0; i <= port_count(header); i++) {
        if (whole && i == header->info->n_inputs) {
            for (uint32_t k = 0; k < header->info->n_steps; k++) {
                if (header->info->steps[k] == 0)
                    gruc_strbuf_format(out, ",%ssize_t %s", indent, header->names.steps[k]);
            }
        }
        if (i == port_count(header))
            break;
        const struct gruc_tensor_info *tensor = &header->tensors[i];
        gruc_strbuf_format(out, ",%s%s%s %s%s", indent, is_output(header, i) ? "" : "const ",
                           c_type(tensor), whole ? "*" : "", header->names.tensors[i]);
        if (!whole)
            gruc_strbuf_format(out, "[%" PRIu64 "]", gruc_header_count(tensor));
    }
}

/* The declaration on one line where it fits. */
static void append_function(const struct header *header, const char *type, const char *function,
                            int whole)
{
    struct gruc_strbuf *out = header->out;
    struct gruc_strbuf line;
    gruc_strbuf_init(&line);
    struct header measured = *header;
    measured.out = &line;
    append_parameters(&measured, whole, " ");
    size_t fixed = strlen(type) + 3 * strlen(header->names.module) + strlen(function) + 20;
    const char *indent = line.length + fixed > 100 ? "\n        " : " ";
    out->failed |= line.failed;
    gruc_strbuf_finish(&line);
    gruc_strbuf_format(out, "%s %s_%s(%s_state *state", type, header->names.module, function,
                       header->names.module);
    append_parameters(header, whole, indent);
    gruc_strbuf_text(out, ");\n\n");
}

/* A comment line for each array. */
static void append_row_shapes(const struct header *header)
{
    for (size_t i = 0; i < port_count(header); i++) {
        gruc_strbuf_format(header->out, " *   %s ", header->names.tensors[i]);
        append_shape(header, &header->tensors[i], 0);
        gruc_strbuf_text(header->out, "\n");
    }
}

/* Only ids can be wrong where all lengths are fixed. */
static int has_ids(const struct header *header)
{
    for (uint32_t i = 0; i < header->info->n_inputs; i++) {
        if (header->tensors[i].dtype == GRUC_INT32)
            return 1;
    }
    return 0;
}

static void write_row_functions(const struct header *header)
{
    const char *name = header->names.module, *upper = header->names.upper;
    struct gruc_strbuf *out = header->out;
    if (header->info->state_bytes > 0)
        gruc_strbuf_format(out,
                           "/* Sets the state to its start, all zero. */\n"
                           "void %s_reset(%s_state *state);\n\n",
                           name, name);
    const char *why = gruc_entry_refuses_step(header->info);
    if (why == NULL) {
        gruc_strbuf_text(out,
                         "/* One step of one row, of each sequence one step; the state goes on "
                         "from the call before.");
        if (has_ids(header))
            gruc_strbuf_format(out,
                               "\n * %s_ERROR_ID when an id lies outside its table; the state then "
                               "stays as it was.",
                               upper);
        gruc_strbuf_text(out, " */\n");
        append_function(header, has_ids(header) ? "int" : "void", "step", 0);
    } else {
        gruc_strbuf_format(out, "/* There is no %s_step: %s. */\n\n", name, why);
    }
    why = gruc_entry_refuses_run(header->info);
    if (why == NULL) {
        gruc_strbuf_text(out, "/* One row, all steps; the state goes on from the call before:\n");
        append_row_shapes(header);
        if (header->info->n_steps > 0)
            gruc_strbuf_format(out, " * %s_ERROR_STEPS when there are no steps.\n", upper);
        if (has_ids(header))
            gruc_strbuf_format(out, " * %s_ERROR_ID when an id lies outside its table.\n", upper);
        gruc_strbuf_format(out, " * State changes only on %s_OK. */\n", upper);
        append_function(header, "int", "run", 1);
    } else {
        gruc_strbuf_format(out, "/* There is no %s_run: %s. Use %s_run_batch. */\n\n", name, why,
                           name);
    }
}

static void write_functions(const struct header *header)
{
    const char *name = header->names.module, *upper = header->names.upper;
    struct gruc_strbuf *out = header->out;
    write_row_functions(header);
    gruc_strbuf_format(out,
                       "/* Rows first_row to first_row + row_count of a batch of any size; threads "
                       "may compute\n"
                       " * different rows of the same arrays at the same time, each with a "
                       "workspace of its own.%s\n%s"
                       " * Returns enum %s_status; state changes only on %s_OK. */\n"
                       "int %s_run_batch(const struct %s_args *args);\n\n",
                       header->info->flags & GRUC_MODULE_COUPLED
                           ? "\n * Rows of this model depend on each other: compute all in one "
                             "call."
                           : "",
                       header->info->unit_threads > 1
                           ? " * Or threads compute the same rows on one workspace: equal "
                             "arguments but for share.\n"
                           : "",
                       name, upper, name, name);
    gruc_strbuf_format(out,
                       "/* For grt_module_create of libgruc_rt: names, types and shapes. Cast "
                       "%s_run_batch to\n * gruc_run_function there. Constant data. */\n"
                       "struct gruc_module_info;\n"
                       "const struct gruc_module_info *%s_describe(void);\n\n"
                       "/* JSON: shapes, types, target, digests of the model and its weights. "
                       "Constant data. */\n"
                       "const char *%s_info(void);\n\n",
                       name, name, name);
    gruc_strbuf_text(out, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}

static enum gruc_status write_header(const struct gruc_facts *facts, struct gruc_arena *arena,
                                     struct gruc_strbuf *out)
{
    struct header header = {
        .info = facts->info,
        .tensors = gruc_module_tensors(facts->info),
        .stack_bytes = facts->stack_bytes,
        .out = out,
    };
    GRUC_TRY(gruc_header_names_make(facts->info, arena, &header.names));
    write_opening(&header);
    write_constants(&header);
    write_status(&header);
    write_state(&header);
    write_args(&header);
    write_functions(&header);
    return out->failed ? GRUC_ERROR_MEMORY : GRUC_OK;
}

enum gruc_status gruc_emit_header(struct gruc_compilation *compilation,
                                  struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    const struct gruc_backend *backend = NULL;
    struct gruc_facts facts = {0};
    gruc_arena_init(&arena);
    enum gruc_status status = gruc_compile_lower(compilation, handle, &arena, &ir);
    if (status == GRUC_OK)
        status = gruc_compile_choose(compilation, ir, 1, &backend);
    if (status == GRUC_OK)
        status = backend->facts(ir, &compilation->target, &compilation->diag, &facts);
    if (status == GRUC_OK)
        status = write_header(&facts, &arena, out);
    gruc_arena_finish(&arena);
    return status;
}

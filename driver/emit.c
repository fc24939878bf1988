/* SPDX-License-Identifier: MIT */
#include "driver/emit.h"

#include "driver/archive.h"
#include "driver/file.h"
#include "driver/link.h"

static enum gruc_status emit_object(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    return gruc_compile_artifact(compilation, handle, GRUC_ARTIFACT_OBJECT, out);
}

static enum gruc_status emit_asm(struct gruc_compilation *compilation,
                                 struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    return gruc_compile_artifact(compilation, handle, GRUC_ARTIFACT_ASM, out);
}

static enum gruc_status emit_llvm_ir(struct gruc_compilation *compilation,
                                     struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    return gruc_compile_artifact(compilation, handle, GRUC_ARTIFACT_LLVM_IR, out);
}

static enum gruc_status emit_static(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    struct gruc_strbuf object;
    gruc_strbuf_init(&object);
    enum gruc_status status = emit_object(compilation, handle, &object);
    if (status == GRUC_OK) {
        status = gruc_archive_write(handle->model->name, &object, out);
        if (status == GRUC_ERROR_UNSUPPORTED)
            gruc_diag_error(&compilation->diag, GRUC_E_LINK, (struct gruc_mark){0},
                            "static libraries are made of 64-bit little-endian ELF objects only");
    }
    gruc_strbuf_finish(&object);
    return status;
}

typedef enum gruc_status (*link_function)(const char *target, const struct gruc_strbuf *object,
                                          struct gruc_diag *diag, struct gruc_strbuf *out);

static enum gruc_status emit_linked(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, link_function link,
                                    struct gruc_strbuf *out)
{
    struct gruc_strbuf object;
    gruc_strbuf_init(&object);
    enum gruc_status status =
        gruc_compile_artifact(compilation, handle, GRUC_ARTIFACT_ENTRY, &object);
    if (status == GRUC_OK)
        status = link(compilation->target.triple, &object, &compilation->diag, out);
    gruc_strbuf_finish(&object);
    return status;
}

static enum gruc_status emit_shared(struct gruc_compilation *compilation,
                                    struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    return emit_linked(compilation, handle, gruc_link_shared, out);
}

static enum gruc_status emit_program(struct gruc_compilation *compilation,
                                     struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    return emit_linked(compilation, handle, gruc_link_program, out);
}

static enum gruc_status emit_ir(struct gruc_compilation *compilation,
                                struct gruc_model_handle *handle, struct gruc_strbuf *out)
{
    struct gruc_arena arena;
    struct gruc_ir *ir = NULL;
    gruc_arena_init(&arena);
    enum gruc_status status = gruc_compile_lower(compilation, handle, &arena, &ir);
    if (status == GRUC_OK)
        status = gruc_ir_print_text(ir, out);
    gruc_arena_finish(&arena);
    return status;
}

static const struct gruc_emit_kind kinds[GRUC_EMIT_COUNT] = {
    [GRUC_EMIT_OBJ] = {"obj", ".o", 0, emit_object},
    [GRUC_EMIT_STATIC] = {"static", ".a", 0, emit_static},
    [GRUC_EMIT_SHARED] = {"shared", ".so", 1, emit_shared},
    [GRUC_EMIT_EXE] = {"exe", "", 1, emit_program},
    [GRUC_EMIT_HEADER] = {"header", ".h", 0, gruc_emit_header},
    [GRUC_EMIT_ASM] = {"asm", ".s", 0, emit_asm},
    [GRUC_EMIT_LLVM_IR] = {"llvm-ir", ".ll", 0, emit_llvm_ir},
    [GRUC_EMIT_IR] = {"ir", ".ir", 0, emit_ir},
    [GRUC_EMIT_DOT] = {"dot", ".dot", 0, gruc_emit_dot},
};

const struct gruc_emit_kind *gruc_emit_describe(enum gruc_emit emit)
{
    return &kinds[emit];
}

static enum gruc_status emit_one(struct gruc_compilation *compilation,
                                 struct gruc_model_handle *handle,
                                 const struct gruc_emit_file *file, struct gruc_file_group *group)
{
    const struct gruc_emit_kind *kind = &kinds[file->emit];
    struct gruc_strbuf bytes;
    gruc_strbuf_init(&bytes);
    enum gruc_status status = kind->write(compilation, handle, &bytes);
    if (status == GRUC_OK)
        status =
            gruc_file_group_add(group, file->path, &bytes, kind->executable, &compilation->diag);
    gruc_strbuf_finish(&bytes);
    return status;
}

enum gruc_status gruc_emit_files(struct gruc_compilation *compilation,
                                 struct gruc_model_handle *handle,
                                 const struct gruc_emit_file *files, size_t count)
{
    struct gruc_file_group group;
    gruc_file_group_init(&group);
    enum gruc_status status = GRUC_OK;
    for (size_t i = 0; i < count && status == GRUC_OK; i++)
        status = emit_one(compilation, handle, &files[i], &group);
    if (status == GRUC_OK)
        status = gruc_file_group_commit(&group, &compilation->diag);
    gruc_file_group_finish(&group);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Small builders over LLVM's. */
#include "codegen/cpu/emitter.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOB_LEAST = 1 << 16, HUGE_PAGE = 1 << 21 };

/* Pages that nobody has written yet take no memory and are zero, so a large blob may have room to
 * spare; one that outgrows it moves without being copied. */
static int grow(struct cpu_blob *blob, size_t end)
{
    size_t capacity = blob->capacity == 0 ? BLOB_LEAST : blob->capacity;
    while (capacity < end)
        capacity *= 2;
    void *bytes = blob->bytes == NULL
                      ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                             -1, 0)
                      : mremap(blob->bytes, blob->capacity, capacity, MREMAP_MAYMOVE);
    blob->failed = bytes == MAP_FAILED;
    if (blob->failed)
        return 0;
    if (capacity >= HUGE_PAGE)
        madvise(bytes, capacity, MADV_HUGEPAGE); /* only a wish */
    blob->bytes = bytes;
    blob->capacity = capacity;
    return 1;
}

size_t cpu_blob_reserve(struct cpu_blob *blob, size_t size)
{
    size_t start = (blob->size + CPU_BLOB_ALIGNMENT - 1) / CPU_BLOB_ALIGNMENT * CPU_BLOB_ALIGNMENT;
    size_t end;
    if (blob->failed || __builtin_add_overflow(start, size, &end) || end > SIZE_MAX / 4) {
        blob->failed = 1;
        return 0;
    }
    if (end > blob->capacity && !grow(blob, end))
        return 0;
    blob->size = end;
    return start;
}

struct cpu_piece {
    size_t offset, size;
};

static void keep_piece(struct cpu_blob *blob, size_t offset, size_t size)
{
    if (blob->n_pieces == blob->pieces_capacity) {
        size_t capacity = blob->pieces_capacity == 0 ? 32 : 2 * blob->pieces_capacity;
        struct cpu_piece *pieces = realloc(blob->pieces, capacity * sizeof *pieces);
        if (pieces == NULL) {
            blob->failed = 1;
            return;
        }
        blob->pieces = pieces;
        blob->pieces_capacity = capacity;
    }
    blob->pieces[blob->n_pieces++] = (struct cpu_piece){.offset = offset, .size = size};
}

size_t cpu_blob_settle(struct cpu_blob *blob, size_t offset)
{
    if (blob->failed)
        return 0;
    size_t size = blob->size - offset;
    for (size_t i = 0; i < blob->n_pieces; i++) {
        size_t earlier = blob->pieces[i].offset;
        if (blob->pieces[i].size != size ||
            memcmp(blob->bytes + earlier, blob->bytes + offset, size) != 0)
            continue;
        memset(blob->bytes + offset, 0, size); /* as reserved bytes are */
        blob->size = offset;
        return earlier;
    }
    keep_piece(blob, offset, size);
    return offset;
}

void cpu_blob_finish(struct cpu_blob *blob)
{
    free(blob->pieces);
    if (blob->bytes != NULL)
        munmap(blob->bytes, blob->capacity);
    *blob = (struct cpu_blob){0};
}

LLVMValueRef l_i64(struct cpu_emitter *e, uint64_t value)
{
    return LLVMConstInt(e->t_i64, value, 0);
}

int l_is_number(LLVMValueRef v, uint64_t value)
{
    return LLVMIsAConstantInt(v) && LLVMConstIntGetZExtValue(v) == value;
}

LLVMValueRef l_once(LLVMValueRef v)
{
    enum { LOOKED_AT = 24 };
    if (!LLVMIsAInstruction(v))
        return v;
    LLVMOpcode opcode = LLVMGetInstructionOpcode(v);
    LLVMValueRef a = LLVMGetOperand(v, 0), b = LLVMGetOperand(v, 1), earlier = v;
    for (unsigned i = 0; i < LOOKED_AT; i++) {
        earlier = LLVMGetPreviousInstruction(earlier);
        if (earlier == NULL)
            return v;
        if (LLVMGetInstructionOpcode(earlier) == opcode && LLVMGetNumOperands(earlier) == 2 &&
            LLVMGetOperand(earlier, 0) == a && LLVMGetOperand(earlier, 1) == b) {
            LLVMInstructionEraseFromParent(v);
            return earlier;
        }
    }
    return v;
}

/* What is not emitted need not be simplified, and not all functions are. */
LLVMValueRef l_add(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    if (l_is_number(a, 0) || l_is_number(b, 0))
        return l_is_number(a, 0) ? b : a;
    return l_once(LLVMBuildAdd(e->builder, a, b, ""));
}

LLVMValueRef l_mul(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    if (l_is_number(a, 0) || l_is_number(b, 1))
        return a;
    if (l_is_number(b, 0) || l_is_number(a, 1))
        return b;
    return l_once(LLVMBuildMul(e->builder, a, b, ""));
}

LLVMValueRef l_offset(struct cpu_emitter *e, LLVMValueRef v_base, LLVMValueRef v_bytes)
{
    if (l_is_number(v_bytes, 0))
        return v_base;
    return l_once(LLVMBuildInBoundsGEP2(e->builder, e->t_i8, v_base, &v_bytes, 1, ""));
}

LLVMValueRef l_load(struct cpu_emitter *e, LLVMTypeRef type, LLVMValueRef v_pointer,
                    unsigned align)
{
    LLVMValueRef load = LLVMBuildLoad2(e->builder, type, v_pointer, "");
    LLVMSetAlignment(load, align);
    return load;
}

void l_store(struct cpu_emitter *e, LLVMValueRef value, LLVMValueRef v_pointer, unsigned align)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, v_pointer), align);
}

void l_prefetch(struct cpu_emitter *e, LLVMValueRef v_pointer)
{
    LLVMValueRef write = LLVMConstInt(e->t_i32, 0, 0),
                 near = LLVMConstInt(e->t_i32, 2, 0),
                 data = LLVMConstInt(e->t_i32, 1, 0);
    LLVMValueRef arguments[4] = {v_pointer, write, near, data};
    l_intrinsic(e, "llvm.prefetch", e->t_ptr, arguments, 4);
}

LLVMValueRef l_smaller(struct cpu_emitter *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef v_is_a = LLVMBuildICmp(e->builder, LLVMIntULT, a, b, "");
    return LLVMBuildSelect(e->builder, v_is_a, a, b, "");
}

LLVMTypeRef l_vector(LLVMTypeRef element, unsigned lanes)
{
    return lanes == 1 ? element : LLVMVectorType(element, lanes);
}

LLVMValueRef l_splat(struct cpu_emitter *e, LLVMValueRef v_scalar, unsigned lanes)
{
    if (lanes == 1)
        return v_scalar;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(v_scalar), lanes);
    LLVMValueRef zero = LLVMConstInt(e->t_i32, 0, 0);
    LLVMValueRef one = LLVMBuildInsertElement(e->builder, LLVMGetPoison(type), v_scalar, zero, "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(e->t_i32, lanes));
    return LLVMBuildShuffleVector(e->builder, one, LLVMGetPoison(type), mask, "");
}

LLVMValueRef l_intrinsic(struct cpu_emitter *e, const char *name, LLVMTypeRef overload,
                         LLVMValueRef *arguments, unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, &overload, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, &overload, 1);
    return LLVMBuildCall2(e->builder, type, function, arguments, count, "");
}

LLVMValueRef l_instruction(struct cpu_emitter *e, const char *name, LLVMValueRef *arguments,
                           unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0), types[4];
    LLVMGetParamTypes(type, types);
    for (unsigned i = 0; i < count; i++)
        arguments[i] = LLVMBuildBitCast(e->builder, arguments[i], types[i], "");
    return LLVMBuildCall2(e->builder, type, function, arguments, count, "");
}

LLVMBasicBlockRef l_block(struct cpu_emitter *e, const char *name)
{
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

LLVMBasicBlockRef l_entry_begin(struct cpu_emitter *e)
{
    LLVMBasicBlockRef b_now = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef b_entry = LLVMGetEntryBasicBlock(e->function);
    LLVMValueRef v_end = LLVMGetBasicBlockTerminator(b_entry);
    if (v_end != NULL)
        LLVMPositionBuilderBefore(e->builder, v_end);
    else
        LLVMPositionBuilderAtEnd(e->builder, b_entry);
    return b_now;
}

void l_entry_end(struct cpu_emitter *e, LLVMBasicBlockRef b_now)
{
    LLVMPositionBuilderAtEnd(e->builder, b_now);
}

LLVMValueRef l_allocate(struct cpu_emitter *e, size_t bytes, const char *name)
{
    LLVMBasicBlockRef b_now = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef b_entry = LLVMGetEntryBasicBlock(e->function);
    LLVMPositionBuilder(e->builder, b_entry, LLVMGetFirstInstruction(b_entry));
    LLVMValueRef v = LLVMBuildAlloca(e->builder, LLVMArrayType(e->t_i8, (unsigned)bytes), name);
    LLVMSetAlignment(v, CPU_BLOB_ALIGNMENT);
    LLVMPositionBuilderAtEnd(e->builder, b_now);
    return v;
}

LLVMValueRef l_constant_mask(struct cpu_emitter *e, unsigned lanes, unsigned valid)
{
    LLVMValueRef bits[CPU_VECTOR_PAD];
    for (unsigned i = 0; i < lanes; i++)
        bits[i] = LLVMConstInt(e->t_i1, i < valid, 0);
    return LLVMConstVector(bits, lanes);
}

unsigned cpu_dtype_bytes(enum gruc_dtype dtype)
{
    return dtype == GRUC_BOOL ? 1 : 4;
}

LLVMTypeRef cpu_memory_type(struct cpu_emitter *e, enum gruc_dtype dtype)
{
    return dtype == GRUC_BOOL ? e->t_i8 : dtype == GRUC_INT32 ? e->t_i32 : e->t_float;
}

LLVMValueRef l_next(struct cpu_emitter *e, LLVMValueRef v_next)
{
    return LLVMBuildFreeze(e->builder, v_next, "");
}

static int runs_once(LLVMValueRef v_first, LLVMValueRef v_limit, LLVMValueRef v_step)
{
    if (!LLVMIsAConstantInt(v_first) || !LLVMIsAConstantInt(v_limit) ||
        !LLVMIsAConstantInt(v_step))
        return 0;
    uint64_t first = LLVMConstIntGetZExtValue(v_first), limit = LLVMConstIntGetZExtValue(v_limit);
    return first < limit && limit - first <= LLVMConstIntGetZExtValue(v_step);
}

struct l_loop l_loop_begin(struct cpu_emitter *e, LLVMValueRef v_first, LLVMValueRef v_limit,
                           LLVMValueRef v_step)
{
    if (runs_once(v_first, v_limit, v_step))
        return (struct l_loop){.v_index = v_first};
    struct l_loop loop = {.b_head = l_block(e, "head"), .b_body = l_block(e, "body"),
                          .b_after = l_block(e, "after"), .v_step = v_step};
    LLVMBasicBlockRef b_before = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, loop.b_head);
    LLVMPositionBuilderAtEnd(e->builder, loop.b_head);
    loop.v_index = LLVMBuildPhi(e->builder, e->t_i64, "i");
    LLVMAddIncoming(loop.v_index, &v_first, &b_before, 1);
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntULT, loop.v_index, v_limit, "");
    LLVMBuildCondBr(e->builder, more, loop.b_body, loop.b_after);
    LLVMPositionBuilderAtEnd(e->builder, loop.b_body);
    return loop;
}

void l_loop_end(struct cpu_emitter *e, const struct l_loop *loop)
{
    if (loop->b_head == NULL)
        return;
    LLVMValueRef next = l_next(e, LLVMBuildNUWAdd(e->builder, loop->v_index, loop->v_step, ""));
    LLVMBasicBlockRef b_last = LLVMGetInsertBlock(e->builder);
    LLVMAddIncoming(loop->v_index, &next, &b_last, 1);
    LLVMBuildBr(e->builder, loop->b_head);
    LLVMPositionBuilderAtEnd(e->builder, loop->b_after);
}

void l_attribute(struct cpu_emitter *e, LLVMValueRef function, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, kind, 0));
}

struct l_function l_function_begin(struct cpu_emitter *e, const char *name, LLVMTypeRef *parameters,
                                   unsigned count)
{
    struct l_function f = {.outer_function = e->function, .outer_weights = e->v_weights,
                           .b_outer = LLVMGetInsertBlock(e->builder)};
    f.type = LLVMFunctionType(e->t_void, parameters, count, 0);
    f.function = LLVMAddFunction(e->module, name, f.type);
    LLVMSetLinkage(f.function, LLVMInternalLinkage);
    l_attribute(e, f.function, "nounwind");
    /* Loops must not be turned into calls of memcpy and memset: there is nothing to link with. */
    LLVMAddAttributeAtIndex(f.function, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->context, "no-builtins", 11, "", 0));
    e->function = f.function;
    e->v_weights = LLVMGetParam(f.function, 0);
    LLVMPositionBuilderAtEnd(e->builder, l_block(e, "entry"));
    return f;
}

void l_function_end(struct cpu_emitter *e, struct l_function *f)
{
    LLVMBuildRetVoid(e->builder);
    e->function = f->outer_function;
    e->v_weights = f->outer_weights;
    if (f->b_outer != NULL)
        LLVMPositionBuilderAtEnd(e->builder, f->b_outer);
}

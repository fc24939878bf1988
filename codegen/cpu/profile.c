/* SPDX-License-Identifier: MIT */
/* Readings of the clock around stages. Their number and place change no operation of a stage. */
#include "codegen/profile.h"

#include <string.h>

#include "codegen/cpu/run.h"
#include "ir/schedule/walk.h"

/* The intrinsic that user code may read the clock by; 0: this LLVM or the target has none. */
static unsigned clock_of(const struct cpu_emitter *e)
{
    int is_x86 = strncmp(e->target->triple, "x86_64", 6) == 0;
    const char *name = is_x86 ? "llvm.readcyclecounter" : "llvm.readsteadycounter";
    return LLVMLookupIntrinsicID(name, strlen(name));
}

static LLVMValueRef read_clock(struct cpu_emitter *e)
{
    unsigned id = clock_of(e);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    return LLVMBuildCall2(e->builder, type, function, NULL, 0, "clock");
}

static LLVMValueRef slot_address(struct cpu_emitter *e, size_t slot)
{
    return LLVMConstIntToPtr(l_i64(e, (uint64_t)(uintptr_t)&e->profile[slot]), e->t_ptr);
}

static void add_to(struct cpu_emitter *e, size_t slot, LLVMValueRef v_amount)
{
    LLVMValueRef v_address = slot_address(e, slot);
    l_store(e, l_add(e, l_load(e, e->t_i64, v_address, 8), v_amount), v_address, 8);
}

static void end(struct cpu_run *r, size_t number, LLVMValueRef v_begin, LLVMValueRef v_rows)
{
    struct cpu_emitter *e = r->e;
    size_t first = number * GRUC_PROFILE_FIELDS;
    LLVMValueRef v_ticks = LLVMBuildSub(e->builder, read_clock(e), v_begin, "");
    add_to(e, first + GRUC_PROFILE_TICKS, v_ticks);
    add_to(e, first + GRUC_PROFILE_CALLS, l_i64(e, 1));
    add_to(e, first + GRUC_PROFILE_ROWS, v_rows);
}

LLVMValueRef cpu_profile_begin(struct cpu_run *r)
{
    return r->e->profile == NULL || clock_of(r->e) == 0 ? NULL : read_clock(r->e);
}

void cpu_profile_end(struct cpu_run *r, const struct gruc_stage *stage, LLVMValueRef v_begin,
                     LLVMValueRef v_rows)
{
    if (v_begin != NULL)
        end(r, gruc_schedule_number(r->e->schedule, stage), v_begin, v_rows);
}

LLVMValueRef cpu_profile_begin_group(struct cpu_run *r)
{
    LLVMValueRef v_begin = cpu_profile_begin(r);
    if (v_begin == NULL)
        return NULL;
    size_t count = gruc_schedule_count(r->e->schedule);
    end(r, gruc_profile_empty(count), v_begin, l_i64(r->e, 0));
    v_begin = read_clock(r->e);
    l_store(r->e, v_begin, slot_address(r->e, gruc_profile_clock(count)), 8);
    return v_begin;
}

void cpu_profile_end_group(struct cpu_run *r, LLVMValueRef v_begin)
{
    if (v_begin != NULL)
        end(r, gruc_profile_group(gruc_schedule_count(r->e->schedule)), v_begin, r->v_rows);
}

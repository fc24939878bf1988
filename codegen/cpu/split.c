/* SPDX-License-Identifier: MIT */
/* Machine code of a module by several threads: each takes some of the functions, in a module and a
 * context of its own, as LLVM's contexts are not shared among threads. Nearly all of the time of a
 * JIT is code generation, which looks at one function at a time. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "codegen/cpu/module.h"

/* Instructions that are worth a thread, which first reads them and opens the target; and the stack
 * that LLVM is used to, as some C libraries' threads have a small one. */
enum { PART_INSTRUCTIONS = 400, STACK_BYTES = 8 << 20 };

struct part {
    const struct cpu_target *target;
    LLVMMemoryBufferRef bitcode; /* of all functions */
    const unsigned char *takers; /* number of the part that takes a function */
    size_t number;
    int is_plain;                /* as it stands, by the code generator's fast passes */
    uint64_t instructions;
    LLVMMemoryBufferRef object;
    char *error; /* LLVM's; NULL: none, or no memory */
};

static unsigned processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static uint64_t instructions_of(LLVMValueRef function)
{
    uint64_t count = 0;
    LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(function);
    for (; block != NULL; block = LLVMGetNextBasicBlock(block)) {
        LLVMValueRef v = LLVMGetFirstInstruction(block);
        for (; v != NULL; v = LLVMGetNextInstruction(v))
            count++;
    }
    return count;
}

static size_t count_functions(LLVMModuleRef module)
{
    size_t count = 0;
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f))
        count++;
    return count;
}

/* ---- who takes which function ---- */

struct share {
    uint64_t instructions;
    size_t function; /* its number in the module */
};

/* The longest first; of equal ones the first, so that a module is always cut the same way. */
static int by_length(const void *a, const void *b)
{
    const struct share *x = a, *y = b;
    if (x->instructions != y->instructions)
        return x->instructions < y->instructions ? 1 : -1;
    return x->function < y->function ? -1 : 1;
}

static int is_plain(LLVMValueRef function)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("optnone", 7);
    return LLVMGetEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind) != NULL;
}

/* How many parts share the functions that are optimized. */
static size_t count_parts(uint64_t instructions)
{
    size_t parts = instructions / PART_INSTRUCTIONS, most = processors();
    most = most < CPU_MOST_OBJECTS - 1 ? most : CPU_MOST_OBJECTS - 1;
    return parts < 1 ? 1 : parts < most ? parts : most;
}

/* Gives each function to the part that has least, those that are not optimized to one that has
 * nothing else. Answers how many parts there are. */
static size_t divide(LLVMModuleRef module, struct share *shares, size_t count,
                     unsigned char *takers, struct part *parts)
{
    uint64_t total = 0;
    size_t n_shares = 0, number = 0, n_plain = 0;
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f)) {
        int plain = is_plain(f);
        takers[number] = plain ? CPU_MOST_OBJECTS : 0;
        n_plain += (size_t)plain;
        if (!plain) {
            shares[n_shares] = (struct share){instructions_of(f), number};
            total += shares[n_shares++].instructions;
        }
        number++;
    }
    size_t n_parts = count_parts(total);
    qsort(shares, n_shares, sizeof *shares, by_length);
    for (size_t i = 0; i < n_shares; i++) {
        size_t least = 0;
        for (size_t part = 1; part < n_parts; part++)
            if (parts[part].instructions < parts[least].instructions)
                least = part;
        takers[shares[i].function] = (unsigned char)least;
        parts[least].instructions += shares[i].instructions;
    }
    for (size_t i = 0; i < count; i++)
        if (takers[i] == CPU_MOST_OBJECTS)
            takers[i] = (unsigned char)n_parts;
    parts[n_parts].is_plain = 1;
    return n_parts + (n_plain > 0);
}

/* Any part may call the functions of any other. */
static void make_visible(LLVMModuleRef module)
{
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f != NULL; f = LLVMGetNextFunction(f))
        if (LLVMGetLinkage(f) == LLVMInternalLinkage) {
            LLVMSetLinkage(f, LLVMExternalLinkage);
            LLVMSetVisibility(f, LLVMHiddenVisibility);
        }
}

/* Of the functions that others take only declarations are left. */
static void keep_own(LLVMModuleRef module, const unsigned char *takers, size_t own)
{
    size_t number = 0, count = count_functions(module);
    for (LLVMValueRef f = LLVMGetFirstFunction(module), next; number < count; number++, f = next) {
        next = LLVMGetNextFunction(f);
        if (takers[number] == own || LLVMIsDeclaration(f))
            continue;
        size_t length;
        const char *name = LLVMGetValueName2(f, &length);
        LLVMValueRef declared = LLVMAddFunction(module, "", LLVMGlobalGetValueType(f));
        LLVMSetVisibility(declared, LLVMGetVisibility(f));
        LLVMReplaceAllUsesWith(f, declared);
        char *copy = LLVMCreateMessage(name);
        LLVMDeleteFunction(f);
        LLVMSetValueName2(declared, copy, length);
        LLVMDisposeMessage(copy);
    }
}

/* ---- threads ---- */

/* What is left to do; each thread takes the next part. */
struct queue {
    struct part *parts;
    size_t n_parts;
    atomic_size_t next;
};

static void generate_part(struct part *part)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = NULL;
    LLVMTargetMachineRef machine =
        cpu_target_machine(part->target, part->is_plain ? 0 : part->target->optimization);
    if (machine != NULL && !LLVMParseBitcodeInContext2(context, part->bitcode, &module)) {
        keep_own(module, part->takers, part->number);
        if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &part->error,
                                                &part->object))
            part->object = NULL;
    }
    if (module != NULL)
        LLVMDisposeModule(module);
    if (machine != NULL)
        LLVMDisposeTargetMachine(machine);
    LLVMContextDispose(context);
}

static void work(struct queue *queue)
{
    for (size_t i; (i = atomic_fetch_add(&queue->next, 1)) < queue->n_parts;)
        generate_part(&queue->parts[i]);
}

struct cpu_crew {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct queue *queue; /* of the mutex, as the next; NULL: not known yet */
    int is_over;         /* there will be none */
    pthread_t threads[CPU_MOST_OBJECTS];
    size_t n_threads;
};

static void *serve(void *argument)
{
    struct cpu_crew *crew = argument;
    pthread_mutex_lock(&crew->mutex);
    while (crew->queue == NULL && !crew->is_over)
        pthread_cond_wait(&crew->changed, &crew->mutex);
    struct queue *queue = crew->queue;
    pthread_mutex_unlock(&crew->mutex);
    if (queue != NULL)
        work(queue);
    return NULL;
}

struct cpu_crew *cpu_crew_begin(void)
{
    size_t most = processors() - 1;
    most = most < CPU_MOST_OBJECTS - 1 ? most : CPU_MOST_OBJECTS - 1;
    struct cpu_crew *crew = most > 0 ? calloc(1, sizeof *crew) : NULL;
    pthread_attr_t attributes;
    if (crew == NULL || pthread_attr_init(&attributes) != 0) {
        free(crew);
        return NULL;
    }
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->changed, NULL);
    if (pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0)
        while (crew->n_threads < most &&
               pthread_create(&crew->threads[crew->n_threads], &attributes, serve, crew) == 0)
            crew->n_threads++;
    pthread_attr_destroy(&attributes);
    return crew;
}

static void give_work(struct cpu_crew *crew, struct queue *queue)
{
    pthread_mutex_lock(&crew->mutex);
    crew->queue = queue;
    crew->is_over = queue == NULL;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->mutex);
}

static void wait_for_crew(struct cpu_crew *crew)
{
    while (crew->n_threads > 0)
        pthread_join(crew->threads[--crew->n_threads], NULL);
}

void cpu_crew_end(struct cpu_crew *crew)
{
    if (crew == NULL)
        return;
    give_work(crew, NULL);
    wait_for_crew(crew);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->mutex);
    free(crew);
}

static enum gruc_status take_object(struct part *part, struct gruc_diag *diag,
                                    struct cpu_objects *out)
{
    if (part->object != NULL) {
        out->objects[out->count++] = part->object;
        return GRUC_OK;
    }
    gruc_diag_error(diag, GRUC_E_INTERNAL, (struct gruc_mark){0}, "LLVM: %s",
                    part->error != NULL ? part->error : "a part of the code was not generated");
    if (part->error != NULL)
        LLVMDisposeMessage(part->error);
    return GRUC_ERROR_INTERNAL;
}

/* The first part is what is left in the module itself. A thread that cannot be had is no reason to
 * fail: this one does what is left. */
static enum gruc_status generate_parts(struct cpu_module *m, struct cpu_crew *crew,
                                       struct queue *queue, const struct gruc_trace *trace,
                                       struct gruc_diag *diag, struct cpu_objects *out)
{
    if (crew != NULL)
        give_work(crew, queue);
    enum gruc_status status = cpu_module_generate(m, LLVMObjectFile, trace, diag, &out->objects[0]);
    out->count = status == GRUC_OK;
    work(queue);
    if (crew != NULL)
        wait_for_crew(crew);
    for (size_t i = 1; i < queue->n_parts; i++) {
        enum gruc_status taken = take_object(&queue->parts[i], diag, out);
        status = status == GRUC_OK ? taken : status;
    }
    return status;
}

static enum gruc_status generate_divided(struct cpu_module *m, struct cpu_crew *crew,
                                         struct share *shares, size_t count,
                                         unsigned char *takers, const struct gruc_trace *trace,
                                         struct gruc_diag *diag, struct cpu_objects *out)
{
    struct part parts[CPU_MOST_OBJECTS] = {{0}};
    size_t n_parts = divide(m->emitter.module, shares, count, takers, parts);
    LLVMMemoryBufferRef bitcode = NULL;
    if (n_parts > 1) {
        make_visible(m->emitter.module);
        bitcode = LLVMWriteBitcodeToMemoryBuffer(m->emitter.module);
        keep_own(m->emitter.module, takers, 0);
    }
    for (size_t i = 1; i < n_parts; i++) {
        parts[i].target = &m->target;
        parts[i].bitcode = bitcode;
        parts[i].takers = takers;
        parts[i].number = i;
    }
    struct queue queue = {.parts = parts, .n_parts = n_parts, .next = 1};
    enum gruc_status status = generate_parts(m, crew, &queue, trace, diag, out);
    if (bitcode != NULL)
        LLVMDisposeMemoryBuffer(bitcode);
    return status;
}

void cpu_objects_finish(struct cpu_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        LLVMDisposeMemoryBuffer(objects->objects[i]);
    objects->count = 0;
}

enum gruc_status cpu_module_generate_objects(struct cpu_module *m, struct cpu_crew *crew,
                                             const struct gruc_trace *trace,
                                             struct gruc_diag *diag, struct cpu_objects *out)
{
    size_t count = count_functions(m->emitter.module);
    struct share *shares = calloc(count + 1, sizeof *shares);
    unsigned char *takers = calloc(count + 1, 1);
    *out = (struct cpu_objects){0};
    enum gruc_status status = GRUC_ERROR_MEMORY;
    if (shares != NULL && takers != NULL)
        status = generate_divided(m, crew, shares, count, takers, trace, diag, out);
    if (status != GRUC_OK)
        cpu_objects_finish(out);
    free(shares);
    free(takers);
    return status;
}

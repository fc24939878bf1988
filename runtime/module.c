/* SPDX-License-Identifier: MIT */
#include "runtime/module.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"

/* Most numbers a row of a tensor may have; keeps every later product of sizes within 64 bits. */
#define MAX_ELEMENTS ((uint64_t)1 << 40)
#define KNOWN_FLAGS (GRUC_MODULE_STREAMING | GRUC_MODULE_COUPLED | GRUC_MODULE_BACKWARD)

_Static_assert(sizeof(struct gruc_args) == 8 * GRUC_ABI_HEAD_SLOTS, "slots have eight bytes");
_Static_assert(sizeof(struct gruc_module_info) % 8 == 0, "tensors follow the module aligned");

int grt_tensor_step_axis(const struct gruc_tensor_info *tensor)
{
    for (uint32_t i = 0; i < tensor->rank && i < 2; i++)
        if (grt_dim_symbol(tensor->dims[i]) >= 0)
            return (int)i;
    return -1;
}

static int name_valid(const char *name)
{
    return name[0] != '\0' && memchr(name, '\0', GRUC_ABI_NAME_BYTES) != NULL;
}

static int tensor_valid(const struct gruc_module_info *info, const struct gruc_tensor_info *tensor)
{
    if (!name_valid(tensor->name) || tensor->rank > GRUC_ABI_MAX_RANK || tensor->rank == 0 ||
        tensor->dtype > GRUC_BOOL)
        return 0;
    uint64_t elements = 1;
    unsigned batches = 0;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        if (dim == 0 || dim < GRUC_DIM_STEPS(GRUC_ABI_MAX_STEPS - 1))
            return 0;
        if (dim == GRUC_DIM_BATCH)
            batches++;
        else if (dim < 0 && (uint32_t)grt_dim_symbol(dim) >= info->n_steps)
            return 0;
        else if (dim > 0 && (!grt_memory_multiply(elements, (uint64_t)dim, &elements) ||
                             elements > MAX_ELEMENTS))
            return 0;
    }
    return batches <= 1;
}

static int names_differ(const struct gruc_tensor_info *tensors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(tensors[i].name, tensors[j].name) == 0)
                return 0;
    return 1;
}

/* Every step symbol of an output must be known from an input or be static. */
static int output_steps_known(const struct gruc_module_info *info)
{
    int known[GRUC_ABI_MAX_STEPS];
    for (uint32_t s = 0; s < info->n_steps; s++)
        known[s] = info->steps[s] != 0;
    for (uint32_t i = 0; i < info->n_inputs + info->n_outputs; i++) {
        const struct gruc_tensor_info *tensor = grt_module_input(info, i);
        for (uint32_t d = 0; d < tensor->rank; d++) {
            int symbol = grt_dim_symbol(tensor->dims[d]);
            if (symbol >= 0 && i < info->n_inputs)
                known[symbol] = 1;
            else if (symbol >= 0 && !known[symbol])
                return 0;
        }
    }
    return 1;
}

static int state_valid(const struct gruc_module_info *info, const struct gruc_tensor_info *state)
{
    return state->dtype == GRUC_FLOAT32 && state->rank == 2 && state->dims[0] == GRUC_DIM_BATCH &&
           state->dims[1] > 0 && state->offset >= 4 && state->offset % 4 == 0 &&
           state->offset <= info->state_bytes &&
           (uint64_t)state->dims[1] <= (info->state_bytes - state->offset) / 4;
}

int grt_module_valid(const struct gruc_module_info *info)
{
    if (info == NULL || info->magic != GRUC_ABI_MAGIC || info->abi != GRUC_ABI_VERSION)
        return 0;
    uint64_t tensors = (uint64_t)info->n_inputs + info->n_outputs + info->n_states;
    if (info->bytes != sizeof *info + tensors * sizeof(struct gruc_tensor_info))
        return 0;
    if ((info->flags & ~KNOWN_FLAGS) != 0 || info->n_steps > GRUC_ABI_MAX_STEPS ||
        info->n_inputs == 0 || info->n_outputs == 0 || info->row_group == 0 ||
        info->state_bytes % GRUC_ABI_ALIGNMENT != 0 || info->state_bytes > MAX_ELEMENTS ||
        (info->n_states > 0 && info->state_bytes == 0) || !name_valid(info->name))
        return 0;
    for (uint32_t i = 0; i < tensors; i++)
        if (!tensor_valid(info, grt_module_input(info, i)))
            return 0;
    for (uint32_t i = 0; i < info->n_states; i++)
        if (!state_valid(info, grt_module_state(info, i)))
            return 0;
    return names_differ(grt_module_input(info, 0), info->n_inputs) &&
           names_differ(grt_module_output(info, 0), info->n_outputs) && output_steps_known(info);
}

static enum gruc_status create(const struct grt_module *content, struct grt_module **out)
{
    struct grt_module *module = NULL;
    enum gruc_status status = GRUC_OK;
    *out = NULL;
    if (!grt_module_valid(content->info))
        status = GRUC_ERROR_ABI;
    else if ((module = malloc(sizeof *module)) == NULL)
        status = GRUC_ERROR_MEMORY;
    if (status != GRUC_OK) {
        if (content->release != NULL)
            content->release(content->owner);
        return status;
    }
    *module = *content;
    *out = module;
    return GRUC_OK;
}

enum gruc_status grt_module_create(gruc_describe_function describe, gruc_run_function run,
                                   grt_release_function release, void *owner,
                                   struct grt_module **out)
{
    struct grt_module content = {.run = run, .release = release, .owner = owner};
    /* Without a run function there is no module either: the description stays NULL. */
    if (describe != NULL && run != NULL)
        content.info = describe();
    return create(&content, out);
}

enum gruc_status grt_module_create_hosted(const struct gruc_module_info *info,
                                          grt_run_function run, void *context,
                                          grt_release_function release, struct grt_module **out)
{
    struct grt_module content = {.info = run == NULL ? NULL : info, .hosted = run,
                                 .context = context, .release = release, .owner = context};
    return create(&content, out);
}

void grt_module_destroy(struct grt_module *module)
{
    if (module == NULL)
        return;
    if (module->release != NULL)
        module->release(module->owner);
    free(module);
}

const struct gruc_module_info *grt_module_info(const struct grt_module *module)
{
    return module->info;
}

static int find(const struct gruc_tensor_info *tensors, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return (int)i;
    return -1;
}

int grt_module_input_index(const struct grt_module *module, const char *name)
{
    return find(grt_module_input(module->info, 0), module->info->n_inputs, name);
}

int grt_module_output_index(const struct grt_module *module, const char *name)
{
    return find(grt_module_output(module->info, 0), module->info->n_outputs, name);
}

int grt_module_state_index(const struct grt_module *module, const char *name)
{
    return find(grt_module_state(module->info, 0), module->info->n_states, name);
}

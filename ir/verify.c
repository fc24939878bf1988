/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "ir/act.h"
#include "ir/narrow.h"
#include "ir/opcode.h"
#include "ir/shape.h"

#define BIT(name) (1u << GRUC_ATTRIBUTE_##name)
#define STATE_BITS (BIT(SLOT) | BIT(RULE))

/* Attributes that must and may stand on an operation; on others none may. */
static const struct {
    enum gruc_opcode code;
    unsigned required, optional;
} attribute_rules[] = {
    {GRUC_OP_INPUT, BIT(INDEX), 0},
    {GRUC_OP_PARAM, BIT(TENSOR) | BIT(ROW) | BIT(COLUMN), 0},
    {GRUC_OP_CONSTANT, BIT(VALUE), 0},
    {GRUC_OP_MATMUL, 0, BIT(WEIGHTS)},
    {GRUC_OP_QUANTIZE, BIT(WEIGHTS), 0},
    {GRUC_OP_EMBED, 0, BIT(WRAP)},
    {GRUC_OP_ONE_HOT, BIT(WIDTH), 0},
    {GRUC_OP_BATCH_NORM, BIT(EPSILON), 0},
    {GRUC_OP_ACT, BIT(ACT), BIT(ALPHA) | BIT(BETA) | BIT(GAMMA)},
    {GRUC_OP_GRU, BIT(GRU), 0},
    {GRUC_OP_INITIAL_STATE, STATE_BITS, 0},
    {GRUC_OP_FINAL_STATE, STATE_BITS, 0},
    {GRUC_OP_SCAN, BIT(SCANNED) | BIT(CARRIED), BIT(UNROLL)},
};

enum { OUTSIDE = 0 }; /* where: not defined yet; else 1 + the region that defines the value */

struct verifier {
    const struct gruc_ir *ir;
    const char *after;
    struct gruc_diag *diag;
    gruc_ref *where; /* by value: 1 + region in which it is defined so far */
    unsigned char *op_seen;
    unsigned char *region_seen;
    unsigned char *input_seen;
    unsigned char *slot_stored;
    gruc_ref op; /* at work, GRUC_NONE: none */
};

static enum gruc_status complain(struct verifier *verifier, const char *fault)
{
    const struct gruc_ir *ir = verifier->ir;
    struct gruc_mark mark = {0};
    if (verifier->op == GRUC_NONE) {
        gruc_diag_error(verifier->diag, GRUC_E_INTERNAL, mark, "IR after %s: %s", verifier->after,
                        fault);
    } else {
        const struct gruc_op *op = &ir->ops[verifier->op];
        gruc_diag_error(verifier->diag, GRUC_E_INTERNAL, op->mark,
                        "IR after %s: operation %u (%s): %s", verifier->after,
                        (unsigned)verifier->op, gruc_opcode_name(op->code), fault);
    }
    return GRUC_ERROR_INTERNAL;
}

#define REQUIRE(verifier, condition, fault)                                                        \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return complain((verifier), (fault));                                                  \
    } while (0)

static enum gruc_status check_type(struct verifier *verifier, const struct gruc_type *type)
{
    REQUIRE(verifier, (unsigned)type->dtype <= GRUC_BOOL, "a value has an unknown type");
    REQUIRE(verifier, type->width >= 1 && type->rows >= 1, "a value has no width");
    REQUIRE(verifier,
            type->axes == 0 || type->axes == GRUC_AXIS_ROWS ||
                type->axes == (GRUC_AXIS_ROWS | GRUC_AXIS_STEPS),
            "a value has steps without rows");
    REQUIRE(verifier, type->axes == 0 || type->rows == 1,
            "a value has both a batch and rows of weights");
    if (type->axes & GRUC_AXIS_STEPS) {
        REQUIRE(verifier, type->steps.factor >= 1, "a value has no steps");
        REQUIRE(verifier,
                type->steps.symbol >= -1 && type->steps.symbol < (int64_t)verifier->ir->n_symbols,
                "a value has an unknown step symbol");
    }
    return GRUC_OK;
}

static enum gruc_status check_attributes(struct verifier *verifier, const struct gruc_op *op)
{
    unsigned required = 0, optional = 0, present = 0;
    for (size_t i = 0; i < sizeof attribute_rules / sizeof *attribute_rules; i++) {
        if (attribute_rules[i].code == op->code) {
            required = attribute_rules[i].required;
            optional = attribute_rules[i].optional;
        }
    }
    for (uint32_t i = 0; i < op->n_attributes; i++) {
        unsigned name = op->attributes[i].name;
        REQUIRE(verifier, name < GRUC_ATTRIBUTE_COUNT, "it has an unknown attribute");
        REQUIRE(verifier, !(present & 1u << name), "it has an attribute twice");
        present |= 1u << name;
    }
    REQUIRE(verifier, (present & required) == required, "it lacks an attribute");
    REQUIRE(verifier, (present & ~(required | optional)) == 0,
            "it has an attribute that does not belong there");
    if (op->code == GRUC_OP_ACT) {
        const char *text = gruc_op_text(op, GRUC_ATTRIBUTE_ACT);
        REQUIRE(verifier, text != NULL && gruc_ir_act_find(text) != NULL,
                "there is no such activation");
    }
    if (present & BIT(WEIGHTS)) {
        enum gruc_weights weights = gruc_op_weights(op);
        REQUIRE(verifier, weights > GRUC_WEIGHTS_F32 && weights < GRUC_WEIGHTS_COUNT,
                "there is no such type of weights");
        REQUIRE(verifier, op->code != GRUC_OP_QUANTIZE || gruc_narrow_quantizes(weights),
                "weights of this type multiply rows as they are");
    }
    if (required & BIT(RULE)) {
        int64_t rule = gruc_op_integer(op, GRUC_ATTRIBUTE_RULE, -1);
        REQUIRE(verifier, rule >= GRUC_STATE_CARRY && rule <= GRUC_STATE_STATEFUL_GIVEN,
                "there is no such state rule");
    }
    return GRUC_OK;
}

static enum gruc_status check_operands(struct verifier *verifier, const struct gruc_op *op,
                                       gruc_ref region)
{
    const struct gruc_opcode_info *info = gruc_opcode_describe(op->code);
    REQUIRE(verifier,
            op->n_operands >= (uint32_t)info->least &&
                (info->most < 0 || op->n_operands <= (uint32_t)info->most),
            "it has the wrong number of operands");
    for (uint32_t i = 0; i < op->n_operands; i++) {
        REQUIRE(verifier, op->operands[i] < verifier->ir->n_values,
                "an operand is not a value of the module");
        gruc_ref where = verifier->where[op->operands[i]];
        REQUIRE(verifier, where != OUTSIDE, "an operand is not defined before its use");
        REQUIRE(verifier, where == region + 1, "an operand belongs to another region");
    }
    return GRUC_OK;
}

static enum gruc_status check_results(struct verifier *verifier, const struct gruc_op *op,
                                      gruc_ref region)
{
    const struct gruc_ir *ir = verifier->ir;
    REQUIRE(verifier, op->n_results == gruc_shape_results(ir, op),
            "it has the wrong number of results");
    for (uint32_t i = 0; i < op->n_results; i++) {
        REQUIRE(verifier, op->results[i] < ir->n_values, "a result is not a value of the module");
        const struct gruc_value *value = &ir->values[op->results[i]];
        REQUIRE(verifier, value->op == verifier->op && value->index == i,
                "a result does not name the operation that makes it");
        GRUC_TRY(check_type(verifier, &value->type));
        struct gruc_type type = value->type;
        const char *fault = gruc_shape_infer(ir, op, i, &type);
        REQUIRE(verifier, fault == NULL, fault);
        REQUIRE(verifier, gruc_shape_same_type(ir, &type, &value->type),
                "a result has another type than its operands give");
        REQUIRE(verifier, region == 0 || !(type.axes & GRUC_AXIS_STEPS),
                "a value in the region of a scan has steps");
        REQUIRE(verifier, verifier->where[op->results[i]] == OUTSIDE, "it makes a value twice");
        verifier->where[op->results[i]] = region + 1;
    }
    return GRUC_OK;
}

static enum gruc_status check_input(struct verifier *verifier, const struct gruc_op *op)
{
    const struct gruc_ir *ir = verifier->ir;
    int64_t index = gruc_op_integer(op, GRUC_ATTRIBUTE_INDEX, -1);
    REQUIRE(verifier, index >= 0 && (uint64_t)index < ir->n_inputs, "there is no such input");
    REQUIRE(verifier, !verifier->input_seen[index], "another operation reads the same input");
    verifier->input_seen[index] = 1;
    REQUIRE(verifier, ir->inputs[index].value == op->results[0], "the input names another value");
    return GRUC_OK;
}

static enum gruc_status check_final_state(struct verifier *verifier, const struct gruc_op *op)
{
    const struct gruc_ir *ir = verifier->ir;
    int64_t slot = gruc_op_integer(op, GRUC_ATTRIBUTE_SLOT, -1);
    REQUIRE(verifier, slot >= 0 && (uint64_t)slot < ir->n_slots, "there is no such slot");
    const struct gruc_type *type = &ir->values[op->operands[0]].type;
    REQUIRE(verifier,
            type->dtype == GRUC_FLOAT32 && type->axes == GRUC_AXIS_ROWS &&
                type->width == ir->slots[slot].width,
            "its operand does not fit the slot");
    REQUIRE(verifier, !verifier->slot_stored[slot], "another operation stores the same slot");
    verifier->slot_stored[slot] = 1;
    return GRUC_OK;
}

static enum gruc_status check_body_op(struct verifier *verifier, const struct gruc_op *op,
                                      gruc_ref region)
{
    switch (op->code) {
    case GRUC_OP_INPUT:
    case GRUC_OP_EMBED:
    case GRUC_OP_ONE_HOT:
    case GRUC_OP_GRU:
    case GRUC_OP_INITIAL_STATE:
    case GRUC_OP_FINAL_STATE:
    case GRUC_OP_SCAN:
        REQUIRE(verifier, region == 0, "it stands in the region of a scan");
        break;
    default:
        break;
    }
    REQUIRE(verifier, (op->code == GRUC_OP_SCAN) == (op->region != GRUC_NONE),
            op->code == GRUC_OP_SCAN ? "it has no region" : "it has a region");
    return GRUC_OK;
}

static enum gruc_status check_op(struct verifier *verifier, gruc_ref number, gruc_ref region)
{
    const struct gruc_ir *ir = verifier->ir;
    verifier->op = GRUC_NONE;
    REQUIRE(verifier, number < ir->n_ops, "a region names an operation that does not exist");
    REQUIRE(verifier, (unsigned)ir->ops[number].code < GRUC_OP_COUNT,
            "an operation has an unknown code");
    verifier->op = number;
    const struct gruc_op *op = &ir->ops[number];
    REQUIRE(verifier, !verifier->op_seen[number], "it stands in two places");
    verifier->op_seen[number] = 1;
    GRUC_TRY(check_body_op(verifier, op, region));
    GRUC_TRY(check_attributes(verifier, op));
    GRUC_TRY(check_operands(verifier, op, region));
    if (op->code == GRUC_OP_INPUT)
        GRUC_TRY(check_input(verifier, op));
    if (op->code == GRUC_OP_FINAL_STATE)
        GRUC_TRY(check_final_state(verifier, op));
    return GRUC_OK;
}

/* Marks the values of all steps of a region as defined. */
static enum gruc_status check_arguments(struct verifier *verifier, gruc_ref number)
{
    const struct gruc_ir *ir = verifier->ir;
    const struct gruc_region *region = &ir->regions[number];
    for (size_t i = 0; i < region->n_arguments; i++) {
        gruc_ref argument = region->arguments[i];
        REQUIRE(verifier, argument < ir->n_values, "an argument is not a value of the module");
        const struct gruc_value *value = &ir->values[argument];
        REQUIRE(verifier, value->op == GRUC_NONE && value->index == i,
                "an argument of the region does not say so");
        REQUIRE(verifier, verifier->where[argument] == OUTSIDE,
                "an argument belongs to two regions");
        GRUC_TRY(check_type(verifier, &value->type));
        verifier->where[argument] = number + 1;
    }
    return GRUC_OK;
}

static enum gruc_status check_ops(struct verifier *verifier, gruc_ref number);

static enum gruc_status check_yields(struct verifier *verifier, gruc_ref number)
{
    const struct gruc_region *region = &verifier->ir->regions[number];
    for (size_t i = 0; i < region->n_yields; i++)
        REQUIRE(verifier,
                region->yields[i] < verifier->ir->n_values &&
                    verifier->where[region->yields[i]] == number + 1,
                "its region yields a value from elsewhere");
    return GRUC_OK;
}

/* The value of operand number i must serve as argument i of the region. */
static enum gruc_status check_scan_operand(struct verifier *verifier, const struct gruc_op *op,
                                           uint32_t i, uint32_t scanned, uint32_t carried)
{
    const struct gruc_ir *ir = verifier->ir;
    const struct gruc_region *region = &ir->regions[op->region];
    const struct gruc_type *argument = &ir->values[region->arguments[i]].type;
    struct gruc_type type = ir->values[op->operands[i]].type;
    if (i < scanned) {
        REQUIRE(verifier,
                type.axes & GRUC_AXIS_STEPS &&
                    gruc_shape_same_steps(ir, type.steps, ir->values[op->operands[0]].type.steps),
                "its sequences differ in steps");
        type.axes &= ~(unsigned)GRUC_AXIS_STEPS;
    } else if (i < scanned + carried) {
        REQUIRE(verifier, argument->axes == GRUC_AXIS_ROWS, "a carried value has no rows");
        REQUIRE(verifier,
                gruc_shape_same_type(ir, argument, &ir->values[region->yields[i - scanned]].type),
                "the region yields another type than it carries");
        REQUIRE(verifier, type.rows == 1, "a carried value starts from a matrix");
        type.axes |= GRUC_AXIS_ROWS;
        if (type.width == 1)
            type.width = argument->width;
    }
    REQUIRE(verifier, !(type.axes & GRUC_AXIS_STEPS), "a value of all steps has steps");
    REQUIRE(verifier, gruc_shape_same_type(ir, argument, &type),
            "an operand has another type than the region's argument");
    return GRUC_OK;
}

static enum gruc_status check_scan(struct verifier *verifier, gruc_ref number)
{
    const struct gruc_ir *ir = verifier->ir;
    const struct gruc_op *op = &ir->ops[number];
    REQUIRE(verifier, op->region < ir->n_regions && op->region != 0, "its region does not exist");
    REQUIRE(verifier, !verifier->region_seen[op->region], "its region belongs to another scan");
    verifier->region_seen[op->region] = 1;
    GRUC_TRY(check_arguments(verifier, op->region));
    GRUC_TRY(check_ops(verifier, op->region));
    verifier->op = number;
    GRUC_TRY(check_yields(verifier, op->region));
    int64_t scanned = gruc_op_integer(op, GRUC_ATTRIBUTE_SCANNED, -1);
    int64_t carried = gruc_op_integer(op, GRUC_ATTRIBUTE_CARRIED, -1);
    const struct gruc_region *region = &ir->regions[op->region];
    REQUIRE(verifier,
            scanned >= 1 && carried >= 0 && scanned <= op->n_operands &&
                carried <= op->n_operands - scanned,
            "its attributes scanned and carried do not fit its operands");
    REQUIRE(verifier, region->n_arguments == op->n_operands,
            "its region has another number of arguments than it has operands");
    REQUIRE(verifier, region->n_yields >= (uint64_t)carried,
            "its region yields fewer values than it carries");
    for (uint32_t i = 0; i < op->n_operands; i++)
        GRUC_TRY(check_scan_operand(verifier, op, i, (uint32_t)scanned, (uint32_t)carried));
    for (size_t i = (size_t)carried; i < region->n_yields; i++)
        REQUIRE(verifier, ir->values[region->yields[i]].type.axes & GRUC_AXIS_ROWS,
                "its region yields a sequence without rows");
    return GRUC_OK;
}

static enum gruc_status check_ops(struct verifier *verifier, gruc_ref number)
{
    const struct gruc_region *region = &verifier->ir->regions[number];
    for (size_t i = 0; i < region->n_ops; i++) {
        GRUC_TRY(check_op(verifier, region->ops[i], number));
        const struct gruc_op *op = &verifier->ir->ops[region->ops[i]];
        if (op->code == GRUC_OP_SCAN)
            GRUC_TRY(check_scan(verifier, region->ops[i]));
        GRUC_TRY(check_results(verifier, op, number));
    }
    return GRUC_OK;
}

static int tensor_has(const struct gruc_ir *ir, gruc_ref tensor, uint64_t rows, uint64_t columns)
{
    return tensor < ir->n_tensors && (rows == 0 || ir->tensors[tensor].rows == rows) &&
           ir->tensors[tensor].columns == columns;
}

static enum gruc_status check_gru(struct verifier *verifier, const struct gruc_gru *gru)
{
    const struct gruc_ir *ir = verifier->ir;
    uint64_t gates = 3 * (uint64_t)gru->units;
    REQUIRE(verifier, gru->name != NULL && gru->units >= 1, "a gru has no name or no units");
    REQUIRE(verifier,
            gru->activation != NULL && gruc_ir_act_find(gru->activation) != NULL &&
                gru->recurrent_activation != NULL &&
                gruc_ir_act_find(gru->recurrent_activation) != NULL,
            "a gru has an unknown activation");
    REQUIRE(verifier, tensor_has(ir, gru->kernel, 0, gates), "a gru's kernel has the wrong shape");
    REQUIRE(verifier, tensor_has(ir, gru->recurrent_kernel, gru->units, gates),
            "a gru's recurrent kernel has the wrong shape");
    REQUIRE(verifier, !gru->use_bias || tensor_has(ir, gru->bias, gru->reset_after ? 2 : 1, gates),
            "a gru's bias has the wrong shape");
    REQUIRE(verifier, (unsigned)gru->rule <= GRUC_STATE_STATEFUL_GIVEN,
            "a gru has an unknown state rule");
    REQUIRE(verifier, gru->slot < ir->n_slots && ir->slots[gru->slot].width == gru->units,
            "a gru's slot has the wrong width");
    REQUIRE(verifier,
            gru->output_slot == GRUC_NONE ||
                (gru->output_slot < ir->n_slots && gru->output_slot != gru->slot &&
                 ir->slots[gru->output_slot].width == gru->units),
            "a gru's output slot has the wrong width");
    return GRUC_OK;
}

static enum gruc_status check_tables(struct verifier *verifier)
{
    const struct gruc_ir *ir = verifier->ir;
    REQUIRE(verifier, ir->name != NULL, "the module has no name");
    REQUIRE(verifier, ir->n_symbols <= GRUC_ABI_MAX_STEPS, "there are too many step symbols");
    for (size_t i = 0; i < ir->n_tensors; i++)
        REQUIRE(verifier,
                ir->tensors[i].rows >= 1 && ir->tensors[i].columns >= 1 &&
                    (ir->tensors[i].data != NULL || ir->tensors[i].source.read != NULL),
                "a tensor has no data");
    for (size_t i = 0; i < ir->n_slots; i++)
        REQUIRE(verifier, ir->slots[i].width >= 1, "a slot has no width");
    for (size_t i = 0; i < ir->n_grus; i++)
        GRUC_TRY(check_gru(verifier, &ir->grus[i]));
    return GRUC_OK;
}

static enum gruc_status check_inputs_seen(struct verifier *verifier)
{
    const struct gruc_ir *ir = verifier->ir;
    for (size_t i = 0; i < ir->n_inputs; i++)
        REQUIRE(verifier, verifier->input_seen[i], "an input has no operation that reads it");
    return GRUC_OK;
}

static enum gruc_status check_ports(struct verifier *verifier)
{
    const struct gruc_ir *ir = verifier->ir;
    verifier->op = GRUC_NONE;
    GRUC_TRY(check_inputs_seen(verifier));
    for (size_t i = 0; i < ir->n_inputs + ir->n_outputs; i++) {
        int is_output = i >= ir->n_inputs;
        const struct gruc_port *port = is_output ? &ir->outputs[i - ir->n_inputs] : &ir->inputs[i];
        REQUIRE(verifier, port->value < ir->n_values && verifier->where[port->value] == 1,
                "a port's value is not one of the body");
        REQUIRE(verifier, !is_output || ir->values[port->value].type.dtype == GRUC_FLOAT32,
                "an output is not float32");
        const char *fault = gruc_shape_port(ir, port);
        REQUIRE(verifier, fault == NULL, fault);
    }
    return GRUC_OK;
}

static enum gruc_status check_module(struct verifier *verifier)
{
    GRUC_TRY(check_tables(verifier));
    REQUIRE(verifier, verifier->ir->regions[0].n_arguments == 0, "the body has arguments");
    GRUC_TRY(check_ops(verifier, 0));
    return check_ports(verifier);
}

enum gruc_status gruc_ir_verify(const struct gruc_ir *ir, const char *after, struct gruc_diag *diag)
{
    if (ir->failed)
        return GRUC_ERROR_MEMORY;
    struct verifier verifier = {.ir = ir, .after = after, .diag = diag, .op = GRUC_NONE};
    verifier.where = calloc(ir->n_values, sizeof *verifier.where);
    verifier.op_seen = calloc(ir->n_ops, 1);
    verifier.region_seen = calloc(ir->n_regions, 1);
    verifier.input_seen = calloc(ir->n_inputs + 1, 1);
    verifier.slot_stored = calloc(ir->n_slots + 1, 1);
    enum gruc_status status = GRUC_ERROR_MEMORY;
    if (verifier.where != NULL && verifier.op_seen != NULL && verifier.region_seen != NULL &&
        verifier.input_seen != NULL && verifier.slot_stored != NULL)
        status = check_module(&verifier);
    free(verifier.where);
    free(verifier.op_seen);
    free(verifier.region_seen);
    free(verifier.input_seen);
    free(verifier.slot_stored);
    return status;
}

/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ir/act.h"
#include "ir/opcode.h"

static const struct gruc_opcode_info table[] = {
#define GRUC_OP(name, text, least, most, results, doc) {text, least, most},
#include "ir/ops.def"
#undef GRUC_OP
#define GRUC_BASIC(ID, name, arity, ...) {#name, arity, arity},
#define GRUC_PRIM_LIBM(ID, name, ...) {#name, 1, 1},
#define GRUC_PRIM(ID, name, ...) {#name, 1, 1},
#include "ir/prims.def"
};
_Static_assert(sizeof table / sizeof *table == GRUC_OP_COUNT, "one row for each opcode");

static const struct {
    const char *name;
    enum gruc_attribute_kind kind;
} attributes[] = {
#define ATTRIBUTE_ROW(name, text, kind) {text, GRUC_KIND_##kind},
    GRUC_ATTRIBUTE_LIST(ATTRIBUTE_ROW)
#undef ATTRIBUTE_ROW
};

static const struct {
    enum gruc_act_id id;
    const char *text;
} acts[] = {
#define GRUC_ACT(ID, ...) {GRUC_ACT_##ID, #ID},
#define GRUC_ACT_ROW(ID, ...) {GRUC_ACT_##ID, #ID},
#include "ir/act.def"
};

const struct gruc_opcode_info *gruc_opcode_describe(enum gruc_opcode code)
{
    return &table[code];
}

const char *gruc_opcode_name(enum gruc_opcode code)
{
    return (unsigned)code < GRUC_OP_COUNT ? table[code].name : "unknown";
}

enum gruc_opcode gruc_opcode_find(const char *name, size_t length)
{
    unsigned code = 0;
    while (code < GRUC_OP_COUNT &&
           (strlen(table[code].name) != length || memcmp(table[code].name, name, length) != 0))
        code++;
    return (enum gruc_opcode)code;
}

int gruc_opcode_is_pointwise(enum gruc_opcode code)
{
    return (code >= GRUC_OP_FIRST_PRIM && code < GRUC_OP_COUNT) || code == GRUC_OP_TO_FLOAT ||
           code == GRUC_OP_TO_INT || code == GRUC_OP_TO_BOOL;
}

const char *gruc_attribute_text(enum gruc_attribute_name name)
{
    return attributes[name].name;
}

enum gruc_attribute_kind gruc_attribute_kind(enum gruc_attribute_name name)
{
    return attributes[name].kind;
}

static const struct gruc_attribute *find_attribute(const struct gruc_op *op,
                                                   enum gruc_attribute_name name)
{
    for (uint32_t i = 0; i < op->n_attributes; i++)
        if (op->attributes[i].name == name)
            return &op->attributes[i];
    return NULL;
}

int64_t gruc_op_integer(const struct gruc_op *op, enum gruc_attribute_name name, int64_t absent)
{
    const struct gruc_attribute *attribute = find_attribute(op, name);
    return attribute == NULL ? absent : attribute->value.integer;
}

double gruc_op_number(const struct gruc_op *op, enum gruc_attribute_name name, double absent)
{
    const struct gruc_attribute *attribute = find_attribute(op, name);
    return attribute == NULL ? absent : attribute->value.number;
}

uint32_t gruc_op_id_count(const struct gruc_ir *ir, const struct gruc_op *op)
{
    return op->code == GRUC_OP_EMBED ? ir->values[op->operands[1]].type.rows
                                     : ir->values[op->results[0]].type.width;
}

const char *gruc_op_text(const struct gruc_op *op, enum gruc_attribute_name name)
{
    const struct gruc_attribute *attribute = find_attribute(op, name);
    return attribute == NULL ? NULL : attribute->value.text;
}

/* How many rows of the table have this name. */
static unsigned count_rows(const char *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < GRUC_ACT_COUNT; i++)
        count += strcmp(gruc_act_get((enum gruc_act_id)i)->name, name) == 0;
    return count;
}

const char *gruc_ir_act_name(const struct gruc_act *act)
{
    return count_rows(act->name) == 1 ? act->name : acts[act->id].text;
}

const struct gruc_act *gruc_ir_act_find(const char *text)
{
    for (unsigned i = 0; i < GRUC_ACT_COUNT; i++) {
        const struct gruc_act *act = gruc_act_get(acts[i].id);
        int by_name = strcmp(act->name, text) == 0;
        if ((by_name || strcmp(acts[i].text, text) == 0) && by_name == (count_rows(act->name) == 1))
            return act;
    }
    return NULL;
}

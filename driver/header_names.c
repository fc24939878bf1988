/* SPDX-License-Identifier: MIT */
#include "driver/header_names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What a parameter or member cannot be called: words of C and C++, and names of our own. */
static const char *const taken[] = {
    "abi",       "alignas",   "alignof",
    "and",       "args",      "asm",
    "auto",      "batch",     "bool",
    "break",     "case",      "catch",
    "char",      "class",     "compl",
    "const",     "continue",  "decltype",
    "default",   "delete",    "do",
    "double",    "else",      "enum",
    "explicit",  "export",    "extern",
    "false",     "first_row", "flags",
    "float",     "for",       "friend",
    "goto",      "if",        "inline",
    "int",       "long",      "mutable",
    "namespace", "new",       "noexcept",
    "not",       "nullptr",   "operator",
    "or",        "padding",   "private",
    "protected", "public",    "register",
    "restrict",  "return",    "row_count",
    "short",     "signed",    "sizeof",
    "started",   "state",     "static",
    "steps",     "struct",    "switch",
    "template",  "this",      "throw",
    "true",      "try",       "typedef",
    "typeid",    "typename",  "union",
    "unsigned",  "using",     "virtual",
    "void",      "volatile",  "wchar_t",
    "while",     "workspace", "workspace_bytes",
    "xor",       "errno",     "linux",
    "unix",
};

static int is_taken(const char *name)
{
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(name, taken[i]) == 0)
            return 1;
    }
    return strncmp(name, "padding_", 8) == 0;
}

static int is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return 1;
    }
    return 0;
}

static char *identifier(struct gruc_arena *arena, const char *text)
{
    char *name = gruc_arena_format(arena, "%s%s", isdigit((unsigned char)text[0]) ? "_" : "", text);
    for (char *c = name; c != NULL && *c != 0; c++) {
        if (!isalnum((unsigned char)*c) || (unsigned char)*c > 127)
            *c = '_';
    }
    return name;
}

static char *upper_case(struct gruc_arena *arena, const char *text)
{
    char *name = gruc_arena_text(arena, text, strlen(text));
    for (char *c = name; c != NULL && *c != 0; c++)
        *c = (char)toupper((unsigned char)*c);
    return name;
}

/* A name that differs from those before it. */
static const char *unique(struct gruc_arena *arena, const char *text, const char *const *names,
                          size_t count)
{
    const char *base = identifier(arena, text);
    const char *name = base;
    for (unsigned number = 2; name != NULL && (is_taken(name) || is_among(name, names, count));
         number++)
        name = gruc_arena_format(arena, "%s_%u", base, number);
    return name;
}

int gruc_header_symbol(const struct gruc_tensor_info *tensor)
{
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] <= GRUC_DIM_STEPS(0))
            return (int)(-2 - tensor->dims[i]);
    }
    return -1;
}

uint64_t gruc_header_count(const struct gruc_tensor_info *tensor)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        count *= tensor->dims[i] < 0 ? 1 : (uint64_t)tensor->dims[i];
    return count;
}

static const char *steps_name(const struct gruc_module_info *info, uint32_t symbol,
                              struct gruc_arena *arena, const struct gruc_header_names *names)
{
    if (info->n_steps == 1)
        return "steps";
    for (uint32_t i = 0; i < info->n_inputs; i++) {
        if (gruc_header_symbol(gruc_module_tensors(info) + i) == (int)symbol)
            return gruc_arena_format(arena, "%s_steps", names->tensors[i]);
    }
    return gruc_arena_format(arena, "steps_%u", (unsigned)symbol);
}

enum gruc_status gruc_header_names_make(const struct gruc_module_info *info,
                                        struct gruc_arena *arena, struct gruc_header_names *out)
{
    const struct gruc_tensor_info *tensors = gruc_module_tensors(info);
    size_t ports = (size_t)info->n_inputs + info->n_outputs;
    size_t count = ports + info->n_states;
    *out = (struct gruc_header_names){
        .module = identifier(arena, info->name),
        .tensors = GRUC_NEW_ARRAY(arena, const char *, count + 1),
        .tensors_upper = GRUC_NEW_ARRAY(arena, const char *, count + 1),
    };
    if (out->module == NULL || out->tensors == NULL || out->tensors_upper == NULL)
        return GRUC_ERROR_MEMORY;
    out->upper = upper_case(arena, out->module);
    for (size_t i = 0; i < count; i++) {
        size_t first = i < ports ? 0 : ports; /* states are members of another structure */
        out->tensors[i] = unique(arena, tensors[i].name, out->tensors + first, i - first);
        if (out->tensors[i] == NULL)
            return GRUC_ERROR_MEMORY;
        out->tensors_upper[i] = upper_case(arena, out->tensors[i]);
        if (out->tensors_upper[i] == NULL)
            return GRUC_ERROR_MEMORY;
    }
    for (uint32_t i = 0; i < info->n_steps; i++) {
        out->steps[i] = steps_name(info, i, arena, out);
        if (out->steps[i] == NULL)
            return GRUC_ERROR_MEMORY;
    }
    return out->upper != NULL ? GRUC_OK : GRUC_ERROR_MEMORY;
}

/* SPDX-License-Identifier: MIT */
#ifndef GRUC_FRONTEND_PARSE_H
#define GRUC_FRONTEND_PARSE_H

/* What the files that read the short form share. These functions report errors and go on: they
 * answer other than GRUC_OK only when memory ran out. */

#include "frontend/layers.h"
#include "frontend/yaml_node.h"

struct gruc_parser {
    struct gruc_arena *arena;
    struct gruc_diag *diag;
    struct gruc_model *model;
};

/* parse_layer.c: one layer, {Class: {argument: value}}; wrapped: inside another layer. *out is NULL
 * after an error that leaves no layer. */
enum gruc_status gruc_parse_layer(struct gruc_parser *parser, const struct gruc_yaml *node,
                                  int wrapped, struct gruc_layer **out);

/* parse_argument.c: a value of a row's type; null for ~. */
enum gruc_status gruc_parse_argument(struct gruc_parser *parser, enum gruc_layer_kind kind,
                                     const struct gruc_argument_row *row,
                                     const struct gruc_yaml *node, struct gruc_argument *out);
/* A name or a list of names. */
enum gruc_status gruc_parse_references(struct gruc_parser *parser, const struct gruc_yaml *node,
                                       struct gruc_reference_list *out);
/* Whether text may be a name: of a layer when for_layer, else of an input or model. Reports. */
int gruc_parse_check_name(struct gruc_parser *parser, const struct gruc_yaml *node, int for_layer);

/* parse_object.c, parse_activation.c: names or {class_name, config}. *out is unchanged after an
 * error, NULL for none. */
enum gruc_status gruc_parse_initializer(struct gruc_parser *parser, const struct gruc_yaml *node,
                                        const struct gruc_initializer **out);
enum gruc_status gruc_parse_regularizer(struct gruc_parser *parser, const struct gruc_yaml *node,
                                        const struct gruc_regularizer **out);
enum gruc_status gruc_parse_constraint(struct gruc_parser *parser, const struct gruc_yaml *node,
                                       const struct gruc_constraint **out);
void gruc_parse_activation(struct gruc_parser *parser, const struct gruc_yaml *node,
                           struct gruc_activation *out);

/* The parts of a name or {class_name, config} mapping. config is NULL when there is none. */
struct gruc_parsed_object {
    const char *name;
    const struct gruc_yaml *config;
    struct gruc_mark mark;
    int is_mapping;
};
/* what: "an initializer". 0 after a report. */
int gruc_parse_object(struct gruc_parser *parser, const struct gruc_yaml *node, const char *what,
                      struct gruc_parsed_object *out);

/* One setting an object's config may have. */
struct gruc_setting {
    const char *name;
    double *number;           /* where a number goes, or */
    const char *const *words; /* the words it may be, NULL-ended, and */
    int *word;                /* where the index goes; both NULL: anything, no effect */
};
void gruc_parse_settings(struct gruc_parser *parser, const struct gruc_parsed_object *object,
                         const struct gruc_setting *settings, size_t count);

static inline unsigned gruc_parser_lineage(const struct gruc_parser *parser)
{
    return 1u << parser->model->lineage;
}

#endif

/* SPDX-License-Identifier: MIT */
#include "expr.h"

#include <math.h>
#include <string.h>

struct binding {
    const char *name;
    size_t length;
    uint16_t node;
};

struct parser {
    const char *text;
    size_t position;
    struct gruc_expr *out;
    struct gruc_expr_error *error;
    bool failed;
    unsigned depth;
    unsigned let_count;
    struct binding lets[GRUC_EXPR_LETS];
};

/* Keeps the first error and moves to the end of the text, where every rule stops. */
static uint16_t fail_at(struct parser *p, size_t position, const char *message)
{
    if (!p->failed) {
        p->failed = true;
        *p->error = (struct gruc_expr_error){position, message};
        p->position += strlen(p->text + p->position);
    }
    return 0;
}

static uint16_t fail(struct parser *p, const char *message)
{
    return fail_at(p, p->position, message);
}

static bool name_equals(const char *name, const char *text, size_t length)
{
    return strncmp(name, text, length) == 0 && name[length] == '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The next character that is not white space. */
static char peek(struct parser *p)
{
    const char *text = p->text;
    while (text[p->position] == ' ' || text[p->position] == '\n' || text[p->position] == '\t') {
        p->position++;
    }
    return text[p->position];
}

static bool accept(struct parser *p, char c)
{
    if (peek(p) != c || c == '\0') {
        return false;
    }
    p->position++;
    return true;
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    while (is_name_start(text[length]) || (length > 0 && is_digit(text[length]))) {
        length++;
    }
    return length;
}

static bool accept_word(struct parser *p, const char *word)
{
    peek(p);
    size_t length = name_length(p->text + p->position);
    if (length == 0 || !name_equals(word, p->text + p->position, length)) {
        return false;
    }
    p->position += length;
    return true;
}

/* Adds a node, or finds the equal one that is there. */
static uint16_t add_node(struct parser *p, const struct gruc_expr_node *node)
{
    struct gruc_expr *out = p->out;
    if (p->failed) {
        return 0;
    }
    for (uint16_t i = 0; i < out->node_count; i++) {
        const struct gruc_expr_node *other = &out->nodes[i];
        if (other->kind == node->kind && other->index == node->index
            && memcmp(other->args, node->args, sizeof node->args) == 0
            && memcmp(&other->constant, &node->constant, sizeof node->constant) == 0) {
            return i;
        }
    }
    if (out->node_count == GRUC_EXPR_NODES) {
        return fail(p, "formula too long");
    }
    out->nodes[out->node_count] = *node;
    return out->node_count++;
}

static uint16_t add_constant(struct parser *p, double value)
{
    return add_node(p, &(struct gruc_expr_node){.kind = GRUC_EXPR_CONSTANT, .constant = value});
}

static uint16_t add_basic(struct parser *p, size_t position, enum gruc_basic op,
                          const uint16_t args[3])
{
    const struct gruc_basic_info *info = gruc_basic_describe(op);
    struct gruc_expr_node node = {.kind = GRUC_EXPR_BASIC, .index = (uint8_t)op,
                                  .type = (uint8_t)info->result, .arg_count = (uint8_t)info->arity};
    if (p->failed) {
        return 0;
    }
    for (unsigned i = 0; i < info->arity; i++) {
        enum gruc_expr_type wanted = info->operands;
        if (wanted == GRUC_EXPR_CHOICE) {
            wanted = i == 0 ? GRUC_EXPR_BOOL : GRUC_EXPR_F32;
        }
        if (p->out->nodes[args[i]].type != wanted) {
            return fail_at(p, position, wanted == GRUC_EXPR_BOOL ? "operand is not a truth value"
                                                                 : "operand is not a number");
        }
        node.args[i] = args[i];
    }
    return add_node(p, &node);
}

static int digit_value(char c, int base)
{
    int value = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
              : c >= 'A' && c <= 'F' ? c - 'A' + 10 : base;
    return value < base ? value : -1;
}

/* The digits of a number as an integer; *scale counts those after the point. */
static uint64_t parse_digits(struct parser *p, int base, int *scale)
{
    uint64_t mantissa = 0;
    int count = 0;
    bool point = false;
    *scale = 0;
    for (;; p->position++) {
        char c = p->text[p->position];
        int digit = digit_value(c, base);
        if (digit >= 0) {
            if (mantissa > (UINT64_MAX - 15) / 16) {
                fail(p, "number has too many digits");
                return 0;
            }
            mantissa = mantissa * (uint64_t)base + (uint64_t)digit;
            *scale += point;
            count++;
        } else if (c == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (count == 0) {
        fail(p, "number without digits");
    }
    return mantissa;
}

static int parse_exponent(struct parser *p, char mark)
{
    const char *text = p->text;
    int value = 0;
    if ((text[p->position] | 0x20) != mark) {
        return 0;
    }
    p->position++;
    bool negative = text[p->position] == '-';
    p->position += negative || text[p->position] == '+';
    if (!is_digit(text[p->position])) {
        fail(p, "exponent without digits");
    }
    for (; is_digit(text[p->position]) && value < 10000; p->position++) {
        value = value * 10 + (text[p->position] - '0');
    }
    return negative ? -value : value;
}

/* Read here rather than by strtod, whose decimal point follows the host's locale. Hexadecimal
 * numbers are exact, decimal ones within two units of a double. */
static uint16_t parse_number(struct parser *p)
{
    const char *text = p->text + p->position;
    bool hexadecimal = text[0] == '0' && (text[1] | 0x20) == 'x';
    int scale, exponent;
    p->position += hexadecimal ? 2 : 0;
    size_t start = p->position;
    double value = (double)parse_digits(p, hexadecimal ? 16 : 10, &scale);
    if (hexadecimal) {
        exponent = parse_exponent(p, 'p') - 4 * scale;
        value = ldexp(value, exponent);
    } else {
        exponent = parse_exponent(p, 'e') - scale;
        double power = 1;
        for (int i = exponent < 0 ? -exponent : exponent; i > 0 && i <= 60; i--) {
            power *= 10;
        }
        value = exponent < 0 ? value / power : value * power;
    }
    if ((!hexadecimal && (exponent > 60 || exponent < -60)) || isinf((float)value)) {
        return fail_at(p, start, "number out of range");
    }
    if (is_name_start(p->text[p->position])) {
        return fail(p, "letter after a number");
    }
    return add_constant(p, value);
}

static uint16_t parse_choice(struct parser *p);

/* The arguments of a call, up to three, and the closing parenthesis. */
static unsigned parse_arguments(struct parser *p, uint16_t args[3])
{
    unsigned count = 0;
    do {
        uint16_t arg = parse_choice(p);
        if (count == 3) {
            fail(p, "too many arguments");
            return 0;
        }
        args[count++] = arg;
    } while (accept(p, ','));
    if (!accept(p, ')')) {
        fail(p, "expected ')'");
    }
    return count;
}

static uint16_t parse_call(struct parser *p, size_t start, size_t length)
{
    const char *name = p->text + start;
    uint16_t args[3] = {0, 0, 0};
    enum gruc_basic op;
    enum gruc_prim prim;
    unsigned count = parse_arguments(p, args);
    if (p->failed) {
        return 0;
    }
    if (gruc_basic_find(name, length, &op)) {
        if (count != gruc_basic_describe(op)->arity) {
            return fail_at(p, start, "wrong number of arguments");
        }
        return add_basic(p, start, op, args);
    }
    if (!gruc_prim_find(name, length, &prim)) {
        return fail_at(p, start, "unknown function");
    }
    if (count != 1) {
        return fail_at(p, start, "wrong number of arguments");
    }
    if (p->out->nodes[args[0]].type != GRUC_EXPR_F32) {
        return fail_at(p, start, "operand is not a number");
    }
    return add_node(p, &(struct gruc_expr_node){.kind = GRUC_EXPR_PRIM, .index = (uint8_t)prim,
                                                .arg_count = 1, .args = {args[0]}});
}

static uint16_t parse_variable(struct parser *p, size_t start, size_t length)
{
    struct gruc_expr *out = p->out;
    const char *name = p->text + start;
    unsigned index = 0;
    for (unsigned i = p->let_count; i-- > 0;) {
        if (p->lets[i].length == length && memcmp(p->lets[i].name, name, length) == 0) {
            return p->lets[i].node;
        }
    }
    while (index < out->name_count && !name_equals(out->names[index], name, length)) {
        index++;
    }
    if (index == out->name_count) {
        if (index == GRUC_EXPR_NAMES || length >= GRUC_EXPR_NAME_SIZE) {
            return fail_at(p, start, "too many variables, or too long a name");
        }
        memcpy(out->names[index], name, length);
        out->names[index][length] = '\0';
        out->name_count++;
    }
    return add_node(p, &(struct gruc_expr_node){.kind = GRUC_EXPR_VARIABLE,
                                                .index = (uint8_t)index});
}

static uint16_t parse_primary(struct parser *p)
{
    char c = peek(p);
    if (accept(p, '(')) {
        uint16_t inner = parse_choice(p);
        return accept(p, ')') ? inner : fail(p, "expected ')'");
    }
    if (is_digit(c) || c == '.') {
        return parse_number(p);
    }
    if (accept_word(p, "INFINITY")) {
        return add_constant(p, (double)INFINITY);
    }
    size_t start = p->position;
    size_t length = name_length(p->text + start);
    if (length == 0) {
        return fail(p, "expected a value");
    }
    p->position += length;
    return accept(p, '(') ? parse_call(p, start, length) : parse_variable(p, start, length);
}

static uint16_t parse_unary(struct parser *p)
{
    uint16_t result = 0;
    if (++p->depth > GRUC_EXPR_DEPTH) {
        return fail(p, "formula nested too deeply");
    }
    char c = peek(p);
    size_t start = p->position;
    if (c == '-' || c == '!') {
        p->position++;
        uint16_t args[3] = {parse_unary(p), 0, 0};
        result = add_basic(p, start, c == '-' ? GRUC_BASIC_NEG : GRUC_BASIC_NOT, args);
    } else {
        result = parse_primary(p);
    }
    p->depth--;
    return result;
}

struct operator {
    char text[3];
    unsigned char precedence;
    bool swapped; /* a > b is b < a */
    bool negated; /* a != b is !(a == b) */
    enum gruc_basic op;
};

/* Longer spellings first. */
static const struct operator operators[] = {
    {"||", 1, false, false, GRUC_BASIC_OR},  {"&&", 2, false, false, GRUC_BASIC_AND},
    {"==", 3, false, false, GRUC_BASIC_EQ},  {"!=", 3, false, true, GRUC_BASIC_EQ},
    {"<=", 4, false, false, GRUC_BASIC_LE},  {">=", 4, true, false, GRUC_BASIC_LE},
    {"<", 4, false, false, GRUC_BASIC_LT},   {">", 4, true, false, GRUC_BASIC_LT},
    {"+", 5, false, false, GRUC_BASIC_ADD},  {"-", 5, false, false, GRUC_BASIC_SUB},
    {"*", 6, false, false, GRUC_BASIC_MUL},  {"/", 6, false, false, GRUC_BASIC_DIV},
};

static const struct operator *find_operator(struct parser *p)
{
    peek(p);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strncmp(p->text + p->position, operators[i].text, strlen(operators[i].text)) == 0) {
            return &operators[i];
        }
    }
    return NULL;
}

/* Operators of at least this precedence, left to right. */
static uint16_t parse_binary(struct parser *p, unsigned precedence)
{
    uint16_t left = parse_unary(p);
    const struct operator *operator;
    while ((operator = find_operator(p)) != NULL && operator->precedence >= precedence) {
        size_t start = p->position;
        p->position += strlen(operator->text);
        uint16_t right = parse_binary(p, operator->precedence + 1U);
        uint16_t args[3] = {operator->swapped ? right : left, operator->swapped ? left : right, 0};
        left = add_basic(p, start, operator->op, args);
        if (operator->negated) {
            left = add_basic(p, start, GRUC_BASIC_NOT, (const uint16_t[3]){left, 0, 0});
        }
    }
    return left;
}

static uint16_t parse_choice(struct parser *p)
{
    if (++p->depth > GRUC_EXPR_DEPTH) {
        return fail(p, "formula nested too deeply");
    }
    uint16_t result = parse_binary(p, 1);
    peek(p);
    size_t start = p->position;
    if (accept(p, '?')) {
        uint16_t chosen = parse_choice(p);
        if (!accept(p, ':')) {
            fail(p, "expected ':'");
        }
        uint16_t other = parse_choice(p);
        result = add_basic(p, start, GRUC_BASIC_SELECT, (const uint16_t[3]){result, chosen, other});
    }
    p->depth--;
    return result;
}

static void parse_let(struct parser *p)
{
    peek(p);
    const char *name = p->text + p->position;
    size_t length = name_length(name);
    if (length == 0 || p->let_count == GRUC_EXPR_LETS) {
        fail(p, length == 0 ? "expected a name" : "too many names");
        return;
    }
    p->position += length;
    if (!accept(p, '=')) {
        fail(p, "expected '='");
    }
    uint16_t node = parse_choice(p);
    if (!accept(p, ';')) {
        fail(p, "expected ';'");
    }
    p->lets[p->let_count++] = (struct binding){name, length, node};
}

bool gruc_expr_parse(const char *text, struct gruc_expr *out, struct gruc_expr_error *error)
{
    struct parser p = {.text = text, .out = out, .error = error};
    out->node_count = 0;
    out->name_count = 0;
    while (accept_word(&p, "let")) {
        parse_let(&p);
    }
    out->root = parse_choice(&p);
    if (peek(&p) != '\0') {
        fail(&p, "unexpected text after the formula");
    }
    if (!p.failed && out->nodes[out->root].type != GRUC_EXPR_F32) {
        fail_at(&p, 0, "the result is not a number");
    }
    return !p.failed;
}

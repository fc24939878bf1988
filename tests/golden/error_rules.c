/* SPDX-License-Identifier: MIT */
/* Running error analysis, one rule an operation.
 *
 * Let f be an exact operation, fl(f) its float32 form with |fl(y) - y| <= u |y| + t for u = 2^-24
 * and t = 2^-150 (half the smallest subnormal number). The operands in float32 are x' with
 * |x' - x| <= e. Then
 *
 *     |fl(f(x')) - f(x)| <= |f(x') - f(x)| + u |f(x')| + t.
 *
 * The first term is what the rules below bound from e: by the triangle inequality for sums and
 * products, by the ends of the interval [x - e, x + e] for monotone functions (all primitives
 * are). The second is at most u (|f(x)| + first term). v is itself computed in double precision;
 * its error of some 2^-53 a step, and that of any double reference it is compared with, is covered
 * by taking u a little larger. A sum adds a rounding for each partial sum, in the order that
 * gruc_sum_ranges fixes.
 *
 * Where a number leaves the range of float32, e is infinite from there on, through bounded
 * functions too: what comes out of them may be NaN. */
#include "tests/golden/error_rules.h"

#include <math.h>

#include "ir/ir.h"
#include "ir/sum.h"

static const double unit = 0x1p-24 * (1 + 1e-6);
static const double tiny = 0x1p-149;

double error_of_rounding(double size)
{
    return unit * fabs(size) + tiny;
}

static struct cell rounded(double v, double e)
{
    if (isnan(e) || fabs(v) + e > 0x1.fffffep127)
        e = (double)INFINITY; /* float32 may have an infinity or NaN here */
    return (struct cell){v, e + error_of_rounding(fabs(v) + e)};
}

/* Constants reach the IR as float32; one with a full mantissa was rounded on its way. */
struct cell error_constant(double value)
{
    double coarse = (double)ldexpf(rintf(ldexpf((float)value, 10)), -10);
    int exact = coarse == value || !isfinite(value);
    return (struct cell){value, exact ? 0 : error_of_rounding(value)};
}

/* NaN in float32 as well: it came in as such. A NaN that grew out of numbers too large for float32
 * has no bound instead. */
static int is_certain_nan(struct cell a)
{
    return isnan(a.v) && a.e == 0;
}

static const struct cell certain_nan = {(double)NAN, 0};

static struct cell product(struct cell a, struct cell b)
{
    if (is_certain_nan(a) || is_certain_nan(b))
        return certain_nan;
    double e = fabs(a.v) * b.e + fabs(b.v) * a.e + a.e * b.e;
    return (struct cell){a.v * b.v, isnan(e) ? (double)INFINITY : e};
}

static struct cell sum_of(struct cell a, struct cell b)
{
    if (is_certain_nan(a) || is_certain_nan(b))
        return certain_nan;
    return rounded(a.v + b.v, a.e + b.e);
}

static struct cell divide(struct cell a, struct cell b)
{
    double v = a.v / b.v, room = fabs(b.v) - b.e;
    if (a.e == 0 && b.e == 0)
        return rounded(v, 0);
    return rounded(v, room > 0 ? (a.e + fabs(v) * b.e) / room : (double)INFINITY);
}

/* The larger change of a monotone function at the ends of an interval. */
static double spread(double v, double low, double high)
{
    return fmax(fabs(low - v), fabs(high - v));
}

static struct cell smaller(struct cell a, struct cell b, double sign)
{
    /* One operand for certain, else |min(a', b') - min(a, b)| <= max(ea, eb). */
    double gap = sign * (b.v - a.v);
    struct cell chosen = gap > 0 ? a : b;
    if (isinf(a.e) || isinf(b.e))
        return (struct cell){chosen.v, (double)INFINITY};
    if (isnan(a.v) || isnan(b.v) || fabs(gap) > a.e + b.e)
        return chosen;
    return (struct cell){chosen.v, fmax(a.e, b.e)};
}

static struct cell compare(int truth, struct cell a, struct cell b)
{
    double e = a.e + b.e;
    if (isinf(e))
        return (struct cell){truth, e};
    return (struct cell){truth, e > 0 && fabs(a.v - b.v) <= e};
}

static struct cell select(struct cell condition, struct cell yes, struct cell no)
{
    struct cell chosen = condition.v != 0 ? yes : no, other = condition.v != 0 ? no : yes;
    if (isinf(condition.e))
        return (struct cell){chosen.v, condition.e};
    if (condition.e == 0 || (isinf(chosen.v) && chosen.v == other.v))
        return chosen;
    return (struct cell){chosen.v, fmax(chosen.e, fabs(chosen.v - other.v) + other.e)};
}

static struct cell both(struct cell a, struct cell b, double absorbing)
{
    double v = absorbing != 0 ? (a.v != 0 || b.v != 0) : (a.v != 0 && b.v != 0);
    int certain = (a.v == absorbing && a.e == 0) || (b.v == absorbing && b.e == 0);
    return (struct cell){v, certain ? 0 : fmax(a.e, b.e)};
}

static struct cell square_root(struct cell a)
{
    double v = sqrt(a.v);
    return rounded(v, a.e == 0 ? 0 : spread(v, sqrt(fmax(0, a.v - a.e)), sqrt(a.v + a.e)));
}

struct cell error_basic(enum gruc_basic op, const struct cell *args)
{
    struct cell a = args[0];
    switch (op) {
    case GRUC_BASIC_ADD:
        return sum_of(a, args[1]);
    case GRUC_BASIC_SUB:
        return sum_of(a, (struct cell){-args[1].v, args[1].e});
    case GRUC_BASIC_MUL:
        return sum_of(product(a, args[1]), (struct cell){0, 0});
    case GRUC_BASIC_FMA:
        return sum_of(product(a, args[1]), args[2]);
    case GRUC_BASIC_DIV:
        return is_certain_nan(a) || is_certain_nan(args[1]) ? certain_nan : divide(a, args[1]);
    case GRUC_BASIC_NEG:
        return (struct cell){-a.v, a.e};
    case GRUC_BASIC_ABS:
        return (struct cell){fabs(a.v), a.e};
    case GRUC_BASIC_SQRT:
        return square_root(a);
    case GRUC_BASIC_MIN:
        return smaller(a, args[1], 1);
    case GRUC_BASIC_MAX:
        return smaller(a, args[1], -1);
    case GRUC_BASIC_ROUND:
        return (struct cell){rint(a.v), spread(rint(a.v), rint(a.v - a.e), rint(a.v + a.e))};
    case GRUC_BASIC_COPYSIGN:
        if (fabs(args[1].v) > args[1].e || args[1].e == 0)
            return (struct cell){copysign(a.v, args[1].v), a.e};
        return (struct cell){copysign(a.v, args[1].v), 2 * (fabs(a.v) + a.e)};
    case GRUC_BASIC_LT:
        return compare(a.v < args[1].v, a, args[1]);
    case GRUC_BASIC_LE:
        return compare(a.v <= args[1].v, a, args[1]);
    case GRUC_BASIC_EQ:
        return compare(a.v == args[1].v, a, args[1]);
    case GRUC_BASIC_AND:
        return both(a, args[1], 0);
    case GRUC_BASIC_OR:
        return both(a, args[1], 1);
    case GRUC_BASIC_NOT:
        return (struct cell){a.v == 0, a.e};
    case GRUC_BASIC_SELECT:
        return select(a, args[1], args[2]);
    case GRUC_BASIC_LDEXP:
    case GRUC_BASIC_EXPONENT:
    case GRUC_BASIC_MANTISSA:
    case GRUC_BASIC_COUNT:
        break; /* only inside the expansions of primitives */
    }
    return (struct cell){(double)NAN, (double)INFINITY};
}

struct cell error_prim(enum gruc_prim prim, struct cell x)
{
    const struct gruc_bound *bound = &gruc_prim_describe(prim)->bound;
    double v = gruc_prim_reference(prim, x.v), e = 0;
    if (is_certain_nan(x))
        return certain_nan;
    if (isinf(x.e))
        return (struct cell){v, x.e};
    if (x.e > 0)
        e = spread(v, gruc_prim_reference(prim, x.v - x.e), gruc_prim_reference(prim, x.v + x.e));
    /* An ulp is at most 2^-23 of the number, and at least the smallest subnormal. */
    double ulps = bound->ulp * (2 * unit * (fabs(v) + e) + tiny);
    return rounded(v, e + fmax(ulps, bound->absolute));
}

struct cell error_dot(const struct cell *x, const struct cell *w, uint32_t k, uint32_t stride,
                      const struct cell *bias)
{
    struct cell total = {0, 0};
    unsigned ranges = gruc_sum_ranges(k);
    for (unsigned range = 0; range < ranges; range++) {
        struct cell sum = range == 0 && bias != NULL ? *bias : (struct cell){0, 0};
        uint32_t end = gruc_sum_range_begin(k, range + 1);
        for (uint32_t i = gruc_sum_range_begin(k, range); i < end; i++) {
            struct cell term = product(x[i], w[(size_t)i * stride]);
            sum = sum_of(sum, term);
        }
        total = range == 0 ? sum : sum_of(total, sum);
    }
    return total;
}

struct cell error_sum(const struct cell *x, uint32_t width)
{
    struct cell lanes[16] = {{0, 0}};
    for (uint32_t i = 0; i < width; i++) {
        struct cell *lane = &lanes[i % 16];
        *lane = sum_of(*lane, x[i]);
    }
    for (unsigned half = 8; half > 0; half /= 2)
        for (unsigned i = 0; i < half; i++)
            lanes[i] = sum_of(lanes[i], lanes[i + half]);
    return lanes[0];
}

struct cell error_max(const struct cell *x, uint32_t width)
{
    struct cell most = x[0];
    for (uint32_t i = 1; i < width; i++) {
        if (isnan(x[i].v))
            return x[i];
        most = smaller(x[i], most, -1);
    }
    return most;
}

/* tau is the root of sum(max(x - tau, 0)) = 1: a common shift of x shifts it as much and it is
 * monotone in x, so |tau(x') - tau(x)| <= max |x' - x|. Its float32 form is a sum of at most width
 * numbers of the support, all within 1 of the largest, and a division. */
struct cell error_sparsemax_threshold(const struct cell *x, uint32_t width)
{
    double low = (double)INFINITY, high = -(double)INFINITY, e = 0;
    for (uint32_t i = 0; i < width; i++) {
        if (isnan(x[i].v))
            return x[i];
        high = fmax(high, x[i].v);
        e = fmax(e, x[i].e);
    }
    low = high - 1;
    double size = fabs(high) + 1;
    for (int i = 0; i < 200; i++) {
        double middle = low + (high - low) / 2, sum = 0;
        for (uint32_t k = 0; k < width; k++)
            sum += fmax(x[k].v - middle, 0);
        *(sum > 1 ? &low : &high) = middle;
    }
    return (struct cell){low, e + (width + 3) * error_of_rounding(size)};
}

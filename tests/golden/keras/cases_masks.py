# SPDX-License-Identifier: MIT
"""Masks: explicit, Masking, Embedding; placement; state; propagation through stacks."""
from functools import partial

import numpy as np

from case import Case, bits, deal, in_turn, layer, values

NAN, INF = np.float32(np.nan), np.float32(np.inf)
PATTERNS = {
    "leading": bits("00111", "01111", "00001"),
    "middle": bits("11011", "10011", "10101"),
    "trailing": bits("11100", "11110", "10000"),
    "full_row": bits("00000", "11011", "11111"),
    "all_true": bits("11111", "11111", "11111"),
    "mixed": bits("01010", "00110", "11001"),
}


def gru(**args):
    return layer("GRU", **{"name": "g", "inputs": "x", "mask": "m", "units": 4, **args})


def explicit(keras, tag, mask, note, layers=None, h0=False, dtype="bool", shape=None, x=None,
             static=None, outputs=("g",), **extra):
    """One model with x, an explicit mask m and perhaps a given state."""
    name = f"k{keras}_mask_{tag}"
    inputs = {"x": [static, 3], "m": (shape or [static], dtype)}
    arrays = {"x": values(name, *mask.shape[:2], 3) if x is None else x,
              "m": mask.astype(dtype)}
    if h0:
        inputs["h0"] = [4]
        arrays["h0"] = values(name + " h0", len(mask), 4)
    return Case(name, keras, inputs, layers, [arrays], outputs=list(outputs), note=note, **extra)


def placement(keras):
    """Each pattern with and without a given state, both directions, all outputs."""
    both = ("g", "g.state")
    for index, (tag, mask) in enumerate(PATTERNS.items()):
        for h0 in (False, True):
            if keras == 1 and not (h0 and tag in ("leading", "middle", "full_row")):
                continue
            if keras != 1 and not in_turn(keras, index + h0):
                continue
            state = {"initial_state": "h0"} if h0 else {}
            yield explicit(
                keras, tag + "_initial_state" * h0, mask,
                f"{tag} masked steps" + (", given state" if h0 else ""),
                [gru(return_sequences=True, return_state=True, **state)], h0=h0, outputs=both)
        if keras == 1 or not in_turn(keras, index):
            continue
        yield explicit(keras, tag + "_go_backwards", mask,
                       f"{tag} masked steps, last step first, given state",
                       [gru(return_sequences=True, return_state=True, go_backwards=True,
                            initial_state="h0")], h0=True, outputs=both)
        if tag == "all_true":
            continue
        yield explicit(keras, tag + "_last_output", mask,
                       f"{tag} masked steps, only the last output, given state",
                       [gru(return_state=True, initial_state="h0", reset_after=False)],
                       h0=True, outputs=both)


def zero_output(keras):
    """zero_output_for_mask, looped and unrolled, with the unroll defect by the rule."""
    if keras == 1:
        yield explicit(keras, "zero_output_mixed", PATTERNS["mixed"], "masked outputs are zero",
                       [gru(return_sequences=True, return_state=True,
                            zero_output_for_mask=True)], outputs=("g", "g.state"))
        return
    both = ("g", "g.state")
    flag = dict(zero_output_for_mask=True, initial_state="h0", return_state=True)
    for index, tag in enumerate(("mixed", "trailing", "leading")):
        mask = PATTERNS[tag]
        for backwards in (False, True):
            if not in_turn(keras, index + backwards):
                continue
            end = "_go_backwards" * backwards
            sequences = dict(flag, return_sequences=True, go_backwards=backwards)
            yield explicit(keras, f"zero_output_{tag}{end}", mask,
                           "masked outputs are zero, the state still freezes",
                           [gru(**sequences)], h0=True, outputs=both)
            yield explicit(keras, f"zero_output_{tag}{end}_last", mask,
                           "a masked last step gives zero, the state is the last valid one",
                           [gru(**dict(flag, go_backwards=backwards))], h0=True, outputs=both)
    mask = PATTERNS["mixed"]
    yield explicit(keras, "zero_output_unroll", mask, "unrolled, masked outputs are zero",
                   [gru(**dict(flag, return_sequences=True, unroll=True))], h0=True,
                   outputs=both, static=5)
    # Keras zeroes by the mask in input order here; the looped layer keeps the rule.
    backwards = dict(flag, return_sequences=True, go_backwards=True)
    yield explicit(keras, "zero_output_unroll_go_backwards", mask,
                   "unrolled, last step first: the rule, from which Keras deviates",
                   [gru(**dict(backwards, unroll=True))], h0=True, outputs=both, static=5,
                   by_rule=True, twin=[gru(**backwards)])
    if keras == 3:
        yield explicit(keras, "zero_output_unroll_last", mask,
                       "unrolled, a masked last step gives zero",
                       [gru(**dict(flag, unroll=True))], h0=True, outputs=both, static=5)


def kinds(keras):
    """Types and shapes a mask may have; any nonzero value means use this step."""
    mask = PATTERNS["mixed"]
    whole = np.where(mask, np.array([[1, -7, 2, 9, -1]]), 0)
    part = np.where(mask, np.array([[0.5, -7, 1e-3, 1, -0.25]]), 0)
    plain, before = dict(return_sequences=True), dict(return_sequences=True, reset_after=False)
    rows = [("int32", whole, "int32", plain), ("float32", part, "float32", plain),
            ("int32_before", whole, "int32", before),
            ("float32_go_backwards", part, "float32", dict(plain, go_backwards=True)),
            ("int32_unroll", whole, "int32", dict(plain, unroll=True)),
            ("trailing_axis_bool", mask[..., None], "bool", plain),
            ("trailing_axis_int32", whole[..., None], "int32", plain),
            ("trailing_axis_float32_before", part[..., None], "float32", before),
            ("trailing_axis_go_backwards", mask[..., None], "bool",
             dict(plain, go_backwards=True))]
    dealt = {1: rows[:2], 2: rows, 3: rows[::2]}
    for tag, data, dtype, args in dealt[keras]:
        steps = 5 if "unroll" in args else None
        yield explicit(keras, tag, data,
                       "any nonzero value is true" + "; (T,1) counts as (T)" * (data.ndim == 3),
                       [gru(**args)], dtype=dtype, shape=[steps, 1] if data.ndim == 3 else None,
                       static=steps, eager=keras == 2 and args.get("reset_after", True))


def variety(keras):
    """Rows that are alike in every lineage."""
    mask = PATTERNS["mixed"]
    yield explicit(keras, "static_steps", mask, "steps declared",
                   [gru(return_sequences=True)], static=5)
    yield explicit(keras, "one_step", bits("0", "1", "0"), "one step, masked in two rows",
                   [gru(return_sequences=True, return_state=True, initial_state="h0")],
                   h0=True, outputs=("g", "g.state"))
    yield explicit(keras, "single_row", bits("0110100"), "batch 1",
                   [gru(return_sequences=True, return_state=True)], outputs=("g", "g.state"))
    for tag in ("mixed", "leading"):
        yield explicit(keras, "unroll_" + tag, PATTERNS[tag], "unrolled equals looped",
                       [gru(return_sequences=True, return_state=True, unroll=True,
                            initial_state="h0")], h0=True, static=5, outputs=("g", "g.state"))
    yield explicit(keras, "unroll_go_backwards", mask, "unrolled equals looped",
                   [gru(return_sequences=True, return_state=True, unroll=True, reset_after=False,
                        go_backwards=True, initial_state="h0")], h0=True, static=5,
                   outputs=("g", "g.state"))
    wide = values("wide mask", 33, 7) > -0.5
    yield explicit(keras, "batch_33", wide, "batch 33, every row another mask",
                   [gru(return_state=True, return_sequences=True)], outputs=("g", "g.state"))
    for units in (8, 17):
        yield explicit(keras, f"h{units}", PATTERNS["mixed"], f"{units} units",
                       [gru(units=units, return_state=True, return_sequences=True,
                            reset_after=units == 8)], outputs=("g", "g.state"))
    long = values("long mask", 2, 200) > -0.25
    yield explicit(keras, "t200", long, "200 steps",
                   [gru(units=3, return_state=True)], outputs=("g", "g.state"))


def specials(keras):
    """NaN and infinity: never out of a masked step, never into another row."""
    mask = PATTERNS["mixed"]
    def spoiled(value, where):
        x = values("spoiled", 3, 5, 3)
        x[where] = value
        return x

    rows = [("nan", NAN), ("infinity", INF), ("minus_infinity", -INF)]
    for tag, value in rows if keras == 2 else rows[:1]:
        yield explicit(keras, f"{tag}_in_masked_steps", mask, f"{tag} where masked: no leak",
                       [gru(return_sequences=True, return_state=True)],
                       x=spoiled(value, ~mask), outputs=("g", "g.state"))
    if keras == 1:
        return
    yield from deal(keras, more_specials(keras, mask, spoiled))


def more_specials(keras, mask, spoiled):
    yield explicit(keras, "nan_in_masked_steps_before", mask, "NaN where masked: no leak",
                   [gru(return_sequences=True, return_state=True, reset_after=False,
                        go_backwards=True)], x=spoiled(NAN, ~mask), outputs=("g", "g.state"))
    yield explicit(keras, "nan_in_masked_steps_zero_output", mask, "NaN where masked: no leak",
                   [gru(return_sequences=True, zero_output_for_mask=True)],
                   x=spoiled(NAN, ~mask))
    yield explicit(keras, "nan_in_masked_steps_relu", mask, "NaN where masked: no leak",
                   [gru(return_sequences=True, activation="relu")], x=spoiled(NAN, ~mask))
    used = spoiled(NAN, (1, 2, 0))
    yield explicit(keras, "nan_in_used_step", mask, "NaN from step 2 of row 1 on, in no other row",
                   [gru(return_sequences=True, return_state=True)], x=used,
                   outputs=("g", "g.state"))
    inner = {"GRU": dict(units=4, return_sequences=True)}
    yield explicit(keras, "nan_in_masked_steps_bidirectional", mask, "NaN where masked: no leak",
                   [layer("Bidirectional", name="b", inputs="x", mask="m", layer=inner)],
                   x=spoiled(NAN, ~mask), outputs=("b",))
    name = f"k{keras}_nan_in_used_step_without_mask"
    yield Case(name, keras, {"x": [None, 3]},
               [layer("GRU", name="g", units=4, return_sequences=True)], [{"x": used}],
               note="NaN from step 2 of row 1 on, in no other row")


def masked_by_value(name, mask, value, width=3):
    x = values(name, *mask.shape, width)
    x[~mask] = value
    return x


def masking(keras, tag, layers, x, note, outputs=None, static=None):
    return Case(f"k{keras}_masking_{tag}", keras, {"x": [static, x.shape[2]]}, layers,
                [{"x": x}], outputs=outputs, note=note)


def masking_values(keras):
    """Masking: all features equal the value; a later Masking replaces the mask."""
    model = partial(masking, keras)
    mask = PATTERNS["mixed"]
    sequences = layer("GRU", name="g", units=4, return_sequences=True)
    zero = layer("Masking", name="k", mask_value=0.0)
    x = masked_by_value("masking", mask, 0)
    yield model("zero", [zero, sequences], x, "steps of zeros are masked", ["k", "g"])
    yield model("default_value", [layer("Masking"), layer("GRU", units=4)], x,
                "default mask value, default names")
    yield model("value_minus_one", [layer("Masking", name="k", mask_value=-1.0), sequences],
                masked_by_value("minus one", mask, -1), "mask value -1", ["k", "g"])
    some = x.copy()
    some[0, 0] = [0, 0.5, 0]
    some[1, 1] = [0, 0, -0.25]
    some[2, 3] = -0.0
    yield model("some_features", [zero, sequences], some,
                "a step is masked only when all features equal the value; -0 equals 0",
                ["k", "g"])
    nan = x.copy()
    nan[0, 0] = NAN
    yield model("nan_is_not_masked", [zero, sequences], nan, "NaN never equals the mask value",
                ["k", "g"])
    two = masked_by_value("two", PATTERNS["middle"], 0)
    two[~PATTERNS["leading"]] = 0.5
    yield model("twice", [zero, layer("Masking", name="k2", mask_value=0.5), sequences], two,
                "the second mask alone counts", ["k", "k2", "g"])
    yield model("one_feature", [layer("Masking", name="k", mask_value=0.25), sequences],
                masked_by_value("one", mask, 0.25, 1), "one feature", ["g"])
    yield model("full_row", [zero, layer("GRU", name="g", units=4, return_sequences=True,
                                         return_state=True)],
                masked_by_value("full", PATTERNS["full_row"], 0), "row 0 is masked throughout",
                ["g", "g.state"])
    yield model("go_backwards",
                [zero, layer("GRU", name="g", units=4, return_sequences=True,
                             go_backwards=True)], x, "masking, last step first", ["g"])
    yield model("unroll", [zero, layer("GRU", name="g", units=4, unroll=True)], x,
                "masking, unrolled", ["g"], static=5)


def masking_onward(keras):
    """What becomes of the mask in the layers that follow."""
    model = partial(masking, keras)
    sequences = layer("GRU", name="g", units=4, return_sequences=True)
    zero = layer("Masking", name="k", mask_value=0.0)
    x = masked_by_value("masking", PATTERNS["mixed"], 0)
    yield model("through_layers",
                [zero, layer("Dense", name="d", units=3, activation="tanh"),
                 layer("Activation", name="a", activation="softsign"),
                 layer("Dropout", name="o", rate=0.5), sequences], x,
                "the mask passes Dense, Activation and Dropout; values there are computed as usual",
                ["d", "a", "g"])
    passing = [zero, layer("ReLU", name="r"), layer("ELU", name="e"),
               layer("SpatialDropout1D", name="s", rate=0.5),
               layer("GaussianNoise", name="n", stddev=0.5)]
    leaky = "negative_slope" if keras == 3 else "alpha"
    passing.append(layer("LeakyReLU", name="l", **{leaky: 0.25}))
    yield model("through_more_layers", passing + [sequences], x,
                "the mask passes activation and noise layers", ["l", "g"])
    yield model("through_activation_softmax",
                [zero, layer("Activation", name="a", activation="softmax"), sequences], x,
                "Activation(softmax) passes the mask", ["a", "g"])
    yield model("dropped_by_reshape",
                [zero, layer("Reshape", name="r", target_shape=[-1, 3]), sequences], x,
                "Reshape drops the mask", ["g"])
    yield model("then_explicit_flatten",
                [zero, sequences, layer("Flatten", name="f"), layer("Dense", name="d", units=2)],
                x, "Flatten over declared steps, the mask ends there", ["d"], static=5)
    bidirectional = layer("Bidirectional", name="b",
                          layer={"GRU": dict(units=4, return_sequences=True)})
    yield model("bidirectional", [zero, bidirectional, layer("GRU", name="g", units=3)], x,
                "the mask passes a Bidirectional", ["b", "g"])
    name = f"k{keras}_masking_replaced_by_explicit"
    yield Case(name, keras, {"x": [None, 3], "m": ([None], "bool")},
               [layer("Masking", name="k", inputs="x"),
                layer("GRU", name="g", inputs="k", mask="m", units=4, return_sequences=True),
                layer("GRU", name="h", inputs="g", units=3)],
               [{"x": x, "m": PATTERNS["leading"]}], outputs=["g", "h"],
               note="an explicit mask is used in place of the propagated one and goes on")


def embedding(keras):
    """Embedding with and without mask_zero."""
    ids = np.array([[3, 0, 5, 1, 0], [0, 0, 2, 6, 4], [1, 2, 0, 0, 0]], np.int32)
    def model(tag, ids, layers, note, dtype="int32", outputs=None, static=None):
        return Case(f"k{keras}_embedding_{tag}", keras, {"ids": ([static], dtype)}, layers,
                    [{"ids": ids}], outputs=outputs, note=note)

    masked = layer("Embedding", name="e", input_dim=7, output_dim=3, mask_zero=True)
    sequences = layer("GRU", name="g", units=4, return_sequences=True)
    yield model("mask_zero", ids, [masked, sequences],
                "id 0 is masked wherever it stands, its row is still looked up",
                outputs=["e", "g"])
    if keras == 1:
        return
    yield from deal(keras, more_embedding(ids, model, masked, sequences))
    if keras == 3:
        yield model("negative_ids", np.array([[3, -1, 0, -7]], np.int32), [masked, sequences],
                    "negative ids count from the end", outputs=["e", "g"])


def more_embedding(ids, model, masked, sequences):
    yield model("plain", ids, [layer("Embedding", name="e", input_dim=7, output_dim=3),
                               sequences], "no mask", outputs=["e", "g"])
    yield model("mask_zero_last", ids, [masked, layer("GRU", name="g", units=4),
                                        layer("Dense", name="d", units=2,
                                              activation="softmax")],
                "only the last output", outputs=["d"])
    yield model("mask_zero_bidirectional", ids,
                [masked, layer("Bidirectional", name="b",
                               layer={"GRU": dict(units=4, return_sequences=True)})],
                "masked steps are zero in both directions", outputs=["b"])
    yield model("static_steps", ids, [masked, sequences], "steps declared", static=5,
                outputs=["g"])
    yield model("all_zero_row", np.array([[0, 0, 0], [1, 0, 2]], np.int32), [masked, sequences],
                "row 0 is masked throughout", outputs=["g"])
    yield model("alone", ids, [masked], "nothing follows", outputs=["e"])
    yield model("float_ids", np.array([[1.75, 0, 0.5, 6]], np.float32), [masked, sequences],
                "fractional ids are truncated; 0.5 looks up row 0 and is not masked",
                dtype="float32", outputs=["e", "g"])


def stacks(keras):
    """Masks through stacked layers, and a propagated mask beside a given state."""
    mask = PATTERNS["mixed"]
    x = masked_by_value("stack", mask, 0)
    zero = layer("Masking", name="k", inputs="x")
    def model(tag, layers, note, outputs, h0=False):
        inputs, arrays = {"x": [None, 3]}, {"x": x}
        if h0:
            inputs["h0"], arrays["h0"] = [4], values("stack h0", 3, 4)
        return Case(f"k{keras}_stack_{tag}", keras, inputs, layers, [arrays], outputs,
                    note=note)

    def two(**first):
        return [zero, layer("GRU", name="g", units=4, return_sequences=True, **first),
                layer("GRU", name="h", inputs="g", units=3, return_sequences=True)]

    yield model("masked", two(), "the second layer sees the same mask", ["g", "h"])
    yield model("masked_go_backwards_first", two(go_backwards=True),
                "the outputs are reversed, the mask that goes on is not", ["g", "h"])
    if keras == 1:
        return
    yield model("masked_zero_output_first", two(zero_output_for_mask=True),
                "zeroed outputs, the mask goes on", ["g", "h"])
    yield model("masked_both_go_backwards",
                two(go_backwards=True)[:2] + [layer("GRU", name="h", inputs="g", units=3,
                                                    go_backwards=True)],
                "reversed twice, one mask", ["g", "h"])
    yield model("masked_three",
                two() + [layer("GRU", name="i", inputs="h", units=5, return_state=True)],
                "three layers, one mask", ["h", "i", "i.state"])
    yield model("masked_initial_state", two(initial_state="h0"),
                "Keras 2 applies the propagated mask beside a given state; Keras 3 does not, for "
                "that layer only", ["g", "h"], h0=True)
    inner = {"GRU": dict(units=4, return_sequences=True)}
    yield model("masked_initial_state_bidirectional",
                [zero, layer("Bidirectional", name="b", inputs="k", initial_state=["h0", "h0"],
                             layer=inner),
                 layer("GRU", name="h", inputs="b", units=3)],
                "as for GRU: Keras 3 loses the propagated mask in that layer", ["b", "h"], h0=True)
    yield model("masked_initial_state_not_last",
                [zero, layer("GRU", name="g", inputs="k", units=4, initial_state="h0")],
                "a propagated mask beside a given state, last output", ["g"], h0=True)
    name = f"k{keras}_stack_explicit_goes_on"
    yield Case(name, keras, {"x": [None, 3], "m": ([None], "bool")},
               [gru(return_sequences=True), layer("GRU", name="h", inputs="g", units=3)],
               [{"x": values(name, 3, 5, 3), "m": mask}], outputs=["g", "h"],
               note="an explicit mask goes on to the next layer")
    name = f"k{keras}_stack_explicit_ends_without_sequences"
    yield Case(name, keras, {"x": [None, 3], "m": ([None], "bool")},
               [gru(), layer("Reshape", name="r", target_shape=[4, 1]),
                layer("GRU", name="h", inputs="r", units=3)],
               [{"x": values(name, 3, 5, 3), "m": mask}], outputs=["g", "h"],
               note="a last output carries no mask")


def cases(keras):
    for family in (placement, zero_output, kinds, specials, embedding, stacks):
        yield from family(keras)
    if keras == 1:
        yield next(masking_values(keras))
        return
    yield from deal(keras, masking_values(keras))
    yield from deal(keras, masking_onward(keras))
    yield from deal(keras, variety(keras))

# SPDX-License-Identifier: MIT
"""GRU cases: sizes, flags, published golden numbers, saturation."""
import numpy as np

from case import Case, bits, in_turn, layer, values

SIZES = (1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 129, 257)
FLAGS_IN_V1 = ("defaults", "go_backwards_sequences_state", "unroll_before", "implementation_0",
    "implementation_2_before", "dropout_clamped")
FLAGS_NOT_IN_K3 = ("return_sequences", "return_state", "no_bias_after", "unroll_before",
    "implementation_2_before", "implementation_2_no_bias", "not_trainable",
    "dropout_at_inference", "go_backwards", "implementation_1_before", "static_steps",
    "one_unit_one_wide", "training_false", "unroll_one_step", "unroll_go_backwards",
    "zero_output_without_mask", "initializers")


def gru(**args):
    return layer("GRU", **{"name": "g", **args})


def sizes(keras):
    """Each number of units, both reset forms, over a spread of batch, steps and width."""
    batches, widths = (1, 2, 3, 5), (4, 2, 1, 6, 5, 3, 10)
    for index, units in enumerate(SIZES):
        for after in (True, False):
            if keras == 1 and (after or units not in (3, 8, 17)):
                continue
            if keras != 1 and not in_turn(keras, index + after):
                continue
            turn = index + 2 * after + keras
            batch, width = batches[turn % 4], widths[turn % 7]
            steps = 7 if units > 1 else 2
            name = f"k{keras}_size_h{units}_{'after' if after else 'before'}"
            yield Case(
                name, keras, {"x": [None, width]},
                [gru(units=units, reset_after=after, return_sequences=units < 64,
                     return_state=True)],
                [{"x": values(name, batch, steps, width)}], outputs=["g", "g.state"],
                note=f"{units} units, width {width}, batch {batch}, {steps} steps")


def long_and_wide(keras):
    """Batch 33 and 200 steps at a few sizes, T = 1, static T."""
    spread = [(3, 33, 7, 2, True), (8, 33, 2, 3, False), (17, 33, 1, 5, True),
              (33, 33, 7, 4, False), (3, 1, 200, 1, True), (16, 2, 200, 3, True),
              (15, 1, 200, 2, False), (64, 3, 200, 4, True), (100, 1, 200, 5, False),
              (31, 5, 1, 3, True), (9, 1, 1, 1, False), (257, 2, 1, 9, False),
              (129, 33, 1, 3, True), (1, 1, 1, 1, True), (1, 33, 7, 1, False)]
    for index, (units, batch, steps, width, after) in enumerate(spread):
        if keras == 1 and (units, steps) not in ((15, 200), (33, 7)):
            continue
        if keras != 1 and not in_turn(keras, index):
            continue
        form = "after" if after else "before"
        name = f"k{keras}_spread_h{units}_b{batch}_t{steps}_d{width}_{form}"
        static = steps if units % 2 else None
        yield Case(name, keras, {"x": [static, width]},
                   [gru(units=units, reset_after=after,
                        return_sequences=units * batch * steps < 700)],
                   [{"x": values(name, batch, steps, width)}], outputs=["g"],
                   note=f"batch {batch}, {steps} steps, "
                        + ("declared" if static else "not declared"))


def counted(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def fill(*names):
    value = {"kernel": 0.01, "recurrent_kernel": 0.02, "bias": 0.03}
    return {f"{n}/{k}": np.float32(v) for n in names for k, v in value.items()}


def table(keras):
    """The numbers often quoted: x counts up, W = 0.01, U = 0.02, all biases 0.03."""
    after = {"reset_after": True, "recurrent_activation": "sigmoid"}
    before = {"reset_after": False, "recurrent_activation": "sigmoid"}
    hard = {"reset_after": False, "recurrent_activation": "hard_sigmoid"}
    full = (3, 6, 4)
    hard_numbers = [.5502859, .7475013, .4476412] if keras == 3 else [.5341484, .669332, .1783321]
    first = [.5217289, .6371659, .3938496]
    rows = [("after", full, dict(units=3, **after), first),
            ("after_go_backwards", full, dict(units=3, go_backwards=True, **after),
             [.2440626, .611516, .3928808]),
            ("before", full, dict(units=3, **before), [.5144776, .6426879, .402083]),
            ("after_no_bias", full, dict(units=3, use_bias=False, **after),
             [.4998846, .6470119, .4103359]),
            ("before_hard_sigmoid", full, dict(units=3, **hard), hard_numbers)]
    if keras != 2:
        rows = [("defaults", full, dict(units=3), first if keras == 3 else hard_numbers),
                rows[-1]]
    for tag, shape, args, numbers in rows:
        yield Case(f"k{keras}_table_{tag}", keras, {"x": [None, shape[2]]}, [gru(**args)],
                   [{"x": counted(*shape)}], outputs=["g"], weights=fill("g"), published=numbers,
                   note="constant weights, counting input")
    if keras == 2:
        yield from table_with_state_or_mask(keras, after)


def table_with_state_or_mask(keras, after):
    h0 = np.array([[0, 1], [2, 3]], np.float32)
    numbers = [[.237741, .3350846, .8365991, 1.0227708],
               [.1348606, .2326122, .7825731, .9691353]]
    for backwards in (False, True):
        yield Case(f"k{keras}_table_initial_state" + "_go_backwards" * backwards, keras,
                   {"x": [None, 3], "h0": [2]},
                   [gru(inputs="x", initial_state="h0", units=2, go_backwards=backwards, **after)],
                   [{"x": counted(2, 4, 3), "h0": h0}], outputs=["g"], weights=fill("g"),
                   published=numbers[backwards],
                   note="constant weights, counting input, given state")
    masks = [("sequences", bits("1101", "1001"), dict(return_sequences=True),
              [.0360669, .0949758, .0949758, .1939376] + [.1605141] * 3 + [.3081856]),
             ("go_backwards", bits("1101", "1001"), dict(go_backwards=True),
              [.1166919, .2838098]),
             ("trailing", bits("1100", "1100"), dict(return_sequences=True),
              [.0360669, .0949758, .0949758, .0949758]),
             ("trailing_go_backwards", bits("1100", "1100"),
              dict(return_sequences=True, go_backwards=True), [0, 0, .0750171, .0760167])]
    for tag, mask, args, numbers in masks:
        yield Case(f"k{keras}_table_mask_{tag}", keras,
                   {"x": [None, 3], "m": ([None], "bool")},
                   [gru(inputs="x", mask="m", units=2, **args, **after)],
                   [{"x": counted(2, 4, 3), "m": mask}], outputs=["g"], weights=fill("g"),
                   published=numbers,
                   note="constant weights, counting input, explicit mask")
    inner = {"GRU": dict(units=2, return_sequences=True, **after)}
    yield Case(f"k{keras}_table_bidirectional_sum", keras, {"x": [None, 4]},
               [layer("Bidirectional", name="b", merge_mode="sum", layer=inner)],
               [{"x": counted(2, 3, 4)}], outputs=["b"],
               weights=fill("b/forward", "b/backward"),
               published=[.2093787, .3446299, .4029053, .5982965, .6734641, .6479671],
               note="constant weights, counting input, both directions summed")
    yield Case(f"k{keras}_table_stateful", keras, {"x": [None, 4]},
               [gru(units=4, stateful=True, **after)], [{"x": counted(2, 3, 4)}] * 2,
               outputs=["g"], batch=2, weights=fill("g"), published=[.2954239, .5885018],
               note="constant weights, counting input, the same call twice")


def flags(keras):
    """One argument at a time on a small GRU."""
    rows = [
        ("defaults", dict(units=5), None),
        ("return_sequences", dict(units=5, return_sequences=True), None),
        ("return_state", dict(units=5, return_state=True), None),
        ("go_backwards", dict(units=5, go_backwards=True), None),
        ("go_backwards_sequences_state",
         dict(units=5, go_backwards=True, return_sequences=True, return_state=True), None),
        ("no_bias_after", dict(units=5, use_bias=False, reset_after=True), None),
        ("no_bias_before", dict(units=5, use_bias=False, reset_after=False), None),
        ("unroll_after", dict(units=5, unroll=True, reset_after=True, return_sequences=True), 4),
        ("unroll_before", dict(units=5, unroll=True, reset_after=False), 4),
        ("unroll_go_backwards",
         dict(units=5, unroll=True, go_backwards=True, return_sequences=True), 4),
        ("unroll_one_step", dict(units=5, unroll=True), 1),
        ("implementation_0", dict(units=5, implementation=0), None),
        ("implementation_1_after", dict(units=5, implementation=1, reset_after=True), None),
        ("implementation_1_before", dict(units=5, implementation=1, reset_after=False), None),
        ("implementation_2_before", dict(units=5, implementation=2, reset_after=False), None),
        ("implementation_2_no_bias",
         dict(units=5, implementation=2, reset_after=True, use_bias=False), None),
        ("dropout_at_inference", dict(units=5, dropout=0.5, recurrent_dropout=0.25), None),
        ("dropout_clamped", dict(units=5, dropout=1.5, recurrent_dropout=-0.5), None),
        ("zero_output_without_mask",
         dict(units=5, zero_output_for_mask=True, return_sequences=True), None),
        ("static_steps", dict(units=5, return_sequences=True), 4),
        ("training_false", dict(units=5, dropout=0.5, training=False), None),
        ("one_unit_one_wide", dict(units=1), None),
        ("regularisers_and_constraints",
         dict(units=5, kernel_regularizer="l2", recurrent_regularizer="l1",
              bias_regularizer={"class_name": "L1L2", "config": {"l1": 0.01, "l2": 0.02}},
              activity_regularizer="l2", kernel_constraint="non_neg",
              recurrent_constraint="unit_norm",
              bias_constraint={"class_name": "MaxNorm", "config": {"max_value": 3}}), None),
        ("initializers",
         dict(units=5, kernel_initializer="he_normal", recurrent_initializer="glorot_uniform",
              bias_initializer={"class_name": "RandomUniform",
                                "config": {"minval": -0.1, "maxval": 0.1}}), None),
        ("not_trainable", dict(units=5, trainable=False), None),
    ]
    if keras == 3:
        rows += [("seed", dict(units=5, seed=3), None),
                 ("use_cudnn_auto", dict(units=5, use_cudnn="auto"), None),
                 ("use_cudnn_false", dict(units=5, use_cudnn=False), None)]
    for tag, args, steps in rows:
        if keras == 1 and tag not in FLAGS_IN_V1 or keras == 3 and tag in FLAGS_NOT_IN_K3:
            continue
        width = 1 if tag == "one_unit_one_wide" else 3
        name = f"k{keras}_gru_{tag}"
        yield Case(name, keras, {"x": [steps, width]}, [gru(**args)],
                   [{"x": values(name, 2, steps or 4, width)}],
                   note=f"GRU: {tag.replace('_', ' ')}")


def time_major(keras):
    """Arrays are (T,B,...); the declared shape omits the first axis all the same."""
    if keras == 3:
        return
    def one(tag, layers, arrays, inputs=None, batch=None, outputs=None):
        inputs = inputs or {"x": [None, 3]}
        return Case(f"k{keras}_time_major_{tag}", keras, inputs, layers, [arrays], outputs,
                    batch=batch, time_major=[n for n in inputs if n != "h0"],
                    note="x, mask and sequences are (T,B,...)")

    x = values("time major", 4, 2, 3)
    mask = bits("10", "11", "01", "10")
    masked = {"x": [None, 3], "m": ([None], "bool")}
    yield one("sequences", [gru(units=5, time_major=True, return_sequences=True)], {"x": x})
    yield one("last", [gru(units=5, time_major=True)], {"x": x})
    if keras == 1:
        return
    yield one("go_backwards", [gru(units=5, time_major=True, return_sequences=True,
                                   go_backwards=True, return_state=True)], {"x": x})
    yield one("mask", [gru(inputs="x", mask="m", units=5, time_major=True,
                           return_sequences=True)], {"x": x, "m": mask}, masked)
    yield one("mask_initial_state",
              [gru(inputs="x", mask="m", initial_state="h0", units=5, time_major=True,
                   return_sequences=True, return_state=True)],
              {"x": x, "m": mask, "h0": values("tm h0", 2, 5)}, dict(masked, h0=[5]))
    yield one("unroll", [gru(units=5, time_major=True, unroll=True, return_sequences=True)],
              {"x": x}, {"x": [4, 3]})
    inner = {"GRU": dict(units=5, time_major=True, return_sequences=True)}
    yield one("bidirectional", [layer("Bidirectional", name="b", layer=inner)], {"x": x})
    yield one("bidirectional_mask",
              [layer("Bidirectional", name="b", inputs="x", mask="m", layer=inner)],
              {"x": x, "m": mask}, masked)
    yield one("masking_then_gru",
              [layer("Masking", name="k", mask_value=0.0),
               gru(units=5, time_major=True, return_sequences=True)],
              {"x": x * mask[:, :, None]})
    stateful = Case(f"k{keras}_time_major_stateful", keras, {"x": [None, 3]},
                    [gru(units=5, time_major=True, stateful=True, return_sequences=True)],
                    [{"x": x[:1]}, {"x": x[1:]}], batch=2, time_major=["x"],
                    note="the batch is the second axis of x")
    yield stateful


def saturation(keras):
    """z at exactly 1 keeps the state, z at exactly 0 drops it; edges of hard_sigmoid."""
    def bias(z, after):
        units = 3
        row = np.array([z] * units + [0.25, -0.5, 0.125] + [0.5, -0.25, 0.75], np.float32)
        return np.stack([row, np.array([0.125] * 9, np.float32)]) if after else row

    for after in (keras == 2,):
        for function in ("sigmoid", "hard_sigmoid"):
            for z in (64, -64):
                name = (f"k{keras}_z_{'one' if z > 0 else 'zero'}_{function}_"
                        + ("after" if after else "before"))
                note = ("z is exactly 1 in float32 and float64: the state never moves"
                        if z > 0 else "z is 0: the new state is the candidate")
                yield Case(name, keras, {"x": [None, 2], "h0": [3]},
                           [gru(inputs="x", initial_state="h0", units=3, reset_after=after,
                                recurrent_activation=function, return_sequences=True)],
                           [{"x": values(name, 2, 4, 2), "h0": values(name + " h0", 2, 3)}],
                           outputs=["g"], weights={"g/bias": bias(z, after)}, note=note)
    edges = [-3.5, -3, -2.75, -2.5, -2, 0, 2, 2.5, 2.75, 3, 3.5]
    x = np.array(edges, np.float32).reshape(1, -1, 1)
    for after in (True, False) if keras != 1 else (False,):
        yield Case(f"k{keras}_gru_hard_sigmoid_edges_{'after' if after else 'before'}", keras,
                   {"x": [None, 1]},
                   [gru(units=2, reset_after=after, recurrent_activation="hard_sigmoid",
                        use_bias=False, return_sequences=True)],
                   [{"x": x}], outputs=["g"],
                   weights={"g/kernel": np.array([[1, 1, 1, -1, 0.25, 0.5]], np.float32),
                            "g/recurrent_kernel": np.array(
                                [[0, 0, 0, 0, 0.5, -0.25], [0, 0, 0, 0, 0.25, 0.75]],
                                np.float32)},
                   note="the gates see exactly x (and -x): +-2.5 and +-3 are among them")
    if keras == 1:
        return
    name = f"k{keras}_recurrent_bias_is_scaled_by_reset"
    bias_rows = np.zeros((2, 9), np.float32)
    bias_rows[1, 6:] = [1.5, -2, 0.75]
    bias_rows[0, 3:6] = [-1, 0.5, -2]
    yield Case(name, keras, {"x": [None, 2]}, [gru(units=3, return_sequences=True)],
               [{"x": values(name, 2, 4, 2)}], outputs=["g"], weights={"g/bias": bias_rows},
               note="the recurrent bias of the candidate is scaled by r")


def unknown_steps(keras):
    """Keras 3 alone unrolls over the steps of the data."""
    if keras == 3:
        x = values("unknown steps", 2, 5, 3)
        yield Case("k3_unroll_unknown_steps", keras, {"x": [None, 3]},
                   [gru(units=5, unroll=True, return_sequences=True)],
                   [{"x": x}, {"x": x[:, :2]}], note="the steps are those of each call")


def empty_batch(keras):
    if keras == 1:
        return
    yield Case(f"k{keras}_batch_zero", keras, {"x": [None, 3]},
               [gru(units=4, return_sequences=True, return_state=True),
                layer("Dense", name="d", inputs="g", units=2)],
               [{"x": values("none", 0, 5, 3)}], outputs=["g", "g.state", "d"],
               note="no rows in, no rows out")


def cases(keras):
    for family in (sizes, long_and_wide, table, flags, time_major, saturation, unknown_steps,
                   empty_batch):
        yield from family(keras)

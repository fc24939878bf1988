# SPDX-License-Identifier: MIT
"""Bidirectional: merge modes, states, masks, children that differ."""
import numpy as np

from case import Case, bits, deal, layer, values

MASK = bits("01010", "00110", "11001")
MERGES = ("concat", "sum", "mul", "ave", None)


def inner(**args):
    return {"GRU": {"units": 4, **args}}


def model(keras, tag, layers, note, outputs=None, mask=None, states=(), steps=None, calls=None,
          **extra):
    """x, perhaps a mask m and states of the named widths."""
    name = f"k{keras}_bidirectional_{tag}"
    inputs, arrays = {"x": [steps, 3]}, {"x": values("bidirectional", 3, 5, 3)}
    if mask is not None:
        inputs["m"], arrays["m"] = ([steps], "bool"), mask
    for state, units in states:
        inputs[state], arrays[state] = [units], values(name + state, 3, units)
    return Case(name, keras, inputs, layers, calls or [arrays], outputs, note=note, **extra)


def both(**args):
    return layer("Bidirectional", **{"name": "b", **args})


def plain(keras):
    """Each merge mode with sequences and without."""
    for merge in MERGES:
        word = merge or "null"
        for sequences in (True, False):
            yield model(keras, word + ("_sequences" if sequences else "_last"),
                        [both(merge_mode=merge,
                              layer=inner(return_sequences=sequences,
                                          reset_after=merge != "mul"))],
                        f"merge mode {word}")


def states(keras):
    for merge in ("concat", None, "sum"):
        yield model(keras, f"{merge or 'null'}_return_state",
                    [both(merge_mode=merge,
                          layer=inner(return_sequences=True, return_state=True))],
                    "outputs, then the forward and the backward state")
    given = dict(inputs="x", initial_state=["hf", "hb"])
    wide = (("hf", 4), ("hb", 4))
    yield model(keras, "initial_state", [both(layer=inner(return_sequences=True), **given)],
                "forward state first", states=wide)
    yield model(keras, "initial_state_return_state",
                [both(layer=inner(return_state=True), **given)],
                "forward state first", states=wide)
    yield model(keras, "states_feed_another",
                [both(layer=inner(return_state=True, return_sequences=True)),
                 both(name="c", inputs="x", layer=inner(return_sequences=True),
                      initial_state=["b.forward_state", "b.backward_state"]),
                 layer("Dense", name="d", inputs="b.backward_state", units=2)],
                "states fed on by name", outputs=["c", "d"])


def masks(keras):
    masked = dict(inputs="x", mask="m")
    patterns = {"mixed": MASK, "trailing": bits("11100", "10000", "11110"),
                "leading": bits("00111", "00001", "01111"),
                "full_row": bits("00000", "11111", "10101")}
    for tag, mask in patterns.items():
        yield model(keras, f"mask_{tag}_sequences",
                    [both(layer=inner(return_sequences=True, return_state=True), **masked)],
                    f"{tag} masked steps are zero in both sequences", mask=mask)
        yield model(keras, f"mask_{tag}_last", [both(layer=inner(return_state=True), **masked)],
                    f"{tag} masked steps, last outputs", mask=mask)
    yield model(keras, "mask_last_zero_output",
                [both(layer=inner(zero_output_for_mask=True, return_state=True), **masked)],
                "without sequences the children's zero_output_for_mask is set to false", mask=MASK)
    yield model(keras, "mask_initial_state",
                [both(inputs="x", mask="m", initial_state=["hf", "hb"],
                      layer=inner(return_sequences=True, return_state=True))],
                "mask and given states", mask=MASK, states=(("hf", 4), ("hb", 4)))
    yield model(keras, "mask_null", [both(merge_mode=None, layer=inner(return_sequences=True),
                                          **masked)], "two masked sequences", mask=MASK)
    yield model(keras, "mask_null_feeds_next",
                [both(merge_mode=None, layer=inner(return_sequences=True), **masked),
                 layer("GRU", name="f", inputs="b.forward", units=3),
                 layer("GRU", name="r", inputs="b.backward", units=3)],
                "each sequence carries the mask", mask=MASK, outputs=["f", "r"])
    yield model(keras, "mask_stacked",
                [both(layer=inner(return_sequences=True), **masked),
                 both(name="c", merge_mode="sum", inputs="b", layer=inner(units=3))],
                "the mask goes on", mask=MASK, outputs=["b", "c"])


def unrolled(keras):
    """Keras zeroes the backward child by the mask in input order; the looped one does not."""
    yield model(keras, "unroll", [both(layer=inner(return_sequences=True, unroll=True))],
                "unrolled", steps=5)

    def masked(unroll):
        return [both(inputs="x", mask="m",
                     layer=inner(return_sequences=True, return_state=True, unroll=unroll))]

    yield model(keras, "unroll_mask_sequences", masked(True),
                "unrolled and masked: the rule, from which Keras deviates", mask=MASK, steps=5,
                by_rule=True, twin=masked(False))
    yield model(keras, "unroll_mask_last",
                [both(inputs="x", mask="m", layer=inner(return_state=True, unroll=True))],
                "unrolled and masked, last outputs", mask=MASK, steps=5)


def children(keras):
    """A backward layer of one's own."""
    def own(**args):
        return inner(go_backwards=True, **args)

    yield model(keras, "backward_layer",
                [both(layer=inner(return_sequences=True),
                      backward_layer=own(return_sequences=True, activation="relu",
                                         use_bias=False))],
                "the backward child has other arguments")
    for merge in ("concat", None):
        yield model(keras, f"units_differ_{merge or 'null'}",
                    [both(merge_mode=merge, layer=inner(return_sequences=True, return_state=True),
                          backward_layer=own(units=3, return_sequences=True,
                                             return_state=True, reset_after=False))],
                    "4 units forward, 3 backward")
    yield model(keras, "units_differ_initial_state",
                [both(inputs="x", initial_state=["hf", "hb"], layer=inner(),
                      backward_layer=own(units=3))],
                "states of 4 and 3", states=(("hf", 4), ("hb", 3)))
    yield model(keras, "backward_layer_mask",
                [both(inputs="x", mask="m",
                      layer=inner(return_sequences=True, zero_output_for_mask=False),
                      backward_layer=own(return_sequences=True, zero_output_for_mask=False))],
                "masked steps are zero whatever the children say", mask=MASK)


def swapped(keras):
    """tf.keras only: a layer that runs backwards takes the forward role."""
    for sequences in (True, False):
        yield model(keras, "over_go_backwards" + "_last" * (not sequences),
                    [both(layer=inner(go_backwards=True, return_sequences=sequences,
                                      return_state=True))],
                    "the forward child runs backwards, the backward child forwards; the backward "
                    "child's sequence is flipped all the same")
    yield model(keras, "over_go_backwards_mask",
                [both(inputs="x", mask="m",
                      layer=inner(go_backwards=True, return_sequences=True))],
                "swapped directions, masked", mask=MASK)


def stateful(keras):
    x = values("bidirectional stateful", 2, 6, 3)
    calls = [{"x": x[:, :2]}, {"x": x[:, 2:]}]
    yield model(keras, "stateful", [both(layer=inner(stateful=True, return_sequences=True))],
                "each direction keeps its state between the calls", calls=calls, batch=2)
    yield model(keras, "stateful_last", [both(merge_mode="sum", layer=inner(stateful=True))],
                "each direction keeps its state between the calls", calls=calls, batch=2)
    if keras == 2:
        yield model(keras, "stateful_return_state",
                    [both(layer=inner(stateful=True, return_state=True))],
                    "states returned as well", calls=calls, batch=2)
        h = values("bh", 2, 4), values("bh2", 2, 4)
        yield model(keras, "stateful_initial_state",
                    [both(inputs="x", initial_state=["hf", "hb"],
                          layer=inner(stateful=True, return_sequences=True))],
                    "the stored states win once they are not zero",
                    calls=[dict(c, hf=h[0], hb=h[1]) for c in calls], batch=2,
                    states=(("hf", 4), ("hb", 4)))
    mask = bits("011001", "110010")
    masked = [{"x": x[:, :3], "m": mask[:, :3]}, {"x": x[:, 3:], "m": mask[:, 3:]}]
    yield model(keras, "stateful_mask",
                [both(inputs="x", mask="m", layer=inner(stateful=True, return_sequences=True))],
                "states and masks", mask=mask, calls=masked, batch=2)


def larger(keras):
    for units, merge in ((8, "concat"), (17, "sum"), (33, "concat"), (1, "ave")):
        yield model(keras, f"h{units}", [both(merge_mode=merge, layer=inner(
            units=units, return_sequences=True, reset_after=units != 33))], f"{units} units")


def cases(keras):
    if keras == 1:
        yield next(plain(keras))
        yield next(masks(keras))
        yield next(states(keras))
        return
    yield from deal(keras, plain(keras))
    yield from deal(keras, states(keras))
    yield from deal(keras, masks(keras))
    yield from unrolled(keras)
    yield from deal(keras, children(keras))
    if keras == 2:
        yield from swapped(keras)
    yield from stateful(keras)
    yield from deal(keras, larger(keras))

# SPDX-License-Identifier: MIT
"""State: given, carried between calls, handed from layer to layer."""
import numpy as np

from case import Case, bits, deal, layer, values


def gru(**args):
    return layer("GRU", **{"name": "g", "units": 4, **args})


def stateful(keras, tag, layers, calls, note, inputs=None, outputs=("g",), batch=2, weights=None):
    return Case(f"k{keras}_stateful_{tag}", keras, inputs or {"x": [None, 3]}, layers, calls,
                list(outputs), batch=batch, note=note, weights=weights)


def chunks(x, *cuts):
    return [{"x": part} for part in np.split(x, cuts, axis=1)]


def carried(keras):
    """The same in every lineage."""
    x = values("carried", 2, 6, 3)
    both = ("g", "g.state")
    keep = dict(stateful=True, return_sequences=True)
    yield stateful(keras, "two_then_three", [gru(**keep)], chunks(x[:, :5], 2),
                   "T = 2 then T = 3 equals T = 5")
    yield stateful(keras, "whole", [gru(**keep)], chunks(x[:, :5]), "T = 5 in one call")
    yield stateful(keras, "return_state", [gru(return_state=True, **keep)], chunks(x, 1, 2, 5),
                   "three cuts", outputs=both)
    yield stateful(keras, "before", [gru(reset_after=False, **keep)], chunks(x, 3),
                   "reset before")
    yield stateful(keras, "go_backwards", [gru(go_backwards=True, **keep)], chunks(x, 3),
                   "each call runs its own steps last first")
    yield stateful(keras, "last_output", [gru(stateful=True)], chunks(x, 3), "last outputs")
    yield stateful(keras, "batch_one", [gru(**keep)], chunks(x[:1], 1, 2), "batch 1", batch=1)
    yield stateful(keras, "unroll", [gru(unroll=True, **keep)], chunks(x, 3), "unrolled",
                   inputs={"x": [3, 3]})
    yield stateful(keras, "stacked",
                   [gru(**keep), layer("GRU", name="h", units=3, stateful=True),
                    layer("Dense", name="d", units=2)], chunks(x, 2), "two carried states",
                   outputs=["g", "h", "d"])
    yield stateful(keras, "beside_stateless",
                   [gru(**keep), layer("GRU", name="h", units=3)], chunks(x, 2),
                   "only the first layer keeps its state", outputs=["g", "h"])
    ids = np.array([[1, 4, 2, 5, 3, 1]], np.int32)
    yield stateful(keras, "embedding_one_step",
                   [layer("Embedding", name="e", input_dim=6, output_dim=3), gru(stateful=True),
                    layer("Dense", name="d", units=6)],
                   [{"ids": ids[:, i:i + 1]} for i in range(6)], "one id a call",
                   inputs={"ids": ([None], "int32")}, outputs=["d"], batch=1)


def with_masks(keras):
    x = values("carried masks", 2, 6, 3)
    mask = bits("110001", "011010")
    inputs = {"x": [None, 3], "m": ([None], "bool")}
    both = ("g", "g.state")
    calls = [{"x": x[:, :3], "m": mask[:, :3]}, {"x": x[:, 3:], "m": mask[:, 3:]}]
    keep = dict(inputs="x", mask="m", stateful=True, return_sequences=True, return_state=True)
    yield stateful(keras, "mask", [gru(**keep)], calls,
                   "the last valid state is carried; leading masked outputs are 0", inputs, both)
    yield stateful(keras, "mask_zero_output", [gru(zero_output_for_mask=True, **keep)], calls,
                   "masked outputs are zero, the state is carried", inputs, both)
    empty = [calls[0], {"x": x[:, 3:], "m": np.zeros((2, 3), bool)}, calls[1]]
    yield stateful(keras, "mask_empty_call", [gru(**keep)], empty,
                   "a fully masked call leaves the state", inputs, both)
    yield stateful(keras, "mask_go_backwards", [gru(go_backwards=True, **keep)], calls,
                   "masked, last first", inputs, both)
    masked = x * mask[:, :, None]
    yield stateful(keras, "masking_layer", [layer("Masking", name="k"),
                                            gru(stateful=True, return_sequences=True)],
                   chunks(masked, 3), "mask by value")


def with_given_state(keras):
    """Stored or given: the lineages differ."""
    x = values("given", 2, 6, 3)
    inputs = {"x": [None, 3], "h0": [4]}
    calls = [{"x": x[:, 2 * i:2 * i + 2], "h0": values(f"given {i}", 2, 4)} for i in range(3)]
    keep = dict(inputs="x", initial_state="h0", stateful=True, return_sequences=True,
                return_state=True)
    both = ("g", "g.state")
    yield stateful(keras, "initial_state", [gru(**keep)], calls,
                   "Keras 2 uses the stored state once it is not zero, Keras 3 the given one",
                   inputs, both)
    zero = [{"x": np.zeros((2, 2, 3), np.float32), "h0": np.zeros((2, 4), np.float32)}] + calls
    yield stateful(keras, "initial_state_stored_zero", [gru(use_bias=False, **keep)], zero,
                   "an entirely zero stored state gives way in Keras 2 too", inputs, both)
    half = [dict(c) for c in zero]
    half[0]["x"] = np.concatenate([half[0]["x"][:1], x[1:, :2]])
    yield stateful(keras, "initial_state_stored_half_zero", [gru(use_bias=False, **keep)], half,
                   "a stored state with one zero row is not entirely zero", inputs, both)


def handed_over(keras):
    """Layers that take their state from other layers; several inputs and outputs."""
    def model(tag, inputs, layers, note, outputs, arrays):
        return Case(f"k{keras}_state_{tag}", keras, inputs, layers, [arrays], outputs, note=note)

    x, h0 = values("handed", 3, 4, 3), values("handed h0", 3, 4)
    one = {"x": [None, 3], "h0": [4]}
    for after in (True, False):
        yield model(f"given_{'after' if after else 'before'}", one,
                    [gru(inputs="x", initial_state="h0", reset_after=after,
                         return_sequences=True, return_state=True)], "state by tensor",
                    ["g", "g.state"], {"x": x, "h0": h0})
    yield model("given_as_list", one, [gru(inputs="x", initial_state=["h0"])],
                "state in a list of one", ["g"], {"x": x, "h0": h0})
    yield model("given_unroll", {"x": [4, 3], "h0": [4]},
                [gru(inputs="x", initial_state="h0", unroll=True, go_backwards=True)],
                "unrolled, last first", ["g"], {"x": x, "h0": h0})
    yield model("from_dense", {"x": [None, 3], "c": [2]},
                [layer("Dense", name="d", inputs="c", units=4, activation="tanh"),
                 gru(inputs="x", initial_state="d", return_sequences=True)],
                "the state is computed from another input", ["g", "d"],
                {"x": x, "c": values("c", 3, 2)})
    yield model("encoder_decoder", {"x": [None, 3], "y": [None, 2]},
                [gru(name="e", inputs="x", return_state=True),
                 gru(name="g", inputs="y", initial_state="e.state", return_sequences=True),
                 layer("Dense", name="d", units=3, activation="softmax")],
                "the decoder starts from the encoder's state", ["d", "e.state", "g"],
                {"x": x, "y": values("y", 3, 2, 2)})
    yield model("as_input", {"x": [None, 3]},
                [gru(return_state=True, return_sequences=True),
                 layer("Dense", name="d", inputs="g.state", units=2)],
                "a layer fed by the state", ["d"], {"x": x})


def cases(keras):
    yield from with_given_state(keras)
    if keras == 1:
        yield next(with_masks(keras))
        yield next(carried(keras))
        yield next(handed_over(keras))
        return
    yield from deal(keras, carried(keras))
    if keras == 2:
        yield from with_masks(keras)
    else:
        yield next(with_masks(keras))
    yield from deal(keras, handed_over(keras))

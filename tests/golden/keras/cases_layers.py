# SPDX-License-Identifier: MIT
"""The layers around a GRU, several inputs and outputs, names and defaults."""
import numpy as np

from case import Case, deal, layer, values
from cases_activations import EDGES

X = {"x": [None, 3]}


def model(keras, tag, layers, note, outputs=None, inputs=None, arrays=None, **extra):
    arrays = arrays or {"x": values("layers", 2, 4, 3)}
    return Case(f"k{keras}_layer_{tag}", keras, inputs or X, layers, [arrays], outputs, note=note,
                **extra)


def sequences(**args):
    return layer("GRU", **{"name": "g", "units": 4, "return_sequences": True, **args})


def dense(keras):
    yield model(keras, "dense_rank_3", [sequences(), layer("Dense", name="d", units=5)],
                "Dense on every step", ["g", "d"])
    yield model(keras, "dense_no_bias",
                [sequences(), layer("Dense", name="d", units=5, use_bias=False,
                                    activation="sigmoid")], "no bias", ["d"])
    yield model(keras, "dense_softmax",
                [layer("GRU", name="g", units=9), layer("Dense", name="d", units=10,
                                                        activation="softmax")],
                "classifier", ["d"])
    yield model(keras, "dense_alone", [layer("Dense", name="d", units=3, activation="relu")],
                "no GRU at all", ["d"], {"v": [7]}, {"v": values("alone", 5, 7)})
    yield model(keras, "dense_chain",
                [layer("Dense", units=6, activation="tanh"), layer("Dense", units=17),
                 layer("Dense", units=1)],
                "default names and inputs", None, {"v": [5]}, {"v": values("chain", 33, 5)})
    yield model(keras, "dense_wide", [layer("Dense", name="d", units=257, activation="tanh")],
                "257 units", ["d"], {"v": [31]}, {"v": values("wide", 2, 31)})
    yield model(keras, "dense_rank_4",
                [layer("Reshape", name="r", target_shape=[-1, 2, 3]),
                 layer("Dense", name="d", units=2),
                 layer("Reshape", name="s", target_shape=[-1, 4]), sequences(units=3)],
                "feature axes split, Dense on the last, joined again", ["d", "g"],
                {"x": [None, 6]}, {"x": values("rank 4", 2, 4, 6)})


def shapes(keras):
    yield model(keras, "flatten_features", [layer("Flatten", name="f"),
                                            layer("Dense", name="d", units=2)],
                "rank 3 to rank 2", ["f", "d"], {"v": [3, 2]}, {"v": values("flat", 2, 3, 2)})
    yield model(keras, "flatten_steps",
                [sequences(), layer("Flatten", name="f"), layer("Dense", name="d", units=2)],
                "Flatten over declared steps", ["f", "d"], {"x": [4, 3]})
    yield model(keras, "flatten_rank_2", [layer("GRU", name="g", units=4),
                                          layer("Flatten", name="f")], "nothing to do", ["f"])
    yield model(keras, "reshape_to_steps",
                [layer("Reshape", name="r", target_shape=[4, 3]), sequences()],
                "features become steps", ["r", "g"], {"v": [12]}, {"v": values("steps", 2, 12)})
    yield model(keras, "reshape_inferred",
                [layer("Reshape", name="r", target_shape=[-1, 2]), sequences()],
                "one axis inferred", ["g"], {"x": [4, 3]})
    yield model(keras, "reshape_state",
                [layer("GRU", name="g", units=6), layer("Reshape", name="r", target_shape=[3, 2]),
                 layer("GRU", name="h", units=3)], "a state becomes a sequence", ["h"])


def activations(keras):
    v = np.stack([EDGES, -EDGES, EDGES * 0.5])
    def one(tag, note, kind, **args):
        return model(keras, tag, [layer(kind, name="a", **args)], note, ["a"],
                     {"v": [len(EDGES)]}, {"v": v})

    leaky = "negative_slope" if keras == 3 else "alpha"
    yield one("relu", "defaults", "ReLU")
    yield one("relu_max", "clipped", "ReLU", max_value=2.5)
    yield one("relu_slope", "sloped", "ReLU", negative_slope=0.25)
    yield one("relu_threshold", "0 at x = threshold", "ReLU", threshold=1.0)
    yield one("relu_all", "everything at once", "ReLU", max_value=3.0, negative_slope=0.125,
              threshold=0.5)
    yield one("leaky_relu_slope", "slope given", "LeakyReLU", **{leaky: 0.0625})
    yield one("elu", "alpha 1", "ELU")
    yield one("elu_alpha", "alpha given", "ELU", alpha=0.25)
    yield one("softmax", "over the last axis", "Softmax")
    yield model(keras, "leaky_relu", [layer("LeakyReLU", name="a")], "slope 0.3", ["a"],
                {"v": [len(EDGES)]}, {"v": v}, narrow_constant=True)
    yield model(keras, "softmax_steps", [layer("Softmax", name="a", axis=1)],
                "over the steps", ["a"])
    yield model(keras, "softmax_rank_3", [sequences(), layer("Softmax", name="a")],
                "over the features of every step", ["a"])
    yield model(keras, "activation_sequence",
                [sequences(), layer("Activation", name="a", activation="softplus")],
                "on every step", ["a"])


def identities(keras):
    yield model(keras, "dropout_family",
                [layer("Dropout", name="o", rate=0.5),
                 layer("SpatialDropout1D", name="s", rate=0.25),
                 layer("GaussianNoise", name="n", stddev=0.5), sequences(),
                 layer("Dropout", name="p", rate=0.0)],
                "identity at inference", ["n", "p"])
    yield model(keras, "dropout_training_false",
                [layer("Dropout", name="o", rate=0.5, training=False),
                 sequences(training=False)], "said explicitly", ["g"])


def graphs(keras):
    x, y = values("graph x", 3, 4, 3), values("graph y", 3, 2, 2)
    two = {"x": [None, 3], "y": [None, 2]}
    yield model(keras, "two_inputs_two_outputs",
                [layer("GRU", name="g", inputs="x", units=4),
                 layer("GRU", name="h", inputs="y", units=3, return_sequences=True),
                 layer("Dense", name="d", inputs="g", units=2)],
                "two towers of different lengths", ["d", "h"], two, {"x": x, "y": y})
    yield model(keras, "fan_out",
                [layer("Dense", name="d", inputs="x", units=4, activation="tanh"),
                 layer("GRU", name="g", inputs="d", units=4),
                 layer("GRU", name="h", inputs="d", units=3, go_backwards=True),
                 layer("Dense", name="e", inputs="g", units=2)],
                "one layer feeds two", ["e", "h", "d"], None, {"x": x})
    yield model(keras, "outputs_reordered",
                [sequences(return_state=True), layer("Dense", name="d", units=2)],
                "outputs in an order of their own", ["d", "g.state", "g"], None, {"x": x})
    yield model(keras, "default_names",
                [layer("GRU", units=4, return_sequences=True),
                 layer("GRU", units=3, return_sequences=True, return_state=True)],
                "names and outputs by default: gru, gru_1", None, None, {"x": x})
    yield model(keras, "default_names_mixed",
                [layer("Masking"), layer("Bidirectional", layer={
                    "GRU": {"units": 3, "return_sequences": True}}),
                 layer("GRU", units=4), layer("Dense", units=3), layer("Dense", units=2)],
                "default names of every kind", None, None, {"x": x}, model="chain_of_defaults")
    yield model(keras, "stack_of_four",
                [layer("GRU", name=f"g{i}", units=u, return_sequences=i < 3,
                       reset_after=i % 2 == 0, go_backwards=i == 1)
                 for i, u in enumerate((5, 8, 3, 9))], "four layers", ["g3"], None, {"x": x})


def cases(keras):
    if keras == 1:
        yield next(dense(keras))
        yield next(activations(keras))
        return
    for family in (dense, shapes, activations, identities, graphs):
        yield from deal(keras, family(keras))

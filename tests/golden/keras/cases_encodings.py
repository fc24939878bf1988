# SPDX-License-Identifier: MIT
"""BatchNormalization and CategoryEncoding, alone and where they can become part of a product."""
import numpy as np

from case import Case, deal, layer, values


def gru(name="g", **args):
    return layer("GRU", **{"name": name, "units": 4, "return_sequences": True, **args})


def norm(name="n", **args):
    return layer("BatchNormalization", name=name, **args)


def normalization(keras):
    def model(tag, layers, note, outputs, inputs=None, arrays=None, **extra):
        return Case(f"k{keras}_normalization_{tag}", keras, inputs or {"x": [None, 3]}, layers,
                    [arrays or {"x": values("normalization", 2, 5, 3)}], outputs, note=note,
                    **extra)

    vector = {"v": [7]}, {"v": values("normalized vector", 5, 7)}
    yield model("before_gru", [norm(), gru()], "into the GRU's kernel", ["g"])
    yield model("alone", [norm()], "no product beside it", ["n"], *vector)
    yield model("after_dense", [layer("Dense", name="d", units=5), norm()],
                "into the Dense before it", ["n"], *vector)
    yield model("before_dense", [norm(), layer("Dense", name="d", units=5, activation="tanh")],
                "into the Dense after it", ["d"], *vector)
    yield model("after_activation", [layer("Dense", name="d", units=5, activation="relu"),
                                     norm(), layer("Dense", name="e", units=2)],
                "an activation keeps it from the first Dense", ["e"], *vector)
    yield model("arguments", [norm(epsilon=0.0625, momentum=0.5), gru()], "epsilon", ["n", "g"])
    yield model("no_scale", [norm(scale=False), gru(use_bias=False)], "no gamma, no bias", ["g"])
    yield model("no_center", [norm(center=False), gru()], "no beta", ["n"])
    yield model("plain", [norm(center=False, scale=False), gru()], "neither", ["g"])
    yield model("axis", [norm(axis=2 if keras == 3 else [2]), gru()], "the last axis by number",
                ["g"])
    yield model("training_false", [norm(training=False), gru()], "said explicitly", ["g"])
    yield model("bidirectional", [norm(), layer("Bidirectional", name="b", layer={
        "GRU": {"units": 3, "return_sequences": True}})], "both directions", ["b"])
    yield model("go_backwards", [norm(), gru(go_backwards=True, reset_after=False)],
                "read from the end", ["g"])
    yield model("read_twice", [norm(), gru(inputs="n"), layer("Dense", name="d", inputs="n",
                                                             units=2)], "two products", ["g", "d"])
    yield model("between", [norm("n"), layer("Dense", name="d", units=5), norm("m"), gru()],
                "one before and one after a Dense", ["g"])
    yield model("in_a_row", [norm("n"), norm("m"), gru(), norm("o"), layer("Dense", name="d",
                                                                       units=2)],
                "twice, and behind a GRU", ["d"])
    yield model("far_mean", [norm(), gru()], "a mean of many deviations", ["g"],
                weights={"n/moving_mean": 40.0, "n/moving_variance": 0.25})
    yield model("masked", [layer("Masking", name="m"), norm(), gru()],
                "masked steps are normalized too, and skipped", ["n", "g"],
                arrays={"x": masked_values()})
    yield model("masked_dense", [layer("Masking", name="m"), layer("Dense", name="d", units=4),
                                 norm(), gru(go_backwards=True)], "the mask goes through",
                ["g"], arrays={"x": masked_values()})
    yield model("features", [norm(), layer("Reshape", name="r", target_shape=[-1, 6]), gru()],
                "one row of weights for all axes before the last", ["n", "g"],
                {"x": [4, 2, 3]}, {"x": values("features", 2, 4, 2, 3)})
    yield model("embedded", [layer("Embedding", name="e", input_dim=7, output_dim=3,
                                   mask_zero=True), norm(), gru()], "behind an Embedding", ["g"],
                {"ids": ([None], "int32")},
                {"ids": np.array([[1, 0, 6, 2], [3, 3, 0, 0]], np.int32)})


def masked_values():
    x = values("normalization", 2, 5, 3)
    x[0, 3:] = 0
    x[1, 1] = 0
    return x


IDS = np.array([[1, 4, 0, 5], [2, 2, 5, 3]], np.int32)


def encoding(keras, tag, shape, ids, layers, outputs, note, **args):
    encode = layer("CategoryEncoding", name="c", num_tokens=6, output_mode="one_hot", **args)
    return Case(f"k{keras}_one_hot_{tag}", keras, {"ids": (shape, str(ids.dtype))},
                [encode] + layers, [{"ids": ids}], outputs, note=note)


def one_id(keras):
    dense = layer("Dense", name="d", units=3, activation="tanh")
    yield encoding(keras, "row", [], IDS[0], [dense], ["c", "d"], "one id a row")
    yield encoding(keras, "axis", [1], IDS[:, :1], [dense], ["d"], "an axis of length 1")
    yield encoding(keras, "float", [1], IDS[:, 1:2].astype(np.float32), [dense], ["c"],
                   "ids as floating-point numbers")


def sequences(keras):
    yield encoding(keras, "gru", [None], IDS, [gru()], ["g"], "rows of the kernel")
    yield encoding(keras, "gru_no_bias", [None], IDS, [gru(use_bias=False, reset_after=False)],
                   ["g"], "rows of the kernel alone")
    yield encoding(keras, "steps_axis", [4, 1], IDS[..., None], [gru()], ["c", "g"],
                   "steps and an axis of length 1")
    yield encoding(keras, "bidirectional", [None], IDS, [layer("Bidirectional", name="b", layer={
        "GRU": {"units": 3, "return_sequences": True}})], ["b"], "both directions")
    yield encoding(keras, "normalized", [None], IDS, [norm(), gru(go_backwards=True)], ["g"],
                   "a normalization between")
    yield encoding(keras, "two_axes", [2, 2], IDS.reshape(2, 2, 2),
                   [layer("Dense", name="d", units=2)], ["c", "d"], "two axes of ids")


def cases(keras):
    if keras == 1:
        yield from list(normalization(keras))[:3]
        return
    yield from deal(keras, normalization(keras))
    yield from one_id(keras)
    if keras == 3:
        yield from sequences(keras)

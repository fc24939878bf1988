# SPDX-License-Identifier: MIT
"""Every activation of each lineage: as a layer, in Dense, and on both sides of a GRU."""
import numpy as np

from case import Case, layer, values

COMMON = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "relu6", "leaky_relu", "elu",
          "selu", "softplus", "softsign", "softmax", "log_softmax", "exponential", "silu",
          "swish", "gelu", "mish")
KERAS3 = ("celu", "hard_silu", "hard_swish", "hard_tanh", "tanh_shrink", "soft_shrink",
          "hard_shrink", "squareplus", "sparse_plus", "sparse_sigmoid", "log_sigmoid",
          "sparsemax")
EDGES = np.array([-8, -6, -4, -3, -2.5, -2, -1.5, -1, -0.75, -0.5, -0.25, -1 / 64, 0, 1 / 64,
                  0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 6, 7, 8], np.float32)
WIDE = np.array([-1000, -100, -88, -40, -20, -17, -10, 10, 17, 20, 40, 88, 100, 1000], np.float32)


def everywhere(keras, name, value, **how):
    """One activation as a layer, in Dense, and as either function of a GRU, both reset forms."""
    def gru(tag, **args):
        return layer("GRU", name=tag, inputs="x", units=4, return_sequences=True, **args)

    layers = [gru("out_after", activation=value, reset_after=True),
              gru("out_before", activation=value, reset_after=False),
              gru("gate_after", recurrent_activation=value, reset_after=True),
              gru("gate_before", recurrent_activation=value, reset_after=False),
              layer("Dense", name="d", inputs="x", units=5, activation=value)]
    outputs = ["out_after", "out_before", "gate_after", "gate_before", "d"]
    if isinstance(value, str):
        layers.append(layer("Activation", name="a", inputs="v", activation=value))
        outputs.append("a")
    inputs = {"x": [None, 3]}
    arrays = {"x": values("activation", 2, 3, 3, span=48)}
    if isinstance(value, str):
        inputs["v"], arrays["v"] = [len(EDGES)], np.stack([EDGES, EDGES[::-1] * 0.5])
    return Case(f"k{keras}_activation_{name}", keras, inputs, layers, [arrays], outputs,
                note=f"{name} in every place an activation can stand", **how)


def saturating(keras):
    names = ["tanh", "sigmoid", "softsign", "hard_sigmoid", "relu", "softplus", "elu", "softmax",
             "silu", "gelu", "mish", "selu"]
    if keras == 3:
        names += ["hard_tanh", "log_sigmoid", "squareplus", "soft_shrink"]
    yield Case(f"k{keras}_activation_far_out", keras, {"v": [len(WIDE)]},
               [layer("Activation", name=n, inputs="v", activation=n) for n in names],
               [{"v": WIDE[None]}], outputs=names, note="arguments far from zero")
    inf = np.array([[np.inf, -np.inf, np.nan, 0, -0.0]], np.float32)
    names = ["linear", "tanh", "sigmoid"]
    yield Case(f"k{keras}_activation_specials", keras, {"v": [5]},
               [layer("Activation", name=n, inputs="v", activation=n) for n in names],
               [{"v": inf}], outputs=names, note="infinities, NaN and both zeros")


def with_parameters(keras):
    slope = "negative_slope" if keras == 3 else "alpha"
    leaky = {"class_name": "LeakyReLU", "config": {slope: 0.125}}
    yield everywhere(keras, "leaky_relu_mapping", leaky)
    yield everywhere(keras, "leaky_relu_mapping_default",
                     {"class_name": "LeakyReLU", "config": {}}, narrow_constant=True)
    yield everywhere(keras, "relu_mapping",
                     {"class_name": "ReLU", "config": {"max_value": 0.5, "negative_slope": 0.25,
                                                       "threshold": 0.125}})
    yield everywhere(keras, "elu_mapping", {"class_name": "ELU", "config": {"alpha": 0.5}})
    if keras == 2:
        yield everywhere(keras, "layer_class_as_string", "LeakyReLU",
                         narrow_constant=True)
    yield everywhere(keras, "null", None)


def mixed(keras):
    """Pairs seen in practice, at widths that are no multiple of a vector."""
    pairs = [("relu", "sigmoid", 9), ("tanh", "hard_sigmoid", 17), ("softmax", "softmax", 7),
             ("linear", "linear", 3), ("softmax", "sigmoid", 33)]
    for index, (g, f, units) in enumerate(pairs):
        name = f"k{keras}_gru_{g}_{f}_h{units}"
        yield Case(name, keras, {"x": [None, 3]},
                   [layer("GRU", name="g", units=units, activation=g, recurrent_activation=f,
                          reset_after=(index + keras) % 2 == 0, return_sequences=units < 20)],
                   [{"x": values(name, 2, 5, 3, span=48)}], note=f"{g} and {f}")


def cases(keras):
    names = COMMON if keras == 2 else ("hard_sigmoid", "leaky_relu", "gelu") + KERAS3
    if keras == 1:
        names = ("hard_sigmoid", "relu", "softmax", "linear")
    for name in names:
        # Keras 3.15 computes the threshold of sparsemax from the sum of all partial sums.
        yield everywhere(keras, name, name, by_rule=name == "sparsemax",
                         narrow_constant=name in ("leaky_relu", "gelu"))
    if keras == 1:
        return
    yield from saturating(keras)
    yield from with_parameters(keras)
    yield from mixed(keras)

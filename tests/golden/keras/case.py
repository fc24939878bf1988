# SPDX-License-Identifier: MIT
"""What a golden case is: the model in short form, its weights and its calls."""
import re
import zlib

import numpy as np


def seeded(text):
    return np.random.Generator(np.random.PCG64(zlib.crc32(text.encode())))


def layer(kind, **args):
    return kind, args


def snake(kind):
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", kind).lower()


CALL_ARGUMENTS = ("name", "inputs", "mask", "initial_state", "training")


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]


class Case:
    """inputs: name -> shape, or (shape, dtype); calls: a list of {input name: array}.

    by_rule: the expected numbers come from reference.py because Keras deviates from its
    own rule; `twin` then changes the layers into an equivalent form in which Keras keeps
    the rule, where there is one.  eager: Keras computes the layers directly, because it
    cannot trace the model (tf.keras 2 traces a cuDNN branch that takes no such mask).
    narrow_constant: TensorFlow rounds a constant of the activation (a slope, the root of
    two) to float32 even in float64; the numbers are then those of the exact constant.
    published: numbers from the literature that the last call's first output must begin with
    (one for each run of equal values).
    """

    def __init__(self, name, keras, inputs, layers, calls, outputs=None, batch=None, note="",
                 weights=None, time_major=(), by_rule=False, twin=None, model=None, eager=False,
                 narrow_constant=False, published=None):
        self.name, self.keras, self.layers = name, keras, layers
        self.inputs = {k: v if isinstance(v, tuple) else (v, "float32")
                       for k, v in inputs.items()}
        self.calls, self.outputs, self.batch, self.note = calls, outputs, batch, note
        self.weights, self.time_major = weights or {}, set(time_major)
        self.by_rule, self.twin, self.model, self.eager = by_rule, twin, model, eager
        self.narrow_constant, self.published = narrow_constant, published

    def resolved(self):
        """(kind, name, constructor arguments, sources) with default names and inputs."""
        counts, previous = {}, next(iter(self.inputs))
        for kind, args in self.layers:
            for part in ("layer", "backward_layer"):  # a wrapped layer takes a default name too
                for inner, inner_args in args.get(part, {}).items():
                    if "name" not in inner_args:
                        counts[inner] = counts.get(inner, 0) + 1
            name = args.get("name")
            if name is None:
                index = counts.get(kind, 0)
                counts[kind] = index + 1
                name = snake(kind) + (f"_{index}" if index else "")
            sources = {"inputs": args.get("inputs", previous), "mask": args.get("mask"),
                       "initial_state": as_list(args.get("initial_state"))}
            own = {k: v for k, v in args.items() if k not in CALL_ARGUMENTS}
            previous = name
            yield kind, name, own, sources

    def output_names(self):
        if self.outputs:
            return self.outputs
        kind, name, args, _ = list(self.resolved())[-1]
        if kind == "GRU":
            return [name] + ([name + ".state"] if args.get("return_state") else [])
        if kind == "Bidirectional":
            inner = args["layer"]["GRU"]
            split = args.get("merge_mode", "concat") is None
            names = [name + ".forward", name + ".backward"] if split else [name]
            if inner.get("return_state"):
                names += [name + ".forward_state", name + ".backward_state"]
            return names
        return [name]


def power_of_two_near(value):
    return 2.0 ** round(np.log2(value))


def draw(rng, shape, low, high, scale):
    """Multiples of `scale`; a big matrix repeats slices of one sequence, so it packs well."""
    size = int(np.prod(shape))
    if size <= 4096:
        return rng.integers(low, high + 1, shape) * scale
    rows, width = shape
    base = rng.integers(low, high + 1, 1021 + width) * scale
    starts = rng.permutation(1021)[:rows]
    return np.stack([base[s:s + width] for s in starts])


class Store:
    """Weights by tensor name, drawn on first use; every value is exact in float32."""

    def __init__(self, case):
        self.rng = seeded("weights of " + case.name)
        self.given = {}
        self.overrides = case.weights

    def get(self, name, shape):
        if name not in self.given:
            value = self.overrides.get(name)
            if value is None:
                value = self.fresh(name.rsplit("/", 1)[1], shape)
            value = np.broadcast_to(np.asarray(value, np.float32), shape).copy()
            self.given[name] = value
        assert self.given[name].shape == tuple(shape), (name, shape)
        return self.given[name].astype(np.float64)

    def fresh(self, role, shape):
        if role == "bias":
            value = self.rng.integers(-25, 40, shape)
            return np.where(value == 0, 17, value) / 64
        if role in ("gamma", "moving_variance"):
            return self.rng.integers(24, 129, shape) / 64
        if role in ("beta", "moving_mean"):
            return self.rng.integers(-64, 65, shape) / 64
        if role == "embeddings":
            return self.rng.integers(-64, 65, shape) / 64
        gain = 0.75 if role == "recurrent_kernel" else 1.0
        scale = power_of_two_near(gain / np.sqrt(shape[0])) / 8
        return draw(self.rng, shape, -8, 8, scale)


def in_turn(keras, index):
    """Cases alike in every lineage are dealt out alternately to Keras 2 and 3."""
    return keras == 2 + index % 2


def deal(keras, cases):
    """Those of the cases whose turn it is."""
    return (case for index, case in enumerate(cases) if in_turn(keras, index))


# --- input arrays -----------------------------------------------------------------------


def values(name, *shape, span=96):
    """Quantised float32 inputs in [-span/64, span/64], seeded by a name."""
    return (seeded("input " + name).integers(-span, span + 1, shape) / 64).astype(np.float32)


def bits(*rows):
    """bits('1101', '1001') -> bool (2,4)."""
    return np.array([[c == "1" for c in row] for row in rows])

# SPDX-License-Identifier: MIT
"""A small float64 interpreter of gruc's short form, independent of Keras.

It serves two ends: it must agree with Keras to 1e-12 on every ordinary case, and it
gives the expected numbers where Keras deviates from its own rule.  Weights are drawn
lazily from a store while it runs, so their shapes follow from the data.
"""
import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x):
    s = x - x.max(axis=-1, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def relu(x, slope=0.0, max_value=None, threshold=0.0):
    below = slope * (x - threshold) if slope else np.where(np.isnan(x), x, 0.0)
    kept = x if max_value is None else np.clip(x, 0.0, max_value)
    return np.where(x > threshold, kept, below)


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def hard_sigmoid_k2(x):
    return np.clip(0.2 * x + 0.5, 0.0, 1.0)


def hard_sigmoid_k3(x):
    return np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def sparse_plus(x):
    return np.where(x <= -1, 0.0, np.where(x >= 1, x, 0.25 * (x + 1) ** 2))


def sparsemax(x):
    """The mathematical function: the projection of each row onto the simplex."""
    ordered = -np.sort(-x, axis=-1)
    sums = np.cumsum(ordered, axis=-1)
    count = np.arange(1, x.shape[-1] + 1)
    support = (1 + count * ordered > sums).sum(axis=-1, keepdims=True)
    tau = (np.take_along_axis(sums, support - 1, axis=-1) - 1) / support
    return np.maximum(x - tau, 0.0)


COMMON = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "leaky_relu": lambda x: np.where(x >= 0, x, 0.2 * x),
    "elu": elu,
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softmax": softmax,
    "log_softmax": log_softmax,
    "exponential": np.exp,
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2.0))),
    "mish": lambda x: x * np.tanh(softplus(x)),
}
KERAS2 = dict(COMMON, hard_sigmoid=hard_sigmoid_k2)
KERAS3 = dict(
    COMMON,
    hard_sigmoid=hard_sigmoid_k3,
    celu=lambda x: np.maximum(x, 0) + np.expm1(np.minimum(x, 0)),
    hard_silu=lambda x: x * hard_sigmoid_k3(x),
    hard_swish=lambda x: x * hard_sigmoid_k3(x),
    hard_tanh=lambda x: np.clip(x, -1.0, 1.0),
    tanh_shrink=lambda x: x - np.tanh(x),
    soft_shrink=lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0.0),
    hard_shrink=lambda x: np.where(np.abs(x) > 0.5, x, 0.0),
    squareplus=lambda x: 0.5 * (x + np.sqrt(x * x + 4.0)),
    sparse_plus=sparse_plus,
    sparse_sigmoid=lambda x: np.clip((x + 1) / 2, 0.0, 1.0),
    log_sigmoid=lambda x: -softplus(-x),
    sparsemax=sparsemax,
)


def activation_layer(class_name, config):
    """The parametrised activation layers, as layers and as `activation:` mappings."""
    if class_name == "LeakyReLU":
        slope = config.get("alpha", config.get("negative_slope", 0.3))
        return lambda x: np.where(x >= 0, x, slope * x)
    if class_name == "ReLU":
        return lambda x: relu(x, config.get("negative_slope", 0.0), config.get("max_value"),
                              config.get("threshold", 0.0))
    if class_name == "ELU":
        return lambda x: elu(x, config.get("alpha", 1.0))
    if class_name == "Softmax":
        return lambda x: softmax(x, config.get("axis", -1))
    raise KeyError(class_name)


def activation(keras, spec):
    if spec is None:
        return COMMON["linear"]
    if isinstance(spec, dict):
        return activation_layer(spec["class_name"], spec.get("config", {}))
    if spec in ("LeakyReLU", "ReLU", "ELU", "Softmax"):
        return activation_layer(spec, {})
    return (KERAS3 if keras == 3 else KERAS2)[spec]


def normalised_mask(mask):
    if mask is None:
        return None
    mask = mask != 0
    return mask[..., 0] if mask.ndim == 3 else mask


class Reference:
    """Holds the stored states of one model between calls."""

    def __init__(self, case, store):
        self.case, self.store, self.keras = case, store, case.keras
        self.stored = {}

    def gru_arguments(self, args):
        defaults = {
            "activation": "tanh",
            "recurrent_activation": "hard_sigmoid" if self.keras == 1 else "sigmoid",
            "reset_after": self.keras != 1, "use_bias": True, "return_sequences": False,
            "return_state": False, "go_backwards": False, "stateful": False,
            "time_major": False, "zero_output_for_mask": False,
        }
        return {**defaults, **args}

    def cell(self, prefix, width, a):
        units = a["units"]
        kernel = self.store.get(prefix + "/kernel", (width, 3 * units))
        recurrent = self.store.get(prefix + "/recurrent_kernel", (units, 3 * units))
        shape = (2, 3 * units) if a["reset_after"] else (3 * units,)
        bias = self.store.get(prefix + "/bias", shape) if a["use_bias"] else np.zeros(shape)
        b, c = bias if a["reset_after"] else (bias, np.zeros(3 * units))
        f = activation(self.keras, a["recurrent_activation"])
        g = activation(self.keras, a["activation"])
        zs, rs, hs = (slice(i * units, (i + 1) * units) for i in range(3))

        def step(x, h):
            wx = x @ kernel + b
            z = f(wx[:, zs] + h @ recurrent[:, zs] + c[zs])
            r = f(wx[:, rs] + h @ recurrent[:, rs] + c[rs])
            if a["reset_after"]:
                n = g(wx[:, hs] + r * (h @ recurrent[:, hs] + c[hs]))
            else:
                n = g(wx[:, hs] + (r * h) @ recurrent[:, hs])
            return z * h + (1 - z) * n

        return step

    def run_gru(self, prefix, a, x, mask, initial):
        """One direction: (sequence in processing order, last output, final state)."""
        if a["time_major"]:
            x = np.swapaxes(x, 0, 1)
            mask = None if mask is None else np.swapaxes(mask, 0, 1)
        if a["go_backwards"]:
            x = x[:, ::-1]
            mask = None if mask is None else mask[:, ::-1]
        batch, steps, width = x.shape
        step = self.cell(prefix, width, a)
        h = np.zeros((batch, a["units"]))
        stored = self.stored.get(prefix)
        if a["stateful"] and stored is not None:
            given_wins = initial is not None and (self.keras == 3 or not stored.any())
            h = initial if given_wins else stored
        elif initial is not None:
            h = initial
        previous = np.zeros((batch, a["units"]))
        outputs = []
        for t in range(steps):
            new = step(x[:, t], h)
            if mask is None:
                h = y = new
            else:
                keep = mask[:, t, None]
                h = np.where(keep, new, h)
                y = np.where(keep, new, 0.0 if a["zero_output_for_mask"] else previous)
                previous = y
            outputs.append(y)
        if a["stateful"]:
            self.stored[prefix] = h
        sequence = np.stack(outputs, axis=1)
        if a["time_major"]:
            sequence = np.swapaxes(sequence, 0, 1)
        return sequence, outputs[-1], h

    def gru(self, name, args, x, mask, initial):
        a = self.gru_arguments(args)
        sequence, last, state = self.run_gru(name, a, x, mask, initial[0] if initial else None)
        out = {name: sequence if a["return_sequences"] else last}
        if a["return_state"]:
            out[name + ".state"] = state
        return out, a["return_sequences"]

    def bidirectional(self, name, args, x, mask, initial):
        forward = self.gru_arguments(args["layer"]["GRU"])
        if "backward_layer" in args:
            backward = self.gru_arguments(args["backward_layer"]["GRU"])
        else:
            backward = dict(forward, go_backwards=not forward["go_backwards"])
        sequences = forward["return_sequences"]
        # Bidirectional assigns this to its children, whatever they were given.
        forward["zero_output_for_mask"] = backward["zero_output_for_mask"] = sequences
        half = len(initial) // 2
        f_seq, f_last, f_state = self.run_gru(name + "/forward", forward, x, mask,
                                              initial[0] if half else None)
        b_seq, b_last, b_state = self.run_gru(name + "/backward", backward, x, mask,
                                              initial[half] if half else None)
        time_axis = 0 if forward["time_major"] else 1
        yf = f_seq if sequences else f_last
        yb = np.flip(b_seq, axis=time_axis) if sequences else b_last
        merge = args.get("merge_mode", "concat")
        out = {}
        if merge is None:
            out[name + ".forward"], out[name + ".backward"] = yf, yb
        else:
            out[name] = {"concat": lambda: np.concatenate([yf, yb], axis=-1),
                         "sum": lambda: yf + yb, "mul": lambda: yf * yb,
                         "ave": lambda: (yf + yb) / 2}[merge]()
        if forward["return_state"]:
            out[name + ".forward_state"], out[name + ".backward_state"] = f_state, b_state
        return out, sequences

    def normalization(self, name, args, x):
        def weight(tensor, default=None):
            return default if default is not None else self.store.get(f"{name}/{tensor}",
                                                                      x.shape[-1:])

        gamma = weight("gamma", None if args.get("scale", True) else 1.0)
        beta = weight("beta", None if args.get("center", True) else 0.0)
        deviation = np.sqrt(weight("moving_variance") + args.get("epsilon", 1e-3))
        return (x - weight("moving_mean")) / deviation * gamma + beta

    def simple(self, kind, name, args, x, mask):
        """Layers without state: (value, mask)."""
        if kind == "Masking":
            keep = (x != np.float64(args.get("mask_value", 0.0))).any(axis=-1)
            return np.where(keep[..., None], x, 0.0), keep
        if kind == "Embedding":
            table = self.store.get(name + "/embeddings", (args["input_dim"], args["output_dim"]))
            return table[x.astype(np.int64)], (x != 0) if args.get("mask_zero") else None
        if kind == "Dense":
            y = x @ self.store.get(name + "/kernel", (x.shape[-1], args["units"]))
            if args.get("use_bias", True):
                y = y + self.store.get(name + "/bias", (args["units"],))
            return activation(self.keras, args.get("activation"))(y), mask
        if kind == "BatchNormalization":
            return self.normalization(name, args, x), mask
        if kind == "CategoryEncoding":
            ids = x[..., 0] if x.shape[1:] and x.shape[-1] == 1 else x
            return np.eye(args["num_tokens"])[ids.astype(np.int64)], None
        if kind == "Activation":
            return activation(self.keras, args["activation"])(x), mask
        if kind in ("ReLU", "LeakyReLU", "ELU", "Softmax"):
            return activation_layer(kind, args)(x), mask
        if kind in ("Dropout", "SpatialDropout1D", "GaussianNoise"):
            return x, mask
        if kind == "Flatten":
            return x.reshape(x.shape[0], -1), None
        if kind == "Reshape":
            return x.reshape([x.shape[0]] + list(args["target_shape"])), None
        raise KeyError(kind)

    def call(self, arrays):
        values = {k: v.astype(np.float64) if v.dtype == np.float32 else v
                  for k, v in arrays.items()}
        masks = {}
        for kind, name, args, sources in self.case.resolved():
            x = values[sources["inputs"]]
            mask = masks.get(sources["inputs"])
            initial = [values[s] for s in sources["initial_state"]]
            if kind not in ("GRU", "Bidirectional"):
                values[name], masks[name] = self.simple(kind, name, args, x, mask)
                continue
            used = mask
            if sources["mask"]:
                used = mask = normalised_mask(values[sources["mask"]])
            elif initial and self.keras == 3:
                used = None  # Keras 3 loses a propagated mask when a state is given
            layer = self.gru if kind == "GRU" else self.bidirectional
            out, keeps_mask = layer(name, args, x, used, initial)
            for key, value in out.items():
                values[key] = value
                is_state = key.endswith("state")
                masks[key] = mask if keeps_mask and not is_state else None
        return {name: values[name] for name in self.case.output_names()}

# SPDX-License-Identifier: MIT
"""Builds and runs a case with real Keras in float64 (tf.keras 2.15 or Keras 3)."""
import numpy as np
import tensorflow as tf

KERAS3 = tf.__version__.split(".")[:2] >= ["2", "16"]
if KERAS3:
    import keras

    keras.config.set_floatx("float64")
    LINEAGES = (3,)
else:
    keras = tf.keras
    keras.backend.set_floatx("float64")
    LINEAGES = (1, 2)

OBJECTS = ("activation", "recurrent_activation")


def layer_class(lineage, kind):
    namespace = tf.compat.v1.keras.layers if lineage == 1 else keras.layers
    return getattr(namespace, kind)


def constructor(args):
    """Activation mappings become the objects they describe."""
    out = {}
    for key, value in args.items():
        if key in OBJECTS and isinstance(value, dict):
            value = getattr(keras.layers, value["class_name"])(**value.get("config", {}))
        out[key] = value
    return out


def make_layer(lineage, kind, name, args):
    if kind != "Bidirectional":
        return layer_class(lineage, kind)(name=name, **constructor(args))
    inner = {k: v for k, v in args.items() if k not in ("layer", "backward_layer")}
    for key in ("layer", "backward_layer"):
        if key in args:
            inner[key] = layer_class(lineage, "GRU")(**constructor(args[key]["GRU"]))
    return layer_class(lineage, kind)(name=name, **inner)


def output_keys(kind, name, args):
    if kind == "GRU":
        return [name, name + ".state"]
    if kind == "Bidirectional":
        split = args.get("merge_mode", "concat") is None
        head = [name + ".forward", name + ".backward"] if split else [name]
        return head + [name + ".forward_state", name + ".backward_state"]
    return [name]


def input_tensor(case, name, shape, dtype):
    full = [case.batch] + list(shape)
    if name in case.time_major:
        full = [shape[0], case.batch] + list(shape[1:])
    dtype = "float64" if dtype == "float32" else dtype
    return keras.Input(batch_shape=tuple(full), dtype=dtype, name=name)


def set_weights(made, kind, name, args, store):
    def gru(prefix, inner):
        tensors = ["kernel", "recurrent_kernel"] + ["bias"] * inner.get("use_bias", True)
        return [store.given[f"{prefix}/{t}"] for t in tensors]

    if kind == "GRU":
        made.set_weights(gru(name, args))
    elif kind == "Bidirectional":
        backward = args.get("backward_layer", args["layer"])["GRU"]
        made.set_weights(gru(name + "/forward", args["layer"]["GRU"])
                         + gru(name + "/backward", backward))
    elif kind == "Dense":
        tensors = ["kernel"] + ["bias"] * args.get("use_bias", True)
        made.set_weights([store.given[f"{name}/{t}"] for t in tensors])
    elif kind == "BatchNormalization":
        tensors = (["gamma"] * args.get("scale", True) + ["beta"] * args.get("center", True)
                   + ["moving_mean", "moving_variance"])
        made.set_weights([store.given[f"{name}/{t}"] for t in tensors])
    elif kind == "Embedding":
        made.set_weights([store.given[f"{name}/embeddings"]])


def make_layers(case):
    return [make_layer(case.keras, kind, name, args) for kind, name, args, _ in case.resolved()]


def apply(case, store, made, tensors):
    """Calls every layer on the named input tensors: {name: tensor} with all outputs."""
    tensors = dict(tensors)
    for one, (kind, name, args, sources), (_, raw) in zip(made, case.resolved(), case.layers):
        call = {}
        if sources["mask"]:
            call["mask"] = tensors[sources["mask"]]
        if sources["initial_state"]:
            states = [tensors[s] for s in sources["initial_state"]]
            call["initial_state"] = states[0] if len(states) == 1 else states
        if "training" in raw:
            call["training"] = raw["training"]
        if case.eager and not one.built:
            one.build(tensors[sources["inputs"]].shape)
            set_weights(one, kind, name, args, store)
        out = one(tensors[sources["inputs"]], **call)
        if not case.eager:
            set_weights(one, kind, name, args, store)
        out = list(out) if isinstance(out, (list, tuple)) else [out]
        tensors.update(zip(output_keys(kind, name, args), out))
    return tensors


def runner(case, store):
    """A function from a list of arrays to the list of the model's outputs."""
    keras.backend.clear_session()
    made = make_layers(case)
    if case.eager:
        def call(feed):
            tensors = apply(case, store, made, zip(case.inputs, feed))
            return [tensors[n] for n in case.output_names()]
        return call
    inputs = {n: input_tensor(case, n, s, d) for n, (s, d) in case.inputs.items()}
    tensors = apply(case, store, made, inputs)
    model = keras.Model(list(inputs.values()), [tensors[n] for n in case.output_names()])
    return lambda feed: model(feed if len(feed) > 1 else feed[0])


def run(case, store):
    """Every call of the case in order, on one model: a list of {output name: float64}."""
    model = runner(case, store)
    results = []
    for arrays in case.calls:
        feed = [tf.constant(a.astype(np.float64) if a.dtype == np.float32 else a)
                for a in (arrays[n] for n in case.inputs)]
        out = model(feed)
        out = list(out) if isinstance(out, (list, tuple)) else [out]
        results.append({n: np.asarray(o) for n, o in zip(case.output_names(), out)})
    return results

# SPDX-License-Identifier: MIT
"""Train the digit reader and write its weights, recorded data and Keras's outputs.

Needs tensorflow-cpu==2.15.1, scikit-learn and safetensors. Run it anywhere; the
files are written beside this script.
"""
import pathlib

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1998
UNITS = 64
EPOCHS = 80
BATCH = 32


def build():
    return tf.keras.Sequential([
        tf.keras.Input((8, 8), name="x"),
        tf.keras.layers.Masking(mask_value=0.0, name="blank_rows"),
        tf.keras.layers.GRU(UNITS, name="reader"),
        tf.keras.layers.Dense(10, activation="softmax", name="digit"),
    ])


def moved(x, by, axis):
    """The images moved by one pixel along an axis; what enters is blank."""
    out = np.roll(x, by, axis)
    edge = [slice(None)] * 3
    edge[axis] = 0 if by > 0 else -1
    out[tuple(edge)] = 0.0
    return out


def enlarged(x, y):
    """Every image, and copies moved up, down, left and right."""
    copies = [x] + [moved(x, by, axis) for axis in (1, 2) for by in (-1, 1)]
    return np.concatenate(copies), np.tile(y, len(copies))


def report(name, model, x, y):
    probabilities = model.predict(x, verbose=0)
    right = int(np.sum(probabilities.argmax(axis=1) == y))
    blank = int(np.sum(np.all(x == 0.0, axis=2)))
    print(f"{name}: accuracy {right}/{len(y)} = {100.0 * right / len(y):.2f} %, "
          f"{blank} of {x.shape[0] * x.shape[1]} rows blank")
    return probabilities


def tensors(model):
    out = {}
    for layer in model.layers:
        for variable in layer.weights:
            name = variable.name.split("/")[-1].split(":")[0]
            out[f"{layer.name}/{name}"] = variable.numpy().astype(np.float32)
    return out


def main():
    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)
    labels = digits.target.astype(np.int32)
    half = len(images) // 2
    x, y = images[half:], labels[half:]

    model = build()
    train_x, train_y = enlarged(images[:half], labels[:half])
    steps = EPOCHS * (len(train_x) // BATCH + 1)
    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, steps, alpha=0.01)
    model.compile(tf.keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=1.0),
                  loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_x, train_y, BATCH, EPOCHS, verbose=2)

    lower = moved(x, 1, 1)
    probabilities = report("held-out half", model, x, y)
    lower_probabilities = report("moved down one row", model, lower, y)

    save_file(tensors(model), HERE / "weights.safetensors")
    for name, data in (("x", x), ("labels", y), ("keras", probabilities),
                       ("moved", lower), ("moved_keras", lower_probabilities)):
        np.save(HERE / f"{name}.npy", data)


if __name__ == "__main__":
    main()

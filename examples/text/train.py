# SPDX-License-Identifier: MIT
"""Train the character model and write its weights, vocabulary, prompt and Keras's logits.

Needs tensorflow-cpu==2.15.1 and safetensors, and Debian's copy of the GPL, version 3.
Run it anywhere; the files are written beside this script.
"""
import pathlib

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
TEXT = pathlib.Path("/usr/share/common-licenses/GPL-3")
SEED = 2007
FEATURES = 48
UNITS = 192
DROPOUT = 0.25  # of the values between the layers, while training
HELD_OUT = 0.05  # of the text, at its end
EPOCHS = 40
LANES = 16  # pieces of the text read side by side
STEPS = 64  # characters between two updates
PROMPT = ("  You may convey a work based on the Program, or the modifications to\n"
          "produce it from the Progr")


def build(size, batch, dropout=0.0):
    """The model; dropout is for training and no part of the recorded one."""
    return tf.keras.Sequential([
        tf.keras.Input((None,), batch_size=batch, dtype="int32", name="x"),
        tf.keras.layers.Embedding(size, FEATURES, name="letters"),
        tf.keras.layers.Dropout(dropout),
        tf.keras.layers.GRU(UNITS, return_sequences=True, stateful=True, name="memory"),
        tf.keras.layers.Dropout(dropout),
        tf.keras.layers.Dense(size, name="next"),
    ])


class Restart(tf.keras.callbacks.Callback):
    """Each epoch reads the text from its start."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.reset_states()


def lanes(ids):
    """Cut the text so that row i of each batch continues row i of the one before."""
    length = (len(ids) - 1) // LANES // STEPS * STEPS
    rows = np.stack([ids[i * length:i * length + length + 1] for i in range(LANES)])
    cut = range(0, length, STEPS)
    x = np.concatenate([rows[:, i:i + STEPS] for i in cut])
    y = np.concatenate([rows[:, i + 1:i + STEPS + 1] for i in cut])
    return x, y


def bits(model, ids, warm):
    """Bits per character of ids[warm:], each predicted from all before it."""
    model.reset_states()
    logits = model(ids[None, :-1]).numpy()[0, warm - 1:].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(logits)), ids[warm:]]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen) / np.log(2.0))


def generate(model, ids, count, temperature, random):
    model.reset_states()
    step, out = ids, []
    for _ in range(count):
        logits = model(step[None]).numpy()[0, -1].astype(np.float64) / temperature
        logits[0] = -np.inf
        weight = np.exp(logits - logits.max())
        step = random.choice(len(weight), size=1, p=weight / weight.sum()).astype(np.int32)
        out.append(step[0])
    return out


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
    text = TEXT.read_text(encoding="ascii")
    codes = [0] + sorted({ord(letter) for letter in text})  # id 0: any other character
    number = {code: i for i, code in enumerate(codes)}
    ids = np.array([number[ord(letter)] for letter in text], np.int32)
    split = int(len(ids) * (1.0 - HELD_OUT))

    x, y = lanes(ids[:split])
    trained = build(len(codes), LANES, DROPOUT)
    steps = EPOCHS * (len(x) // LANES)
    rate = tf.keras.optimizers.schedules.CosineDecay(8e-3, steps, alpha=0.02)
    trained.compile(tf.keras.optimizers.Adam(rate, clipnorm=1.0),
                    loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trained.fit(x, y, LANES, EPOCHS, shuffle=False, verbose=2, callbacks=[Restart()])

    model = build(len(codes), 1)
    model.set_weights(trained.get_weights())
    prompt = np.array([number[ord(letter)] for letter in PROMPT], np.int32)
    print(f"{len(text)} characters, {len(codes) - 1} different ones")
    print(f"bits per character: trained part {bits(model, ids[:split], 100):.2f}, "
          f"held-out end {bits(model, ids, split):.2f}")
    random = np.random.default_rng(SEED)
    sample = generate(model, prompt, 400, 0.5, random)
    print(PROMPT + "".join(chr(codes[i]) for i in sample))

    model.reset_states()
    logits = model(prompt[None]).numpy()
    save_file(tensors(model), HERE / "weights.safetensors")
    (HERE / "vocab.txt").write_text("".join(f"{code}\n" for code in codes), encoding="ascii")
    np.save(HERE / "prompt.npy", prompt[None])
    np.save(HERE / "keras.npy", logits)


if __name__ == "__main__":
    main()

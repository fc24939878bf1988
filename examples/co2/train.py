# SPDX-License-Identifier: MIT
"""Train the CO2 forecast and write its weights, recorded data and Keras's outputs.

Needs tensorflow-cpu==2.15.1, statsmodels and safetensors. Run it anywhere; the
files are written beside this script.
"""
import pathlib

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file
from statsmodels.datasets import co2

HERE = pathlib.Path(__file__).resolve().parent
SEED = 1958
WINDOW = 104  # weeks seen: two years
HORIZON = 52  # weeks forecast
YEAR = 365.25 / 7.0  # weeks
TEST_YEARS = 10  # held out, at the end of the series
VALID_WEEKS = 4 * 52  # the weeks before those choose the epoch
UNITS = 32
EPOCHS = 60
PATIENCE = 15  # epochs without a better validation error
BATCH = 32


def load_series():
    """Weekly ppm, gaps filled linearly, and the phase of each week in its year."""
    series = co2.load_pandas().data["co2"].interpolate()
    days = (series.index - np.datetime64("1958-01-01")).days.to_numpy()
    return series.to_numpy(np.float64), 2.0 * np.pi * days / 7.0 / YEAR


def make_windows(ppm, phase, origins):
    """Inputs and targets relative to the mean of the last year each window sees."""
    seen = origins[:, None] + np.arange(-WINDOW, 0)
    ahead = origins[:, None] + np.arange(HORIZON)
    base = ppm[seen[:, -52:]].mean(axis=1)
    level = ppm[seen] - base[:, None]
    x = np.stack([level, np.sin(phase[seen]), np.cos(phase[seen])], axis=-1)
    return x, ppm[ahead] - base[:, None], base


def build():
    return tf.keras.Sequential([
        tf.keras.Input((None, 3), name="x"),
        tf.keras.layers.GRU(UNITS, return_sequences=True, name="lower"),
        tf.keras.layers.GRU(UNITS, name="upper"),
        tf.keras.layers.Dense(HORIZON, name="forecast"),
    ])


def tensors(model):
    out = {}
    for layer in model.layers:
        for variable in layer.weights:
            name = variable.name.split("/")[-1].split(":")[0]
            out[f"{layer.name}/{name}"] = variable.numpy().astype(np.float32)
    return out


def error(name, forecast, truth):
    gap = forecast - truth
    rmse, mae = np.sqrt(np.mean(gap**2)), np.mean(np.abs(gap))
    print(f"{name:34s} RMSE {rmse:.3f} ppm  mean absolute {mae:.3f} ppm")


def naive(ppm, origins):
    """The same week a year ago, without and with the last year's growth added."""
    weeks = origins[:, None] + np.arange(HORIZON) - 52
    seen = origins[:, None] + np.arange(-WINDOW, 0)
    growth = ppm[seen[:, -52:]].mean(axis=1) - ppm[seen[:, :52]].mean(axis=1)
    return ppm[weeks], ppm[weeks] + growth[:, None]


def main():
    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    ppm, phase = load_series()
    test_start = len(ppm) - TEST_YEARS * HORIZON
    valid_start = test_start - VALID_WEEKS
    train = np.arange(WINDOW, valid_start - HORIZON + 1)
    valid = np.arange(valid_start, test_start - HORIZON + 1)
    test = test_start + HORIZON * np.arange(TEST_YEARS)

    x, y, _ = make_windows(ppm, phase, train)
    mean, scale = y.mean(), y.std()

    def normalised(origins):
        inputs, targets, base = make_windows(ppm, phase, origins)
        inputs[..., 0] = (inputs[..., 0] - mean) / scale
        return inputs.astype(np.float32), ((targets - mean) / scale).astype(np.float32), base

    x, y, _ = normalised(train)
    model = build()
    steps = EPOCHS * (len(x) // BATCH + 1)
    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, steps, alpha=0.02)
    model.compile(tf.keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=1.0), loss="mse")
    stop = tf.keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    model.fit(x, y, BATCH, EPOCHS, verbose=2, callbacks=[stop],
              validation_data=normalised(valid)[:2])

    x, _, base = normalised(test)
    forecast = model.predict(x, verbose=0)
    truth = ppm[test[:, None] + np.arange(HORIZON)]
    plain, growing = naive(ppm, test)
    error("model", base[:, None] + mean + scale * forecast, truth)
    error("the week a year ago", plain, truth)
    error("the week a year ago + growth", growing, truth)

    every = np.arange(test_start, len(ppm) - HORIZON + 1)
    many, _, level = normalised(every)
    ahead = ppm[every[:, None] + np.arange(HORIZON)]
    guess = level[:, None] + mean + scale * model.predict(many, verbose=0)
    print(f"from each of the {len(every)} held-out weeks:")
    error("model", guess, ahead)
    error("the week a year ago", naive(ppm, every)[0], ahead)
    error("the week a year ago + growth", naive(ppm, every)[1], ahead)

    save_file(tensors(model), HERE / "weights.safetensors")
    for name, data in (("x", x), ("keras", forecast), ("truth", truth), ("base", base),
                       ("naive", growing), ("scale", np.array([mean, scale]))):
        np.save(HERE / f"{name}.npy", data.astype(np.float32))


if __name__ == "__main__":
    main()

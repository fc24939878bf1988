# SPDX-License-Identifier: MIT
"""Loads every committed case again from its files alone and recomputes it without Keras.

    python check_cases.py [FOLDER]        needs numpy and PyYAML

Checks that the three files of a case parse and belong together: names, types, shapes and
batch of the inputs, that every tensor is used and has the right shape, and the numbers.
"""
import os
import sys

import numpy as np
import yaml

from case import Case, Store
from reference import Reference

LIMIT = 1e-12


def load(folder, name):
    with open(os.path.join(folder, name + ".yaml"), encoding="utf-8") as stream:
        model = yaml.safe_load(stream)
    assert model["weights"] == name + ".npz"
    inputs = {k: (v["shape"], v["dtype"]) if isinstance(v, dict) else v
              for k, v in model["inputs"].items()}
    layers = [next(iter(entry.items())) for entry in model["layers"]]
    weights = dict(np.load(os.path.join(folder, model["weights"])))
    calls, results = {}, {}
    for key, value in np.load(os.path.join(folder, name + ".io.npz")).items():
        call, direction, tensor = key.split(".", 2)
        target = calls if direction == "in" else results
        target.setdefault(int(call.removeprefix("call")), {})[tensor] = value
    assert sorted(calls) == sorted(results) == list(range(len(calls)))
    calls = [calls[i] for i in range(len(calls))]
    case = Case(name, model["keras"], inputs, layers, calls, model.get("outputs"),
                model.get("batch"), weights=weights)
    return case, [results[i] for i in range(len(results))]


def check_inputs(case):
    time_major = any((a.get("layer", {}).get("GRU") or a).get("time_major")
                     for _, a in case.layers)
    for arrays in case.calls:
        assert arrays.keys() == case.inputs.keys()
        for name, (shape, dtype) in case.inputs.items():
            array = arrays[name]
            assert array.dtype == np.dtype(dtype), name
            assert array.ndim == len(shape) + 1, name
            found, batch = array.shape[1:], array.shape[0]
            if time_major and name != "h0":
                found, batch = array.shape[:1] + array.shape[2:], array.shape[1]
            assert all(s is None or s == f for s, f in zip(shape, found)), name
            assert case.batch in (None, batch), name


def check(folder, name):
    case, results = load(folder, name)
    check_inputs(case)
    store = Store(case)
    reference = Reference(case, store)
    for arrays, expected in zip(case.calls, results):
        found = reference.call(arrays)
        assert list(expected) == case.output_names()
        for key, value in expected.items():
            assert value.dtype == np.float64 and value.shape == found[key].shape, key
            scale = np.maximum(1, np.abs(np.nan_to_num(value, posinf=1, neginf=1)))
            np.testing.assert_allclose(found[key] / scale, value / scale, rtol=0, atol=LIMIT)
    assert store.given.keys() == case.weights.keys()
    assert all(v.dtype == np.float32 and v.shape == store.given[k].shape
               for k, v in case.weights.items())


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "cases")
    np.seterr(over="ignore", invalid="ignore")
    files = set(os.listdir(folder))
    names = sorted(f[:-5] for f in files if f.endswith(".yaml"))
    assert files == {n + end for n in names for end in (".yaml", ".npz", ".io.npz")}
    for name in names:
        try:
            check(folder, name)
        except Exception:
            print(f"{name} is at fault", file=sys.stderr)
            raise
    print(f"{len(names)} cases, {sum(os.path.getsize(os.path.join(folder, f)) for f in files)}"
          " bytes, all agree")


if __name__ == "__main__":
    main()

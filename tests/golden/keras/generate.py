# SPDX-License-Identifier: MIT
"""Golden cases from real Keras, all computed in float64.

Run it once in an environment with TensorFlow 2.15.1 (tf.keras 2.15: the cases k1_*, made
with the compat.v1 classes, and k2_*) and once in one with Keras 3 on TensorFlow (k3_*):

    python -m venv venv2 && venv2/bin/pip install tensorflow-cpu==2.15.1
    venv2/bin/python generate.py --out cases
    python -m venv venv3 && venv3/bin/pip install tensorflow-cpu==2.21.0 keras==3.15.1
    venv3/bin/python generate.py --out cases

`--only TEXT` restricts the run to names that contain TEXT.  check_cases.py (needs PyYAML)
then loads everything again.

A case NAME is three files.  NAME.yaml is a short-form model.  NAME.npz holds its weights in
float32, whose values are few and exact, so that Keras saw the very same numbers in float64.
NAME.io.npz holds members `callN.in.INPUT` and `callN.out.OUTPUT`: the calls run in order on
one model, so a stateful layer carries its state from call N to call N+1.

Each case is computed a second time by reference.py, in numpy and without Keras; both must
agree to 1e-12.  A case marked `by_rule` is one where Keras deviates from its own rule; its
numbers come from reference.py, after checking that Keras does differ and, where the case
has a `twin` in which Keras keeps the rule, that the twin agrees.  A case marked
`narrow_constant` is one where TensorFlow keeps a constant in float32 (LeakyReLU's slope,
the root of two in gelu); there both must agree to 1e-7 and the exact constant is used.
"""
import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np

import cases_activations
import cases_encodings
import cases_gru
import cases_layers
import cases_masks
import cases_state
import cases_wrappers
import emit
import with_keras
from case import Store
from reference import Reference

MODULES = (cases_gru, cases_masks, cases_state, cases_wrappers, cases_layers,
           cases_activations, cases_encodings)
LIMIT = 1e-12


def distance(a, b):
    """Largest difference relative to max(1, |b|); infinite where the specials disagree."""
    if a.shape != b.shape:
        return np.inf
    special = ~np.isfinite(b)
    if not np.array_equal(a[special], b[special], equal_nan=True):
        return np.inf
    a, b = a[~special], b[~special]
    return float(np.max(np.abs(a - b) / np.maximum(1, np.abs(b)), initial=0.0))


def worst(left, right):
    return max(distance(a[k], b[k]) for a, b in zip(left, right) for k in b)


def check_published(case, results):
    """Published tables give one number for all units of a step, or one for each."""
    output = results[-1][case.output_names()[0]]
    flat, count = output.reshape(-1), len(case.published)
    stride = output.shape[-1] if count * output.shape[-1] <= flat.size else 1
    found = flat[::stride][:count]
    if not np.allclose(found, case.published, rtol=0, atol=1.5e-6):
        raise AssertionError(f"published {case.published}, found {found}")


def compute(case):
    """The expected outputs of every call, with the weights used."""
    store = Store(case)
    reference = Reference(case, store)
    by_reference = [reference.call(arrays) for arrays in case.calls]
    by_keras = with_keras.run(case, store)
    error = worst(by_keras, by_reference)
    if case.narrow_constant and LIMIT < error < 1e-7:
        return store, by_reference, error
    if not case.by_rule:
        if error > LIMIT:
            raise AssertionError(f"reference and Keras differ by {error:g}")
        return store, by_keras, error
    if error < 1e-6:
        raise AssertionError("Keras keeps the rule here: no need for by_rule")
    if case.twin:
        original, case.layers = case.layers, case.twin
        error = worst(with_keras.run(case, store), by_reference)
        case.layers = original
        if error > LIMIT:
            raise AssertionError(f"the twin differs by {error:g}")
    return store, by_reference, error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    np.seterr(over="ignore", invalid="ignore")
    names, failures = set(), 0
    for case in (c for m in MODULES for k in with_keras.LINEAGES for c in m.cases(k)):
        if options.only not in case.name:
            continue
        assert case.name not in names, f"two cases are named {case.name}"
        names.add(case.name)
        try:
            store, results, error = compute(case)
        except Exception as problem:  # report every failing case, then fail
            text = str(problem)
            print(f"FAILED {case.name}: {type(problem).__name__}: {text[:600]}", flush=True)
            failures += 1
            continue
        if case.published:
            check_published(case, results)
        emit.write(options.out, case, store, results)
        print(f"{case.name} {error:.1e}", flush=True)
    print(f"{len(names) - failures} written, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

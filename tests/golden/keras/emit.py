# SPDX-License-Identifier: MIT
"""Writes one case: NAME.yaml, NAME.npz (weights) and NAME.io.npz (calls)."""
import os
import textwrap

import numpy as np


def flow(value):
    if value is None:
        return "~"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return str(value)


def yaml_text(case):
    lines = [f"# {line}" for line in textwrap.wrap(case.note, 96)]
    if case.model:
        lines.append(f"model: {case.model}")
    lines.append(f"keras: {case.keras}")
    if case.batch is not None:
        lines.append(f"batch: {case.batch}")
    lines.append("inputs:")
    for name, (shape, dtype) in case.inputs.items():
        plain = dtype == "float32"
        lines.append(f"  {name}: "
                     + flow(list(shape) if plain else {"shape": list(shape), "dtype": dtype}))
    lines.append("layers:")
    lines += [f"  - {kind}: {flow(args)}" for kind, args in case.layers]
    if case.outputs:
        lines.append(f"outputs: {flow(case.outputs)}")
    lines.append(f"weights: {case.name}.npz")
    return "\n".join(lines) + "\n"


def write(folder, case, store, results):
    base = os.path.join(folder, case.name)
    with open(base + ".yaml", "w", encoding="utf-8") as stream:
        stream.write(yaml_text(case))
    np.savez_compressed(base + ".npz", **store.given)
    members = {}
    for index, (arrays, outputs) in enumerate(zip(case.calls, results)):
        members.update({f"call{index}.in.{k}": v for k, v in arrays.items()})
        members.update({f"call{index}.out.{k}": v for k, v in outputs.items()})
    np.savez_compressed(base + ".io.npz", **members)

# SPDX-License-Identifier: MIT
"""Case G: what comes before the first step, and what is deployed."""

import json
import pathlib
import sys
import tempfile

from cases import Check, peers_for
from measure import Subject
from model import Model, Problem
from peers.table import run_program
import report

UNITS = (64, 128)
LARGE_UNITS = 2048  # 100 MB of weights
REPEATS = 5


def write_model(folder, units, steps="~"):
    """The description of a model with its weights in a file."""
    place = pathlib.Path(folder) / f"{units}_{steps}"
    place.mkdir()
    Model(units).write_gruc(place, False, steps)
    return place / "model.yaml"


def compile_ms(context, model, repeats=REPEATS):
    """The least of some, for the machine may be busy."""
    return min(json.loads(run_program(
        [context.gruc.program, "bench", model, "--batch=1", "--steps=2", "--threads=1",
         "--seconds=0.001", "--json"]))["compile_ms"] for _ in range(repeats))


# A new process counts what its parent had as its own, so the parent is a small one.
PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def peak_bytes(context, model):
    """The most memory that compiling and running needed."""
    return 1024 * int(run_program([sys.executable, "-S", "-c", PEAK, context.gruc.program, "bench",
                                   model, "--steps=2", "--seconds=0.001", "--json"]))


def measure_compiling(context, folder):
    """Lines of name, value, unit and checks."""
    for units in UNITS:
        model = write_model(folder, units)
        value = compile_ms(context, model)
        yield (f"JIT H={units}", value, "ms",
               [Check(9, "", value, 40)] if units == 128 else [])
        program = pathlib.Path(folder) / f"h{units}"
        run_program([context.gruc.program, "compile", model, "--emit=exe", "-o", program])
        yield f"program H={units}", program.stat().st_size / 1e6, "MB", []
    few, many = (compile_ms(context, write_model(folder, UNITS[1], steps))
                 for steps in (10, 10000))
    yield "JIT T=10000 to T=10", many / few, "times", [Check(9, "", many / few, 1.1)]
    model = write_model(folder, LARGE_UNITS)
    weights = 4 * 3 * LARGE_UNITS * (2 * LARGE_UNITS + 2)
    value = compile_ms(context, model, repeats=2)
    yield f"JIT of {weights / 1e6:.0f} MB", value, "ms", [Check(9, "", value, 1000)]
    peak = peak_bytes(context, model) / weights
    yield "peak memory to weights", peak, "times", [Check(9, "", peak, 2.2)]


def measure_loading(context, bench):
    """From the file to the first output, and resident memory, at 64 units."""
    problem = Problem(Model(UNITS[0]), 1, 2)
    found, reasons = bench.measure([Subject("gruc", context.gruc, problem),
                                    *peers_for(context, problem)])
    for name, result in found.items():
        yield f"load H={UNITS[0]}, {name}", result.open_ms, "ms", []
        yield f"resident H={UNITS[0]}, {name}", result.resident_kib / 1024, "MiB", []
    for name, reason in reasons.items():
        print(f"    {name}: {reason}")


def run(context, bench):
    """Results for the JSON file; prints a line each."""
    print("\nG: cold costs; load: from the file to the first output of two steps, without the"
          " start of the process")
    results = []
    with tempfile.TemporaryDirectory(prefix="gruc-bench-") as folder:
        for lines in (measure_compiling(context, folder), measure_loading(context, bench)):
            for label, value, unit, checks in lines:
                print(f"{label:32}{report.format_number(value):>10} {unit:6}"
                      + ", ".join(map(report.format_check, checks)), flush=True)
                results.append({"case": "G", "row": label, "unit": unit, "values": {label: value},
                                "checks": [{"goal": check.goal, "name": check.name,
                                            "value": check.value, "limit": check.limit,
                                            "at_least": check.at_least, "met": check.met}
                                           for check in checks]})
    return results

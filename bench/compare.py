# SPDX-License-Identifier: MIT
"""Times gruc against ONNX Runtime; see README.md. Exit status 1 when their numbers differ."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

import report
from models import Gru

TOLERANCE = 1e-5
SEED = 1
MASKS = ("all", "half", "random")


def positive(text):
    number = int(text)
    if number <= 0:
        raise ValueError(text)
    return number


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--gruc", required=True, type=pathlib.Path, help="the program gruc")
    parser.add_argument("--bench", required=True, type=pathlib.Path, help="the program gruc_bench")
    parser.add_argument("--units", default="8,16,32,64,128,256,512", help="sizes, comma separated")
    parser.add_argument("--reset-after", choices=("true", "false", "both"), default="both")
    parser.add_argument("--steps", type=positive, default=200, help="steps of a call")
    parser.add_argument("--rounds", type=positive, default=7, help="rounds of each process")
    parser.add_argument("--processes", type=positive, default=3,
                        help="times that each case starts anew, since memory lies elsewhere then")
    parser.add_argument("--milliseconds", type=float, default=20, help="length of a sample")
    parser.add_argument("--clock", choices=("wall", "thread"), default="wall",
                        help="thread: processor time, for a machine that does other things too")
    parser.add_argument("--quick", action="store_true", help="one process, 5 rounds of 5 ms")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all samples")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.processes, arguments.rounds, arguments.milliseconds = 1, 5, 5
    return arguments


def find_ort_library():
    folder = pathlib.Path(onnxruntime.__file__).parent / "capi"
    libraries = sorted(folder.glob("libonnxruntime.so.*"))
    if not libraries:
        sys.exit(f"no libonnxruntime.so in {folder}")
    return libraries[0]


def run_program(command):
    """Its standard output; what it says ends this program when it fails."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        sys.exit(f"{command[0]}: exit status {result.returncode}\n{result.stderr}")
    return result.stdout


def make_masks(steps):
    rng = np.random.default_rng(SEED)
    half = np.arange(steps) < steps // 2
    return {"all": np.ones(steps, bool), "half": half, "random": rng.permutation(half)}


class Case:
    """One size and form: its files in a folder, its programs' words, its checks."""

    def __init__(self, arguments, folder, units, reset_after):
        self.arguments, self.folder, self.units = arguments, folder, units
        self.gru = Gru(units, units, reset_after, SEED)
        self.x = np.random.default_rng(SEED + 1).standard_normal(
            (arguments.steps, units)).astype(np.float32)
        self.masks = make_masks(arguments.steps)
        self._write_files()

    def _write_files(self):
        self.gru.write_weights(self.folder / "weights.npz")
        self.gru.write_onnx(self.folder / "model.onnx")
        self.x.tofile(self.folder / "x.f32")
        for name, mask in self.masks.items():
            mask.astype(np.uint8).tofile(self.folder / f"{name}.mask")
        for name, masked in (("plain", False), ("masked", True)):
            model = self.folder / f"{name}.yaml"
            self.gru.write_yaml(model, "weights.npz", masked)
            run_program([self.arguments.gruc, "compile", model, "--emit=shared",
                         "-o", self.folder / f"{name}.so"])

    def run(self, rounds):
        """Times each subject; gives the lines of the program."""
        arguments, folder = self.arguments, self.folder
        subjects = ["ort", "ort", find_ort_library(), folder / "model.onnx",
                    "gruc", "gruc", folder / "plain.so", "-"]
        for name in MASKS:
            subjects += ["gruc", name, folder / "masked.so", folder / f"{name}.mask"]
        return run_program([arguments.bench, arguments.steps, self.units, self.units, rounds,
                            arguments.milliseconds, arguments.clock, folder / "x.f32", folder,
                            *subjects]).splitlines()

    def outputs(self, name):
        return np.fromfile(self.folder / f"{name}.f32", np.float32).reshape(-1, self.units)

    def check(self):
        """Largest difference of ORT and gruc, and largest error of gruc, from one call each."""
        self.run(0)
        unmasked = self.gru.reference(self.x)
        difference = np.abs(self.outputs("ort") - self.outputs("gruc")).max()
        errors = [np.abs(self.outputs("gruc") - unmasked).max(),
                  np.abs(self.outputs("ort") - unmasked).max()]
        masked = [np.abs(self.outputs(name) - self.gru.reference(self.x, self.masks[name])).max()
                  for name in MASKS]
        if not max(difference, *errors, *masked) <= TOLERANCE:
            sys.exit(f"H={self.units}, reset_after {self.gru.reset_after}: outputs differ:"
                     f" ORT and gruc by {difference:.1e}; from float64: gruc {errors[0]:.1e},"
                     f" ORT {errors[1]:.1e}, masks {', '.join(f'{e:.1e}' for e in masked)}")
        return float(difference), float(max(errors[0], *masked))

    def measure(self):
        difference, error = self.check()
        samples = {}
        for _ in range(self.arguments.processes):
            for line in self.run(self.arguments.rounds):
                _, name, value = line.split()
                samples.setdefault(name, []).append(float(value))
        ns = {name: statistics.median(values) for name, values in samples.items()}
        result = {"units": self.units, "reset_after": self.gru.reset_after, "ns": ns,
                  "ratio": ns["ort"] / ns["gruc"],
                  "masked_to_unmasked": {name: ns[name] / ns["gruc"] for name in MASKS},
                  "difference": difference, "error": error, "samples": samples}
        report.judge(result)
        return result


def find_versions(arguments):
    gruc = run_program([arguments.gruc, "--version"]).splitlines()[0]
    return {"gruc": gruc.removeprefix("gruc").strip(), "ONNX Runtime": onnxruntime.__version__,
            "onnx": onnx.__version__, "numpy": np.__version__}


def main():
    arguments = parse_arguments()
    forms = {"true": [True], "false": [False], "both": [True, False]}[arguments.reset_after]
    options = {name: getattr(arguments, name)
               for name in ("steps", "rounds", "processes", "milliseconds", "clock")}
    result = {"machine": report.describe_machine(), "versions": find_versions(arguments),
              "options": options, "cases": []}
    report.print_head(result)
    report.print_columns()
    for reset_after in forms:
        for units in map(int, arguments.units.split(",")):
            with tempfile.TemporaryDirectory(prefix="gruc-bench-") as folder:
                case = Case(arguments, pathlib.Path(folder), units, reset_after).measure()
            report.print_row(case)
            result["cases"].append(case)
    report.print_goals(result["cases"])
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

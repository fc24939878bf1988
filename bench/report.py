# SPDX-License-Identifier: MIT
"""What the comparison prints: the machine, a table, and which goals are met."""

import os
import pathlib
import platform

MASK_LIMIT = 1.1
CPU_FLAGS = ("sse2", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "amx_tile",
             "asimd", "sve")


def goal(units):
    """How many times as fast as ONNX Runtime gruc shall be."""
    return 1.5 if units <= 64 else 1.0


def describe_machine():
    """Model and vector extensions of the processor, as Linux tells them."""
    facts = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {"cpu": facts.get("model name", platform.machine()),
            "family": facts.get("cpu family", ""), "model": facts.get("model", ""),
            "flags": [flag for flag in CPU_FLAGS if flag in flags],
            "load": pathlib.Path("/proc/loadavg").read_text(encoding="utf-8").split()[0]}


def print_head(report):
    machine, versions = report["machine"], report["versions"]
    print(f"{machine['cpu']} (family {machine['family']}, model {machine['model']}),"
          f" {' '.join(machine['flags'])}, load {machine['load']}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    options = report["options"]
    if options["clock"] == "wall" and float(machine["load"]) > os.cpu_count() / 2:
        print("note: this machine does other things; --clock=thread counts processor time only")
    print(f"B=1, T={options['steps']}, I=H, one thread, float32, {options['clock']} time:"
          f" ns a step, medians of {options['processes'] * options['rounds']} rounds"
          f" ({options['processes']} processes) of {options['milliseconds']:g} ms a sample\n")


COLUMNS = (("reset_after", 11), ("H", 4), ("ORT", 9), ("gruc", 9), ("ORT/gruc", 8), ("goal", 4),
           ("mask all", 8), ("half", 6), ("random", 6), ("difference", 10), ("error", 8))


def print_columns():
    print("  ".join(name.rjust(width) for name, width in COLUMNS))


def print_row(case):
    masks = case["masked_to_unmasked"]
    cells = (str(case["reset_after"]).lower(), case["units"], f"{case['ns']['ort']:.1f}",
             f"{case['ns']['gruc']:.1f}", f"{case['ratio']:.2f}", f"{case['goal']:.1f}",
             f"{masks['all']:.2f}", f"{masks['half']:.2f}", f"{masks['random']:.2f}",
             f"{case['difference']:.1e}", f"{case['error']:.1e}")
    print("  ".join(str(cell).rjust(width) for cell, (_, width) in zip(cells, COLUMNS)),
          flush=True)


def judge(case):
    """Adds whether the goals are met."""
    case["goal"] = goal(case["units"])
    case["goal_met"] = case["ratio"] >= case["goal"]
    case["masks_met"] = max(case["masked_to_unmasked"].values()) <= MASK_LIMIT


def print_goals(cases):
    print("\nmask all, half, random: time under a mask of all steps, the first half, a random"
          " half, to gruc unmasked")
    print("difference: largest between ORT and gruc; error: largest of gruc, masks included,"
          " against float64\n")
    for case in cases:
        worst = max(case["masked_to_unmasked"].values())
        print(f"reset_after {str(case['reset_after']).lower():5}  H={case['units']:<4}"
              f" {'met   ' if case['goal_met'] else 'MISSED'}"
              f" {case['ratio']:.2f} times ONNX Runtime, goal {case['goal']:.1f};"
              f"  masks {'met   ' if case['masks_met'] else 'MISSED'}"
              f" at most {worst:.2f}, limit {MASK_LIMIT}")
    met = sum(case["goal_met"] for case in cases)
    masks = sum(case["masks_met"] for case in cases)
    print(f"\n{met} of {len(cases)} speed goals and {masks} of {len(cases)} mask limits met")

# SPDX-License-Identifier: MIT
"""What the comparison prints: the machine, a table a case, and which goals are met."""

import os
import pathlib
import platform

CPU_FLAGS = ("sse2", "avx", "avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "avx512_bf16",
             "amx_tile", "asimd", "sve")
LABEL_WIDTH, VALUE_WIDTH = 24, 11


def describe_machine():
    """Model and vector extensions of the processor, as Linux tells them."""
    facts = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {"cpu": facts.get("model name", platform.machine()),
            "family": facts.get("cpu family", ""), "model": facts.get("model", ""),
            "cpus": os.cpu_count(), "flags": [flag for flag in CPU_FLAGS if flag in flags],
            "load": float(pathlib.Path("/proc/loadavg").read_text(encoding="utf-8").split()[0])}


def print_head(machine, versions, options):
    print(f"{machine['cpu']} (family {machine['family']}, model {machine['model']}),"
          f" {machine['cpus']} processors, {' '.join(machine['flags'])}, load {machine['load']}")
    for name, version in versions.items():
        print(f"  {name:10} {version}")
    if machine["load"] > machine["cpus"] / 4:
        print("note: this machine does other things, which disturbs the times")
    print(f"{options['figure']} of {options['processes'] * options['rounds']} rounds and more"
          f" ({options['processes']} processes) of {options['milliseconds']:g} ms a sample,"
          f" {options['clock']} time, float32")


def format_number(value):
    if value != 0 and abs(value) < 0.01:
        return f"{value:.1e}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Table:
    """Of one case; its columns are known with its first row."""

    def __init__(self, case):
        self.case, self.names, self.reasons = case, None, set()

    def print_row(self, row, values, errors, checks):
        names = [subject.name for subject in row.subjects]
        if names != self.names:
            if self.names is None:
                print(f"\n{self.case.letter}: {self.case.title}; {self.case.unit}")
            self.names = names
            head = "".join(name.rjust(VALUE_WIDTH) for name in ["floor", *names, "error"])
            print(f"{'':{LABEL_WIDTH}}{head}  goals")
        cells = ["-" if row.floor is None else format_number(row.floor)]
        cells += [format_number(values[name]) if name in values else "-" for name in names]
        cells.append(f"{errors['gruc']:.1e}")
        print(f"{row.label:{LABEL_WIDTH}}" + "".join(cell.rjust(VALUE_WIDTH) for cell in cells)
              + "  " + ", ".join(map(format_check, checks)), flush=True)

    def print_reasons(self, reasons):
        """Why cells are empty, each reason once."""
        for name, reason in reasons.items():
            if (name, reason) not in self.reasons:
                self.reasons.add((name, reason))
                print(f"    {name}: {reason}", flush=True)


def format_check(check):
    text = f"{check.name} {format_number(check.value)}".strip()
    if check.goal == 0:
        return text
    sign = ">=" if check.at_least else "<="
    return f"{text} {sign} {check.limit:.3g} {'met' if check.met else 'MISSED'}"


def print_goals(results):
    """How many checks of each goal are met."""
    counts = {}
    for result in results:
        for check in result["checks"]:
            if check["goal"]:
                met, total = counts.get(check["goal"], (0, 0))
                counts[check["goal"]] = met + check["met"], total + 1
    print("\ngoals met: " + ", ".join(f"line {goal}: {met} of {total}" for goal, (met, total)
                                      in sorted(counts.items())))

# SPDX-License-Identifier: MIT
"""The floor of a problem: the time that this core needs to read the weights and to multiply,
measured by driver/roofline.c in the same run. No latency, no activations in it."""

import statistics
from pathlib import Path

from peers.table import compile_program, run_program

SOURCES = Path(__file__).parent.parent

FLOAT_BYTES = 4


class Roofline:
    """The best that was ever seen in this run, and the medians, which tell how much of it the
    programs had: another machine's work on the other thread of a core takes half away."""

    def __init__(self, tools):
        self.program = compile_program(tools, "roofline", ["roofline.c", "../driver/roofline.c"],
                                       ["-I", SOURCES, "-O3", "-ffp-contract=fast"])
        self.gigaflops = 0
        self.levels = {}  # name: (bytes, gigabytes a second)
        self.samples = {}  # name: all figures
        self.measure()

    def measure(self):
        for line in run_program([self.program]).splitlines():
            name, *numbers = line.split()
            self.samples.setdefault(name, []).append(float(numbers[-1]))
            if name == "fma":
                self.gigaflops = max(self.gigaflops, float(numbers[0]))
            else:
                seen = self.levels.get(name, (0, 0))[1]
                self.levels[name] = int(numbers[0]), max(seen, float(numbers[1]))

    def _read(self, size):
        """Nanoseconds to read so many bytes from the first level that holds them."""
        for level_bytes, bandwidth in self.levels.values():
            if size <= level_bytes or level_bytes == 0:
                return size / bandwidth
        raise ValueError(size)

    def _multiply(self, count):
        """Nanoseconds of so many multiply-adds."""
        return 2 * count / self.gigaflops

    def sequence(self, width, units):
        return self._read(3 * units * units * FLOAT_BYTES) + self._multiply(3 * width * units)

    def streaming(self, width, units):
        return self._read(3 * units * (width + units) * FLOAT_BYTES)

    def batch(self, width, units, rows):
        return self._multiply(3 * units * (width + units) * rows)

    def medians(self):
        return {name: statistics.median(figures) for name, figures in self.samples.items()}

    def describe_medians(self):
        fma, *reads = self.medians().items()
        return (f"in the median of {len(self.samples['fma'])} moments: FMA {fma[1]:.0f} GF/s; read,"
                f" GB/s: " + ", ".join(f"{name} {figure:.0f}" for name, figure in reads))

    def describe(self):
        reads = ", ".join(f"{name} {bandwidth:.0f}" for name, (_, bandwidth)
                          in self.levels.items())
        return f"floor of this core: FMA {self.gigaflops:.0f} GF/s; read, GB/s: {reads}"

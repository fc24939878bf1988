# SPDX-License-Identifier: MIT
"""What two processors of this machine are together, sampled in the rounds of rows with two threads
(cores.c)."""

import pathlib
import statistics

from measure import Worker
from peers.table import Missing, compile_program

SOURCES = pathlib.Path(__file__).parent.parent


class Cores:
    def __init__(self, tools):
        program = compile_program(tools, "cores", ["cores.c", "../driver/roofline.c"],
                                  ["-I", SOURCES, "-O3", "-ffp-contract=fast", "-lpthread"])
        self.worker = Worker([program], 2)
        self.samples = []  # times as much as one, nanoseconds of an exchange

    def sample(self):
        try:
            self.samples.append(tuple(map(float, self.worker.ask("sample"))))
        except Missing:
            pass  # a machine with one processor

    def take(self):
        """Medians of the samples since the last time, None without any."""
        taken, self.samples = self.samples, []
        if not taken:
            return None
        cores, exchange = map(statistics.median, zip(*taken))
        return {"cores": cores, "exchange_ns": exchange,
                "one_core_share": sum(sample[0] < 1.5 for sample in taken) / len(taken)}

    def close(self):
        self.worker.stop()

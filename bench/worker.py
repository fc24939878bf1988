# SPDX-License-Identifier: MIT
"""The worker of worker.c for peers that have no C API: worker.py FILE, a module with open_subject,
which takes the words of "open" and gives an object with call() and output()."""

import importlib.util
import os
import pathlib
import sys
import time
import traceback

import numpy as np

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def load_peer(path):
    spec = importlib.util.spec_from_file_location("peer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def resident_kibibytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") // 1024


class Words(dict):
    """Numbers and arrays by their names."""

    def number(self, name):
        return int(self[name])

    def array(self, name, shape, dtype=np.float32):
        return np.fromfile(self[name], dtype).reshape(shape)

    def input(self):
        """(steps, batch, width)."""
        return self.array("input", [self.number(name) for name in ("steps", "batch", "width")])

    def weights(self):
        """kernel, recurrent_kernel, bias."""
        width, units = self.number("width"), self.number("units")
        bias = (2, 3 * units) if self.number("reset_after") else (3 * units,)
        return (self.array("kernel", (width, 3 * units)),
                self.array("recurrent_kernel", (units, 3 * units)), self.array("bias", bias))


class Worker:
    """Obeys one line at a time."""

    def __init__(self, peer):
        self.peer, self.subject, self.calls = peer, None, 0

    def open(self, *pairs):
        words = Words(pair.split("=", 1) for pair in pairs)
        self.subject, self.calls = None, 0
        begin = time.perf_counter()
        self.subject = self.peer.open_subject(words)
        self.subject.call()
        milliseconds = 1e3 * (time.perf_counter() - begin)
        np.ascontiguousarray(self.subject.output(), np.float32).tofile(words["output"])
        return f"ok {milliseconds:.3f} {resident_kibibytes()}"

    def _time_calls(self, calls, clock):
        call = self.subject.call
        begin = clock()
        for _ in range(calls):
            call()
        return clock() - begin

    def _choose_calls(self, wanted):
        calls = 1
        seconds = self._time_calls(calls, time.perf_counter)
        while seconds < wanted / 4:
            calls *= 2
            seconds = self._time_calls(calls, time.perf_counter)
        return max(1, int(calls * wanted / seconds))

    def sample(self, milliseconds, clock):
        if not self.calls:
            self.calls = self._choose_calls(float(milliseconds) / 1e3)
        if self.calls > 1:
            self.subject.call()
        seconds = self._time_calls(self.calls, CLOCKS[clock])
        return f"ns {1e9 * seconds / self.calls:.3f}"

    def close(self):
        self.subject = None
        return "ok"


def main():
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker(load_peer(sys.argv[1]))
    commands = {"open": worker.open, "sample": worker.sample, "close": worker.close}
    for line in sys.stdin:
        name, *words = line.rstrip("\n").split("\t")
        try:
            answer = commands[name](*words)
        except Exception:  # whatever a peer throws is its reason
            traceback.print_exc()
            sys.stderr.flush()
            answer = "error"
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()

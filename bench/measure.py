# SPDX-License-Identifier: MIT
"""Worker processes, and rounds over them."""

import contextlib
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

from model import Problem
from peers.table import Missing, Peer

TOLERANCE = 1e-5
FIGURES = {"median": statistics.median, "least": min}
LONG_CALL = 0.1  # seconds: fewer rounds of what takes so long
FULL_ROW = 8     # subjects; rows of half as many have twice the rounds


class WrongOutput(Exception):
    """Outputs differ from the reference by more than the tolerance."""


@dataclasses.dataclass
class Subject:
    """One column of a row: a peer on a problem. Problems with masks or another structure stand
    beside plain ones."""
    name: str
    peer: Peer
    problem: Problem
    threads: int = 1
    weights_type: str = "f32"


@dataclasses.dataclass
class Result:
    """Of one subject."""
    ns: float               # of a call, median or least
    samples: list
    error: float            # largest difference from float64
    open_ms: float          # opening and first call
    resident_kib: int


class Worker:
    """A process that obeys worker.c's commands."""

    def __init__(self, command, threads):
        # BLAS and OpenMP read their number of threads at the start; XLA its flags.
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), CUDA_VISIBLE_DEVICES="",
                           PYTHONDONTWRITEBYTECODE="1", JAX_PLATFORMS="cpu",
                           TF_CPP_MIN_LOG_LEVEL="3")
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env=environment)

    def ask(self, *words):
        """The words of the answer; Missing with the reason."""
        try:
            self.process.stdin.write("\t".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().split()
        except BrokenPipeError:
            answer = []
        if not answer or answer[0] == "error":
            self.errors.seek(0)
            lines = [line.strip() for line in self.errors if line.strip()]
            raise Missing(lines[-1] if lines else f"{words[0]}: no answer")
        return answer[1:]

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Bench:
    """Takes the samples of one row after the other."""

    def __init__(self, options):
        self.options = options
        self.lasting = {}  # workers of peers that do not restart

    def _start(self, subject):
        key = (subject.peer.name, subject.weights_type, subject.threads)
        if subject.peer.restarts:
            return Worker(subject.peer.command, subject.threads)
        worker = self.lasting.get(key)
        if worker is None or worker.process.poll() is not None:
            worker = self.lasting[key] = Worker(subject.peer.command, subject.threads)
        return worker

    def close(self):
        for worker in self.lasting.values():
            worker.stop()
        self.lasting.clear()

    def _forget(self, subject, worker):
        if subject.peer.restarts:
            worker.stop()
            return
        with contextlib.suppress(Missing):
            worker.ask("close")

    def measure(self, subjects, figure=None, cores=None):
        """Results by name, reasons by name for peers that cannot; each problem is written once.
        Each round begins with a sample of cores, if there are any."""
        with tempfile.TemporaryDirectory(prefix="gruc-bench-") as folder:
            folders = {}
            for subject in subjects:
                if id(subject.problem) not in folders:
                    place = pathlib.Path(folder) / str(len(folders))
                    subject.problem.write(place)
                    folders[id(subject.problem)] = place
            found, reasons = self._measure_in(subjects, folders, cores)
        for result in found.values():
            result.ns = FIGURES[figure or self.options.figure](result.samples)
        return found, reasons

    def _measure_in(self, subjects, folders, cores):
        found, reasons = {}, {}
        for _ in range(self.options.processes):
            with contextlib.ExitStack() as stack:
                workers = {}
                for subject in subjects:
                    if subject.name in reasons:
                        continue
                    try:
                        workers[subject.name] = self._open(
                            subject, folders[id(subject.problem)], found, stack)
                    except Missing as missing:
                        reasons[subject.name] = str(missing)
                # The processor time of two threads is not what anyone waits for.
                alone = all(subject.threads == 1 for subject in subjects)
                self._take_rounds(workers, found, reasons,
                                  self.options.clock if alone else "wall", cores)
        for name in reasons:
            found.pop(name, None)
        return found, reasons

    def _open(self, subject, folder, found, stack):
        words = subject.peer.words(subject.problem, folder, subject.threads, subject.weights_type)
        output = folder / "output.f32"
        words["output"] = output
        worker = self._start(subject)
        stack.callback(self._forget, subject, worker)
        milliseconds, kibibytes = worker.ask("open", *(f"{key}={value}"
                                                       for key, value in words.items()))
        error = check_output(subject, np.fromfile(output, np.float32))
        result = found.setdefault(subject.name, Result(0, [], error, float(milliseconds),
                                                       int(kibibytes)))
        result.open_ms = min(result.open_ms, float(milliseconds))
        return worker

    def _take_rounds(self, workers, found, reasons, clock, cores):
        names = list(workers)
        for round_ in range(self.options.rounds * max(1, FULL_ROW // len(names))):
            if cores is not None:
                cores.sample()
            for index in range(len(names)):
                name = names[(round_ + index) % len(names)]
                samples = found[name].samples
                if name in reasons or (round_ >= self.options.long_rounds and
                                       samples[-1] > LONG_CALL * 1e9):
                    continue
                try:
                    answer = workers[name].ask("sample", self.options.milliseconds, clock)
                    samples.append(float(answer[0]))
                except Missing as missing:
                    reasons[name] = str(missing)


def check_output(subject, output):
    """Largest difference from float64, on the steps that count (peers differ on the others)."""
    problem = subject.problem
    shape = (problem.batch, problem.steps, problem.model.outputs)
    if subject.peer.by_rows:
        output = output.reshape(shape)
    else:
        output = output.reshape(shape[1], shape[0], shape[2]).transpose(1, 0, 2)
    difference = np.abs(output - problem.reference())
    if problem.mask is not None and not subject.peer.by_rows:
        difference = difference[problem.mask]
    error = float(difference.max())
    if subject.weights_type == "f32" and not error <= TOLERANCE:
        raise WrongOutput(f"{subject.name}: outputs differ from float64 by {error:.1e},"
                          f" the limit is {TOLERANCE:.0e}")
    return error


@contextlib.contextmanager
def busy_processes(count):
    """So many processes that do nothing but take time."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                 for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()

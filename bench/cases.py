# SPDX-License-Identifier: MIT
"""What is measured, one function a case, and the goals. A row of CASES is a letter, what it is, its
unit and its function, which yields rows."""

import dataclasses
import typing

import numpy as np

from measure import Subject
from model import Model, Problem

STEPS = 200
BATCH, BATCH_STEPS = 32, 50
STREAM_STEPS = 64
SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)

# Columns that are gruc's.
OURS = ("gruc", "own A", "unmasked", "one", "2 threads", "bf16", "f16", "int8")

# How many times as fast as the best peer gruc shall be, by units.
SEQUENCE_GOALS = {8: 1.3, 16: 1.4, 32: 1.4, 64: 1.55, 128: 1.4, 256: 1.3, 512: 1.15, 1024: 1.1}
BATCH_GOALS = {8: 3.5, 16: 2.5, 32: 1.9, 64: 1.5, 128: 1.3, 256: 1.2, 512: 1.12, 1024: 1.05}


@dataclasses.dataclass
class Check:
    """A goal: the value shall be at least, or at most, the limit."""
    goal: int        # its number in README.md, 0: only told
    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self):
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclasses.dataclass
class Row:
    label: str
    subjects: list
    scale: float                      # nanoseconds of a call to the unit of the case
    judge: typing.Callable            # of the values by name and the errors by name: checks
    floor: float = None               # in the case's unit
    busy: int = 0                     # processes that compete


@dataclasses.dataclass
class Context:
    """What the cases need to know."""
    gruc: object
    peers: list
    roofline: object
    options: object


def peers_for(context, problem, weights_type="f32"):
    """Subjects of the peers that can do it."""
    return [Subject(peer.name, peer, problem, weights_type=weights_type)
            for peer in context.peers
            if problem.needs <= peer.can and weights_type in peer.weights_types]


def best_peer(values):
    """The least time of the peers, None without any."""
    times = [value for name, value in values.items() if name not in OURS]
    return min(times, default=None)


def check_best(goal, values, limit):
    best = best_peer(values)
    return [] if best is None else [Check(goal, "best/gruc", best / values["gruc"], limit, True)]


def check_floor(goal, value, floor, limit):
    return [Check(goal, "gruc/floor", value / floor, limit)]


def sizes(context):
    return [units for units in SIZES if units in context.options.units]


# ---- A, B, C, F ----
def sequence(context):
    for units in sizes(context):
        problem = Problem(Model(units), 1, STEPS)
        floor = context.roofline.sequence(units, units)

        def judge(values, _, units=units, floor=floor):
            checks = check_best(1, values, SEQUENCE_GOALS[units])
            return checks + (check_floor(1, values["gruc"], floor, 1.10) if units >= 64 else [])
        yield Row(f"H={units}", [Subject("gruc", context.gruc, problem),
                                 *peers_for(context, problem)], 1 / STEPS, judge, floor)


def batch(context):
    for units in sizes(context):
        problem = Problem(Model(units), BATCH, BATCH_STEPS)

        def judge(values, _, units=units):
            return check_best(3, values, BATCH_GOALS[units])
        yield Row(f"H={units}", [Subject("gruc", context.gruc, problem),
                                 *peers_for(context, problem)], 1e-3 / BATCH_STEPS, judge,
                  context.roofline.batch(units, units, BATCH) / 1e3)


def streaming(context):
    for units in sizes(context):
        problem = Problem(Model(units), 1, STREAM_STEPS, streaming=True)
        floor = context.roofline.streaming(units, units)

        def judge(values, _, units=units, floor=floor):
            checks = check_best(2, values, 1.2 if units <= 16 else 1.1)
            return checks + (check_floor(2, values["gruc"], floor, 1.12) if units >= 64 else [])
        yield Row(f"H={units}", [Subject("gruc", context.gruc, problem),
                                 *peers_for(context, problem)], 1 / STREAM_STEPS, judge, floor)


def reset_before(context):
    for units in sizes(context):
        problem = Problem(Model(units, reset_after=False), 1, STEPS)
        after = Problem(Model(units), 1, STEPS)

        def judge(values, _, units=units):
            checks = [Check(4, "gruc/own A", values["gruc"] / values["own A"],
                            1.15 if units >= 128 else 1.8)]
            if units <= 32 and "ORT" in values:
                checks.append(Check(4, "ORT/gruc", values["ORT"] / values["gruc"], 2, True))
            else:
                checks += check_best(4, values, 1.3 if units <= 128 else 1.1)
            return checks
        yield Row(f"H={units}", [Subject("gruc", context.gruc, problem),
                                 Subject("own A", context.gruc, after),
                                 *peers_for(context, problem)], 1 / STEPS, judge,
                  context.roofline.sequence(units, units))


# ---- D ----
def padded_mask(batch, steps, fraction):
    """Rows of all lengths whose sum is that fraction of all steps."""
    rng = np.random.default_rng(3)
    lengths = rng.permutation(np.linspace(1, 2 * fraction * steps - 1, batch).round().astype(int))
    return np.arange(steps) < np.minimum(lengths, steps)[:, None]


def masks(context):
    units = 128
    model = Model(units)
    rng = np.random.default_rng(3)
    steps = np.arange(STEPS)
    kinds = (("B=32, 46% right-padded", padded_mask(BATCH, STEPS, 0.46)),
             ("B=1, half right-padded", steps[None] < STEPS // 2),
             ("B=1, half left-padded", steps[None] >= STEPS // 2),
             ("B=1, random half", rng.permutation(steps % 2 == 0)[None]))
    for label, mask in kinds:
        masked = Problem(model, len(mask), STEPS, mask)
        plain = Problem(model, len(mask), STEPS)
        valid = float(mask.mean())

        def judge(values, _, valid=valid):
            return [Check(5, "masked/unmasked", values["gruc"] / values["unmasked"], 1.1 * valid),
                    *check_best(0, values, 0)]
        yield Row(label, [Subject("gruc", context.gruc, masked),
                          Subject("unmasked", context.gruc, plain),
                          *peers_for(context, masked)], 1e-6, judge)


# ---- E ----
def narrow_limits(weights_type, units, batch):
    """The least speed against our own float32, None where none is asked."""
    if weights_type == "int8":
        if batch == 1:
            return 1.8 if units >= 64 else None
        return 1.5 if units >= 128 else None
    return 1.5 if units >= 256 and batch == 1 else None


def narrow(context):
    for batch, steps in ((1, STEPS), (BATCH, BATCH_STEPS)):
        for units in sizes(context):
            if units < 64:
                continue
            problem = Problem(Model(units), batch, steps)

            def judge(values, errors, units=units, batch=batch):
                checks = []
                for weights_type in ("bf16", "f16", "int8"):
                    limit = narrow_limits(weights_type, units, batch)
                    if weights_type in values and limit is not None:
                        checks.append(Check(8, f"f32/{weights_type}",
                                            values["gruc"] / values[weights_type], limit, True))
                checks += [Check(0, f"error {name}", error, 0) for name, error in errors.items()
                           if name != "gruc"]
                if "int8" in errors and "torch int8" in errors:
                    checks.append(Check(8, "error/torch's", errors["int8"] / errors["torch int8"],
                                        0.5))
                return checks
            ours = [Subject(weights_type, context.gruc, problem, weights_type=weights_type)
                    for weights_type in ("bf16", "f16", "int8")]
            theirs = [dataclasses.replace(subject, name=f"{subject.name} int8")
                      for subject in peers_for(context, problem, "int8")]
            yield Row(f"B={batch} H={units}",
                      [Subject("gruc", context.gruc, problem), *ours, *theirs],
                      1e-3 / steps, judge)


# ---- H, T ----
def structure(context):
    for units, limit in ((16, 1.3), (64, 1.9)):
        single = Problem(Model(units), 1, STEPS)
        both = Problem(Model(units, bidirectional=True), 1, STEPS)

        def judge(values, _, units=units, limit=limit):
            one = values["one"]
            checks = [Check(7, "directions/one", values["gruc"] / one, limit)]
            if units == 64:
                checks.append(Check(7, "2 threads/one", values["2 threads"] / one, 1.1))
            return checks + check_best(0, values, 0)
        yield Row(f"bidirectional H={units}",
                  [Subject("gruc", context.gruc, both),
                   Subject("2 threads", context.gruc, both, threads=2),
                   Subject("one", context.gruc, single), *peers_for(context, both)], 1e-3, judge)
    single, three = (Problem(Model(128, layers=count), 1, STEPS) for count in (1, 3))
    yield Row("3 layers H=128",
              [Subject("gruc", context.gruc, three),
               Subject("2 threads", context.gruc, three, threads=2),
               Subject("one", context.gruc, single), *peers_for(context, three)], 1e-3,
              lambda values, _: [Check(7, "2 threads/one", values["2 threads"] / values["one"],
                                       1.9), *check_best(0, values, 0)])


def threads(context):
    alone = {}
    for busy, which in enumerate(("", ", one core busy", ", both cores busy")):
        for units in sizes(context):
            if units < 64:
                continue
            problem = Problem(Model(units), 1, STEPS)

            def judge(values, _, units=units, busy=busy):
                if busy:
                    return [Check(6, "busy/alone", values["2 threads"] / alone[units], 3)]
                alone[units] = values["2 threads"]
                return [Check(6, "1/2 threads", values["gruc"] / values["2 threads"],
                              1.8 if units >= 128 else 1.5, True)]
            yield Row(f"H={units}{which}",
                      [Subject("gruc", context.gruc, problem),
                       Subject("2 threads", context.gruc, problem, threads=2)],
                      1 / STEPS, judge, busy=busy)


@dataclasses.dataclass
class Case:
    letter: str
    title: str
    unit: str
    rows: typing.Callable


CASES = (
    Case("A", f"sequence, B=1, T={STEPS}, I=H, 1 thread", "ns a step", sequence),
    Case("B", f"batch, B={BATCH}, T={BATCH_STEPS}, I=H, 1 thread", "us a step", batch),
    Case("C", "streaming, one step a call, the state carried", "ns a step", streaming),
    Case("D", f"masks, H=128, T={STEPS}; times under the mask", "ms a call", masks),
    Case("E", "narrow weights", "us a step", narrow),
    Case("F", f"reset_after false, B=1, T={STEPS}", "ns a step", reset_before),
    Case("H", f"structure, B=1, T={STEPS}", "us a sequence", structure),
    Case("T", f"threads, B=1, T={STEPS}", "ns a step", threads),
)

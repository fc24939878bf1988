# SPDX-License-Identifier: MIT
"""Times gruc against its peers; see README.md. Exit status 1 when outputs are wrong."""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import sys

import cold
from cases import CASES, SIZES, Check, Context
from cores import Cores
from measure import Bench, WrongOutput, busy_processes
from peers.table import PEERS, GrucPeer, Missing, Tools
import report
from roofline import Roofline


def positive(text):
    number = int(text)
    if number <= 0:
        raise ValueError(text)
    return number


def letters(text):
    wanted = text.upper().split(",")
    known = [case.letter for case in CASES] + ["G"]
    for letter in wanted:
        if letter not in known:
            raise argparse.ArgumentTypeError(f"no case '{letter}'; there are {','.join(known)}")
    return wanted


def sizes(text):
    wanted = [int(word) for word in text.split(",")]
    if not set(wanted) <= set(SIZES):
        raise argparse.ArgumentTypeError(f"out of {','.join(map(str, SIZES))}")
    return wanted


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="build folder of gruc")
    parser.add_argument("--case", type=letters, default=None, metavar="A,C",
                        help="only these cases")
    parser.add_argument("--units", type=sizes, default=list(SIZES), metavar="8,64",
                        help=f"only these sizes out of {','.join(map(str, SIZES))}")
    parser.add_argument("--rounds", type=positive, default=9, help="rounds of each process")
    parser.add_argument("--processes", type=positive, default=3,
                        help="times that each row starts anew, since memory lies elsewhere then")
    parser.add_argument("--milliseconds", type=float, default=10, help="length of a sample")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall",
                        help="cpu: processor time of the process, for a busy machine")
    parser.add_argument("--figure", choices=("median", "least"), default="median",
                        help="of all samples; least: for a busy machine, of calls under 1 ms")
    parser.add_argument("--quick", action="store_true", help="one process, short samples")
    parser.add_argument("--no-install", action="store_true", help="only peers that are there")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all samples")
    arguments = parser.parse_args()
    arguments.long_rounds = arguments.rounds
    if arguments.quick:
        arguments.processes, arguments.rounds, arguments.milliseconds = 1, 7, 3
        arguments.long_rounds = 2
    return arguments


def prepare_peers(tools):
    """Those that work; versions or reasons of all by name."""
    peers, versions = [], {}
    for peer in (row() for row in PEERS):
        try:
            peer.prepare(tools)
        except Missing as missing:
            versions[peer.name] = f"left out: {missing}"
            continue
        versions[peer.name] = peer.version
        peers.append(peer)
    return peers, versions


def cores_checks(taken):
    """What is told of two processors, Cores.take's."""
    if taken is None:
        return []
    checks = [Check(0, "cores", taken["cores"], 0),
              Check(0, "exchange ns", taken["exchange_ns"], 0)]
    if taken["one_core_share"] > 0:
        checks.append(Check(0, "as one core %", 100 * taken["one_core_share"], 0))
    return checks


def run_row(bench, cores, case, row, table):
    """The result of a row, for the JSON file; prints it."""
    # Beside busy processes a sample would tell of those.
    by_threads = not row.busy and any(subject.threads > 1 for subject in row.subjects)
    with busy_processes(row.busy) if row.busy else contextlib.nullcontext():
        # Beside busy processes the least sample is one that met none of them.
        found, reasons = bench.measure(row.subjects, "median" if row.busy else None,
                                       cores if by_threads else None)
    if "gruc" in reasons:
        raise Missing(f"{case.letter}, {row.label}: {reasons['gruc']}")
    values = {name: result.ns * row.scale for name, result in found.items()}
    errors = {name: result.error for name, result in found.items()}
    taken = cores.take()
    checks = row.judge(values, errors) + cores_checks(taken)
    table.print_row(row, values, errors, checks)
    table.print_reasons(reasons)
    return {"case": case.letter, "row": row.label, "unit": case.unit, "floor": row.floor,
            "values": values, "left_out": reasons, "cores": taken,
            "subjects": {name: dataclasses.asdict(result) for name, result in found.items()},
            "checks": [dict(dataclasses.asdict(check), met=bool(check.met)) for check in checks]}


def run_cases(context, bench, cores):
    results = []
    for case in CASES:
        if context.options.case and case.letter not in context.options.case:
            continue
        context.roofline.measure()
        table = report.Table(case)
        results += [run_row(bench, cores, case, row, table) for row in case.rows(context)]
    if not context.options.case or "G" in context.options.case:
        results += cold.run(context, bench)
    return results


def main():
    options = parse_arguments()
    tools = Tools(pathlib.Path(__file__).resolve().parent.parent, options.build.resolve(),
                  pathlib.Path(sys.prefix), not options.no_install)
    gruc = GrucPeer()
    try:
        gruc.prepare(tools)
        roofline = Roofline(tools)
        cores = Cores(tools)
    except Missing as missing:
        sys.exit(f"bench: {missing}")
    peers, versions = prepare_peers(tools)
    versions = {"gruc": gruc.version, **versions}
    machine = report.describe_machine()
    settings = {name: getattr(options, name)
                for name in ("rounds", "processes", "milliseconds", "clock", "figure")}
    report.print_head(machine, versions, settings)
    print(roofline.describe(), flush=True)
    bench = Bench(options)
    try:
        results = run_cases(Context(gruc, peers, roofline, options), bench, cores)
    except (Missing, WrongOutput) as failure:
        sys.exit(f"bench: {failure}")
    finally:
        bench.close()
        cores.close()
    report.print_goals(results)
    print(roofline.describe_medians())
    if options.json:
        options.json.write_text(json.dumps(
            {"machine": machine, "versions": versions, "options": settings,
             "floor": {"gigaflops": roofline.gigaflops, "levels": roofline.levels,
                       "medians": roofline.medians()},
             "rows": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""CPU milliseconds per megapixel of every stage of one develop, on one thread.

    HL_NUM_THREADS=1 stages.py RAW [--rounds 5] [--json]

Stages before the finishing group are timed one by one. The finishing stages run fused in one kernel: each one's cost is the
difference the kernel shows when that stage's arguments are replaced by its off values; what is left is the group's own base.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("HL_NUM_THREADS", "1")

from apochromat import chain
from apochromat.light.development import Development
from apochromat.native.pages import keep_pages
from apochromat.raw import read


def time_once(frame, recipe=None):
    """({stage: CPU ms/MP}, ms/MP of the finishing kernel, the development before it)."""
    chosen, megapixels = chain.parameters(recipe), frame.samples.size / 1e6
    development, spent = Development(frame=frame, noise=frame.noise), {}
    for stage in chain.stages():
        start = time.process_time()
        development = stage.run(development, chosen[stage.name])
        spent[stage.name] = (time.process_time() - start) * 1e3 / megapixels
    start = time.process_time()
    chain.rendition(development, chain.stages()[-1])
    return spent, (time.process_time() - start) * 1e3 / megapixels, development


def finishing_shares(development, rounds):
    """{stage: ms/MP it adds to the finishing kernel}, by switching one off at a time."""
    megapixels, last = development.frame.samples.size / 1e6, chain.stages()[-1]

    def cost(without=()):
        arguments = {k: v for k, v in development.finish.items() if k not in without}
        trial = Development(frame=development.frame, rgb=development.rgb, origin=development.origin, finish=arguments)
        start = time.process_time()
        chain.rendition(trial, last)
        return (time.process_time() - start) * 1e3 / megapixels

    cost()
    off = {m.STAGE.name: set(m.OFF) for m in chain._stage_modules() if hasattr(m, "OFF")}
    shares = {}
    for name, arguments in off.items():
        shares[name] = statistics.median(cost() - cost(arguments) for _ in range(rounds))
    return shares


def measure(path, rounds):
    """Median ms/MP of each part over `rounds` runs after a warm-up."""
    frame = read(path)
    time_once(frame)
    runs = []
    for _ in range(rounds):  # one development at a time: as many as rounds would ask for fresh memory again and again
        *costs, development = time_once(frame)
        runs.append(costs)
    table = {name: statistics.median(run[0][name] for run in runs) for name in runs[0][0]}
    table["finishing kernel"] = statistics.median(run[1] for run in runs)
    return table, finishing_shares(development, rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    keep_pages()  # as the command does
    table, shares = measure(arguments.raw, arguments.rounds)
    if arguments.json:
        print(json.dumps({"stages": table, "shares": shares}))
        return
    for name, cost in table.items():
        print(f"{name:20s} {cost:7.2f} ms/MP")
    for name, cost in shares.items():
        print(f"  of which {name:15s} {cost:7.2f}")


if __name__ == "__main__":
    main()

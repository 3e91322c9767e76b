"""A training process that is measured: a step of 2 ms of matrix products, a dict of fresh floats,
one log() of one of the clients. Prints what it took as JSON. bench.py says what happens around it meanwhile."""

import json
import os
import sys
import tempfile
import time

import clients

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy

BLOCK = 150  # steps that log, then as many that do not


def resident_mb():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def percentile(sorted_ns, share):
    return sorted_ns[min(len(sorted_ns) - 1, int(share * len(sorted_ns)))] / 1000


def opened(client):
    return clients.ALL[client](tempfile.mkdtemp(dir=os.environ["WATERFLOW_DIR"]))


def import_cost(client):
    """Of a process that has json and time already, as every trainer has."""
    module = {"tensorboardx": "tensorboardX", "neptune": "neptune_scale"}.get(client, client)
    before = resident_mb()
    start = time.perf_counter_ns()
    if client != "floor":
        __import__(module)
    milliseconds = (time.perf_counter_ns() - start) / 1e6
    log, _ = opened(client)
    log({"x": 1.0}, 0)
    return {"import_ms": milliseconds, "init_mb": resident_mb() - before}


def back_to_back(client, scalars, rows):
    log, finish = opened(client)
    names = [f"train/metric_{i}" for i in range(scalars)]
    taken = []
    for step in range(300 + rows):
        row = {name: step * 0.1 + i for i, name in enumerate(names)}
        start = time.perf_counter_ns()
        log(row, step)
        taken.append(time.perf_counter_ns() - start)
    taken = sorted(taken[300:])
    finish()
    return {"p50_us": percentile(taken, 0.5), "p999_us": percentile(taken, 0.999)}


def in_steps(client, scalars, steps):
    import numpy as np

    matrix = np.ones((128, 128), dtype=np.float32)
    names = [f"train/metric_{i}" for i in range(scalars)]
    products = 1

    def work():
        for _ in range(products):
            matrix @ matrix

    def plain(count):
        taken = []
        for _ in range(count):
            start = time.perf_counter_ns()
            work()
            {name: i * 0.37 for i, name in enumerate(names)}
            taken.append(time.perf_counter_ns() - start)
        return taken

    def median(values):
        return sorted(values)[len(values) // 2]

    products = 20
    products = max(1, round(20 * 2e6 / median(plain(300))))
    log, finish = opened(client)
    print("ready", flush=True)
    sys.stdin.readline()
    calls, whole, rests, others = [], [], [], []
    for first in range(0, steps, BLOCK):
        for step in range(first, first + BLOCK):
            start = time.perf_counter_ns()
            work()
            row = {name: step + i * 0.37 for i, name in enumerate(names)}
            before = time.perf_counter_ns()
            log(row, step)
            end = time.perf_counter_ns()
            calls.append(end - before)
            rests.append(before - start)
            whole.append(end - start)
        others += plain(BLOCK)
    result = {
        "p50_us": percentile(sorted(calls), 0.5),
        "p999_us": percentile(sorted(calls), 0.999),
        "slower": sum(whole) / sum(others) - 1,
        "slower_median": median(whole) / median(others) - 1,
        "rest_median": median(rests) / median(others) - 1,
        "step_ms": median(others) / 1e6,
    }
    print(json.dumps(result), flush=True)  # before the end, which of some takes minutes
    finish()
    return result


if __name__ == "__main__":
    kind, client, *numbers = sys.argv[1:]
    measure = {"import": import_cost, "tight": back_to_back, "steps": in_steps}[kind]
    print(json.dumps(measure(client, *map(int, numbers))), flush=True)

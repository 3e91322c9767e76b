"""From a first run to a question across runs, in five minutes. Start a server with scripts/run, then

    pip install ./client/python numpy
    python client/python/tutorial.py

It trains a small model four times, with four learning rates; the last time on two ranks, stopped
from outside. WATERFLOW_SERVER says where the server is, if it is not 127.0.0.1:7070.
"""

import multiprocessing
import time

import numpy as np

import waterflow

PROJECT = "tutorial"
ALL_ACKED = 60  # seconds that finish() may wait here, so that what follows finds every row


def train(run, steps):
    """A linear model by gradient descent; every step is a row."""
    rng = np.random.default_rng(run.rank)
    x = rng.normal(size=(256, 8))
    y = x @ np.arange(8) + 0.1 * rng.normal(size=256)
    weights = np.zeros(8)
    for step in range(steps):
        begin = time.monotonic()
        errors = x @ weights - y
        gradient = 2 * x.T @ errors / len(x)
        weights -= run.config.lr * gradient
        time.sleep(0.002)  # a real step takes longer
        # NumPy's scalars as they are; names with slashes make groups.
        run.log({"train/loss": np.mean(errors**2), "grad/norm": np.linalg.norm(gradient),
                 "step_seconds": time.monotonic() - begin}, step=step)  # fmt: skip
        if run.should_stop:
            break
    run.summary["weights_error"] = float(np.abs(weights - np.arange(8)).max())


def rank_of_many(rank, name):
    """What a launcher does: one process for each rank. All of them are in the run `name`."""
    run = waterflow.init(PROJECT, id=name, name=name, rank=rank, world_size=2, config={"lr": 0.01})
    train(run, steps=20_000)
    run.finish("KILLED" if run.should_stop else "FINISHED", timeout=ALL_ACKED)


def main():
    # 1. Runs. `with` finishes them, as FAILED if an exception ends it.
    for lr in (0.01, 0.05, 0.1):
        with waterflow.init(PROJECT, name=f"lr-{lr}", config={"lr": lr}, tags=["sweep"]) as run:
            run.define_metric("train/loss", goal="minimize", reduce="max")
            train(run, steps=200)
            run.finish(timeout=ALL_ACKED)

    # 2. Two ranks in one run, stopped from outside after a while.
    name = f"two-ranks-{time.time_ns()}"
    context = multiprocessing.get_context("spawn")
    ranks = [context.Process(target=rank_of_many, args=(rank, name)) for rank in range(2)]
    for process in ranks:
        process.start()
    with waterflow.Client() as client:
        while not (found := client.runs(PROJECT, f"attributes.run_name = '{name}'")):
            time.sleep(0.1)
        while len(client.workers(found[0].id)) < 2:  # who begins later is not asked
            time.sleep(0.1)
        client.stop(found[0].id, "the tutorial has seen enough")
        for process in ranks:
            process.join()

        # 3. Questions.
        wanted = "metrics.`train/loss` < 0.05 and tags.sweep = ''"
        best = client.runs(PROJECT, wanted, ["metrics.`train/loss` ASC"])
        for run in best:
            print(f"{run.name}: lr {run.params['lr']}")
        (loss,) = client.query(best[0].id, "train/loss", max_points=10)
        print("loss in ten buckets:", np.round(loss.mean, 3))
        slowest = client.query(found[0].id, "step_seconds")
        for series in slowest:
            print(f"rank {series.rank}: {len(series.values)} steps, "
                  f"{1e3 * series.values.mean():.1f} ms each")  # fmt: skip


if __name__ == "__main__":
    main()

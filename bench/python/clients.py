"""What is measured: each client as its own manual has it, without a server where it can do so. A
function for each returns log(row, step) and finish()."""

import os
import struct


def waterflow(folder):
    import waterflow
    run = waterflow.init()
    return run.log, run.finish


def floor(folder):
    """The least that keeps a row when the process is killed: a packed row, a write."""
    fd = os.open(os.path.join(folder, "rows"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    packers = {}

    def log(row, step):
        values = row.values()
        pack = packers.get(len(values))
        if pack is None:
            pack = packers[len(values)] = struct.Struct(f"<q{len(values)}d").pack
        os.write(fd, pack(step, *values))

    return log, lambda: os.close(fd)


def tensorboardx(folder):
    import tensorboardX
    writer = tensorboardX.SummaryWriter(folder)

    def log(row, step):
        for name, value in row.items():
            writer.add_scalar(name, value, step)

    return log, writer.close


def wandb(folder):
    import wandb
    run = wandb.init(project="bench", mode="offline", dir=folder,
                     settings=wandb.Settings(silent=True))
    return run.log, run.finish


def trackio(folder):
    os.environ["TRACKIO_DIR"] = folder
    import trackio
    trackio.init(project="bench", embed=False)
    return lambda row, step: trackio.log(row, step=step), trackio.finish


def neptune(folder):
    import neptune_scale
    run = neptune_scale.Run(project="bench/bench", mode="offline", log_directory=folder,
                            experiment_name="bench", run_id=os.urandom(8).hex())
    return lambda row, step: run.log_metrics(row, step=step), run.close


# Name: the package that it comes with.
PEERS = {"floor": None, "tensorboardx": "tensorboardX", "wandb": "wandb", "trackio": "trackio",
         "neptune": "neptune-scale"}
ALL = {"waterflow": waterflow, "floor": floor, "tensorboardx": tensorboardx, "wandb": wandb,
       "trackio": trackio, "neptune": neptune}

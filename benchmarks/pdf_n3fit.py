"""n3fit's own training on the tables of a fit of hepgym; run by `pdf_fit.py n3fit`, see there.

It runs in an environment with n3fit (`pip install "nnpdf[nolha]"`, GPLv3) and knows nothing of
hepgym: what is fitted comes as arrays in an NPZ file. n3fit's are the networks, preprocessing, sum
rules, convolutions, losses, stopping, callbacks and the loop of `n3fit.model_trainer.ModelTrainer`,
which n3fit's application calls in the same way. Not n3fit's are data, tables, covariance and split,
which the application would read from theories that must be downloaded.

Writes ms per epoch, start-up, peak memory and the fitted distributions.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from types import SimpleNamespace

FK_BASIS = [1, 2, 3, 4, 5, 6, 9, 10, 11]
"""Places of Sigma, g, V, V3, V8, V15, T3, T8, T15 among the fourteen of n3fit's tables."""

N3FIT_NAMES = {"Sigma": "sng", "T15": "t15", "T3": "t3", "T8": "t8", "V": "v", "V3": "v3"}
N3FIT_NAMES |= {"V8": "v8", "g": "g"}

BLOCK = 100
"""Epochs that are timed together; n3fit does something more every hundred."""


class Dataset:
    """What n3fit asks of a dataset: tables of the points and how they are combined."""

    hadronic = False

    def __init__(self, name, x, tables, operation):  # type: ignore[no-untyped-def]
        self.name = name
        self.operation = operation
        self._tables = tables
        one = SimpleNamespace(xgrid=x, luminosity_mapping=FK_BASIS, hadronic=False)
        self.fktables_data = [one] * len(tables)

    def fktables(self):  # type: ignore[no-untyped-def]  # noqa: D102
        return self._tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem", help="NPZ file of `pdf_fit.py n3fit`")
    parser.add_argument("result", help="NPZ file to write")
    arguments = parser.parse_args()
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    fit(arguments.problem, arguments.result)


def fit(problem: str, result: str) -> None:
    import numpy as np

    with np.load(problem) as file:
        given = {name: file[name] for name in file.files}
    settings = json.loads(str(given["settings"]))
    from n3fit.backends import callbacks, set_initial_state
    from n3fit.model_trainer import ModelTrainer

    set_initial_state(max_cores=1)
    positivity, integrability = constraints(given, settings)
    numbers = list(range(1, len(given["values"]) + 1))
    trainer = ModelTrainer(
        experiments_data=[],
        exp_info=[[experiment(given, r)] for r in range(len(numbers))],
        pos_info=positivity,
        integ_info=integrability,
        flavinfo=[
            {"fl": N3FIT_NAMES[name], "smallx": small, "largex": large, "trainable": False}
            for name, (small, large) in settings["exponents"].items()
        ],
        fitbasis="EVOL",
        nnseeds=[1000 * number for number in numbers],
        boundary_condition=None,
        max_cores=1,
        sum_rules=True,
        replicas=numbers,
    )
    trainer.print_summary = False

    class Clock(callbacks.CallbackStep):
        times: list[float] = []  # noqa: RUF012

        def on_step_end(self, epoch, logs=None):  # type: ignore[no-untyped-def]
            self.times.append(time.process_time())

    trainer.callbacks.append(Clock())
    found = trainer.hyperparametrizable(
        {
            "epochs": settings["epochs"],
            "stopping_patience": 1.0,
            "nodes_per_layer": [*settings["units"], len(settings["exponents"])],
            "activation_per_layer": [settings["activation"]] * len(settings["units"]) + ["linear"],
            "initializer": settings["initializer"],
            "layer_type": "dense",
            "dropout": 0.0,
            "optimizer": {
                "optimizer_name": settings["optimizer"],
                "learning_rate": settings["learning_rate"],
                "clipnorm": settings["clipnorm"],
            },
            "positivity": {"initial": settings["positivity"]},
            "integrability": {"initial": settings["integrability"]},
            "threshold_chi2": settings["threshold"],
        }
    )
    pdfs = found["pdf_model"].predict({"pdf_input": given["x"].reshape(1, -1, 1)}, verbose=0)
    np.savez(
        result,
        # The first block holds the compilation.
        ms=1e3 * np.diff(Clock.times[BLOCK - 1 :: BLOCK]) / BLOCK,
        startup=Clock.times[0],
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        f=np.asarray(pdfs, np.float64)[0][:, :, FK_BASIS].transpose(0, 2, 1),
    )


def experiment(given, replica):  # type: ignore[no-untyped-def]
    """Make n3fit's description of the data of one replica, all sets in one group."""
    import numpy as np

    covariance, values = given["covariance"], given["values"][replica]
    training = given["training"][replica]
    table = given["table"].reshape(len(values), len(FK_BASIS), -1)
    datasets = []
    for number, name in enumerate(given["set_names"].tolist()):
        rows = np.flatnonzero(given["set_index"] == number)
        tables = [table[rows]]
        ratio = np.flatnonzero(np.isin(given["ratio"], rows))
        if len(ratio):
            tables.append(given["denominator"].reshape(-1, *table.shape[1:])[ratio])
        operation = "RATIO" if len(ratio) else "NULL"
        datasets.append(Dataset(name, given["x"], tables, operation))

    def inverse(rows):  # type: ignore[no-untyped-def]
        return np.linalg.inv(covariance[np.ix_(rows, rows)])

    return {
        "name": "DIS",
        "datasets": datasets,
        "expdata_true": given["central"][None],
        "covmat": covariance,
        "invcovmat_true": inverse(np.ones(len(values), bool)),
        "trmask": training,
        "vlmask": ~training,
        "invcovmat": inverse(training),
        "invcovmat_vl": inverse(~training),
        "ndata": int(training.sum()),
        "ndata_vl": int((~training).sum()),
        "expdata": values[training][None],
        "expdata_vl": values[~training][None],
        "positivity": False,
        "count_chi2": True,
        "folds": {"training": [], "validation": [], "experimental": []},
    }


def constraints(given, settings):  # type: ignore[no-untyped-def]
    """Make n3fit's positivity and integrability sets."""
    import numpy as np

    x = given["x"]
    rows = given["positivity"].reshape(settings["partons"], -1, len(FK_BASIS), len(x))
    small = []
    for column in settings["integrable"]:
        one = np.zeros((settings["small_x_points"], len(FK_BASIS), len(x)))
        one[np.arange(len(one)), column, np.arange(len(one))] = 1.0
        small.append(one)

    def described(name, table, multiplier, integrability):  # type: ignore[no-untyped-def]
        return {
            "name": name,
            "datasets": [Dataset(name, x, [table], "NULL")],
            "trmask": np.ones(len(table), bool),
            "expdata": np.zeros((1, len(table))),
            "ndata": len(table),
            "ndata_vl": 0,
            "positivity": True,
            "integrability": integrability,
            "lambda": multiplier,
            "count_chi2": False,
        }

    return (
        [
            described(f"POS{n}", table, settings["positivity_end"], False)
            for n, table in enumerate(rows)
        ],
        [
            described(f"INTEG{n}", table, settings["integrability_end"], True)
            for n, table in enumerate(small)
        ],
    )


if __name__ == "__main__":
    main()

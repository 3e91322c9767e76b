"""Answers as tables of pandas, polars and pyarrow, and a file of Parquet: what was logged, bit for
bit. Those that are not installed are skipped."""

import importlib
import math
import os
import pathlib
import unittest

from support import DEADLINE, DeliveryTest, bits


def needs(*modules):
    missing = []
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(module)
    return unittest.skipIf(missing, f"{', '.join(missing)} is not installed here")


VALUES = [0.5, math.nan, math.inf, -0.0, 5e-324]


class TablesTest(DeliveryTest):

    def setUp(self):
        super().setUp()
        for rank in (0, 1):
            run = self.online(id="tables", rank=rank)
            for step, value in enumerate(VALUES):
                run.log({"a": value, "b": rank}, step=step)
            run.log({"late": rank}, step=0.5)
            run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.run_id = run.id
        self.raw = self.client().query(run.id, ["a", "b", "late"], axis="time")
        self.buckets = self.client().query(run.id, "b", max_points=2)
        self.reduced = self.client().query(run.id, "b", reduce="mean")
        self.none = self.client().query(run.id, "a", steps=(100, 200))

    def check(self, columns_of):
        """`columns_of(answer)`: {name: list} of the table, None for what is not there."""
        table = columns_of(self.raw)
        self.assertEqual(list(table), ["run_id", "metric", "role", "rank", "step", "time_ns",
                                       "value"])
        rows = list(zip(*table.values()))
        self.assertEqual(len(rows), 2 * (5 + 5 + 1))
        self.assertEqual({row[0] for row in rows}, {self.run_id})
        for rank in (0, 1):
            of_a = [row for row in rows if row[1] == "a" and row[3] == rank]
            self.assertEqual([row[4] for row in of_a], list(range(5)))
            self.assertEqual(bits([row[6] for row in of_a]), bits(VALUES))
            self.assertGreater(min(row[5] for row in of_a), 1.6e18)
        self.assertEqual([row[4] for row in rows if row[1] == "late"], [None, None])
        table = columns_of(self.buckets)
        self.assertEqual(list(table)[3:], ["rank", "position", "count", "value", "mean", "min",
                                           "max"])
        self.assertEqual(sum(table["count"]), 10)
        table = columns_of(self.reduced)
        self.assertEqual((table["rank"], table["value"]), ([None] * 5, [0.5] * 5))
        self.assertEqual(list(columns_of(self.none).values()), [[]] * 7)

    @needs("pandas")
    def test_pandas(self):
        def columns_of(answer):
            import pandas
            table = answer.to_pandas()
            return {name: [None if value is pandas.NA else value for value in table[name]]
                    for name in table.columns}
        self.check(columns_of)
        self.assertEqual(str(self.buckets.to_pandas()["position"].dtype), "int64")
        means = self.raw.to_pandas().groupby(["metric", "rank"], observed=True)["value"].count()
        self.assertEqual(means["b", 1], 5)

    @needs("polars")
    def test_polars(self):
        self.check(lambda answer: answer.to_polars().to_dict(as_series=False))

    @needs("pyarrow")
    def test_pyarrow(self):
        self.check(lambda answer: answer.to_pyarrow().to_pydict())

    @needs("pyarrow", "numpy")
    def test_pyarrow_copies_no_values(self):
        answer = self.client().query(self.run_id, "a", ranks=[0])
        buffer = answer.to_pyarrow()["value"].chunk(0).buffers()[1]
        self.assertEqual(buffer.address, answer[0].values.__array_interface__["data"][0])

    @needs("pyarrow")
    def test_parquet(self):
        import pyarrow.parquet as pq
        path = os.path.join(self.root, "run.parquet")
        self.assertEqual(self.client().export_parquet(self.run_id, path), 22)
        table = pq.read_table(path).to_pydict()
        values = [value for value, metric, rank
                  in zip(table["value"], table["metric"], table["rank"])
                  if (metric, rank) == ("a", 1)]
        self.assertEqual(bits(values), bits(VALUES))
        self.assertEqual(self.client().export_parquet(self.run_id, path, "late"), 2)
        with self.assertRaises(Exception):
            self.client().export_parquet(self.run_id, path, "no such metric")
        self.assertEqual(pq.read_table(path).num_rows, 2)  # as it was
        self.assertEqual(list(pathlib.Path(self.root).glob("*.new")), [])


if __name__ == "__main__":
    unittest.main()

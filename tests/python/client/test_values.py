"""What log() makes of odd values: the lines of the table that other clients fail."""

import decimal
import fractions
import math
import struct
import unittest

import numpy as np

import waterflow
from support import ClientTest
from waterflow.values import MAX_NAME_BYTES, Refused


class ValuesTest(ClientTest):

    def logged(self, data, **more):
        """The rows that one call of log() makes next to a good metric."""
        run = self.offline()
        run.log({"good": 1.0, **data}, **more)
        run.finish()
        return self.rows()

    def check(self, data, expected, **more):
        ((_, row),) = self.logged(data, **more)
        self.assertEqual(row, {"good": 1.0, **expected})

    def test_nan_is_data(self):
        ((_, row),) = self.logged({"x": math.nan})
        self.assertTrue(math.isnan(row["x"]))

    def test_the_bits_of_a_nan_are_kept(self):
        (odd,) = struct.unpack("<d", bytes.fromhex("efbeadde0000f8ff"))
        ((_, row),) = self.logged({"x": odd})
        self.assertEqual(struct.pack("<d", row["x"]).hex(), "efbeadde0000f8ff")

    def test_infinities_are_data(self):
        self.check({"a": math.inf, "b": -math.inf, "c": -0.0},
                   {"a": math.inf, "b": -math.inf, "c": -0.0})

    def test_numpy_scalars_and_bool(self):
        self.check({"f": np.float32(0.1), "i": np.int64(2**53), "b": np.bool_(True), "t": True,
                    "h": np.float16(0.5)},
                   {"f": float(np.float32(0.1)), "i": 2.0**53, "b": 1.0, "t": 1.0, "h": 0.5})

    def test_an_array_of_one_element_is_a_number(self):
        self.check({"zero_d": np.array(2.5), "one": np.array([3.5]), "deep": np.array([[4]])},
                   {"zero_d": 2.5, "one": 3.5, "deep": 4.0})

    def test_an_array_of_three_is_left_out_alone(self):
        self.check({"x": np.arange(3.0)}, {})
        self.assertEqual(len(self.said_of("'x'")), 1)

    def test_none_is_left_out_alone(self):
        self.check({"x": None, "y": 2}, {"y": 2.0})

    def test_text_is_left_out_alone(self):
        self.check({"x": "oops", "y": b"1", "z": "1.5"}, {})

    def test_one_warning_for_a_name_says_what_was_found(self):
        run = self.offline()
        for _ in range(3):
            run.log({"x": "oops", "good": 1})
        self.assertEqual(len(self.said_of("'x'")), 1)
        self.assertIn("'oops' (str) is not one number", self.said_of("'x'")[0])
        run.finish()
        self.assertEqual([row for _, row in self.rows()], [{"good": 1.0}] * 3)

    def test_large_ints_become_the_nearest_float64(self):
        self.check({"x": 10**30, "y": -(2**63) - 1, "z": 2**64},
                   {"x": 1e30, "y": -(2.0**63), "z": 2.0**64})

    def test_an_int_beyond_float64_is_left_out_alone(self):
        self.check({"x": 10**400}, {})

    def test_other_numbers(self):
        self.check({"d": decimal.Decimal("0.5"), "f": fractions.Fraction(1, 4), "c": 1j},
                   {"d": 0.5, "f": 0.25})

    def test_a_nested_dict_becomes_names_with_slashes(self):
        self.check({"a": {"b": 1, "c": {"d": 2}}, "e": {}}, {"a/b": 1.0, "a/c/d": 2.0})

    def test_odd_characters_in_a_name(self):
        names = {"a b/c:d|é\u2028 😀": 1, " ": 2, "../x": 3, "a\\b": 4}
        self.check(names, {name: float(value) for name, value in names.items()})

    def test_names_that_the_server_would_refuse_are_left_out_alone(self):
        longest = "x" * MAX_NAME_BYTES
        self.check({"": 1, "a\nb": 2, longest: 3, longest + "y": 4, "\ud800": 5}, {longest: 3.0})

    def test_keys_that_are_no_text_become_text(self):
        self.check({7: 1, 1.5: 2, None: 3, True: 4},
                   {"7": 1.0, "1.5": 2.0, "None": 3.0, "True": 4.0})

    def test_five_thousand_metrics_in_one_call(self):
        names = {f"m/{i}": i for i in range(5000)}
        self.check(names, {name: float(value) for name, value in names.items()})

    def test_more_metrics_than_a_schema_has_make_several_rows(self):
        rows = self.logged({f"m/{i}": i for i in range(40_000)}, step=3)
        self.assertEqual([step for step, _ in rows], [3, 3, 3])
        self.assertEqual(sum(len(row) for _, row in rows), 40_001)

    def test_no_dict_at_all(self):
        run = self.offline()
        for data in (None, 5, [1], "x"):
            run.log(data)
        run.log({})
        run.finish()
        self.assertEqual(self.rows(), [])

    def said_of(self, text):
        return [line for line in self.said if text in line]


class StepsTest(ClientTest):

    def steps(self, *steps):
        run = self.offline()
        for step in steps:
            run.log({"x": 1}, step=step)
        run.finish()
        return [step for step, _ in self.rows()]

    def test_without_a_step_it_counts_on(self):
        self.assertEqual(self.steps(None, None, 10, None), [0, 1, 10, 11])

    def test_a_step_may_come_twice_and_go_back_and_be_negative(self):
        self.assertEqual(self.steps(500, 500, 3, -5), [500, 500, 3, -5])

    def test_a_float_of_whole_value_and_other_integers(self):
        self.assertEqual(self.steps(501.0, np.int32(7), np.array(8), True), [501, 7, 8, 1])

    def test_a_step_that_is_no_whole_number_is_left_out_and_its_row_kept(self):
        self.assertEqual(self.steps(501.5, "x", 2**63, math.nan, 5, None),
                         [None, None, None, None, 5, 6])
        self.assertEqual(len([line for line in self.said if "step 501.5" in line]), 1)

    def test_commit_false_collects(self):
        run = self.offline()
        run.log({"a": 1}, commit=False)
        run.log({"b": 2}, commit=False)
        run.log({"c": 3}, step=7)
        run.log({"d": 4})
        run.log({"e": 5}, commit=False)
        run.finish()
        self.assertEqual(self.rows(), [(7, {"a": 1.0, "b": 2.0, "c": 3.0}), (8, {"d": 4.0}),
                                       (9, {"e": 5.0})])


class StrictTest(ClientTest):

    def test_strict_raises_and_says_what(self):
        run = self.offline(strict=True)
        with self.assertRaisesRegex(Refused, "'x'.*'oops' .str. is not one number"):
            run.log({"x": "oops"})
        with self.assertRaisesRegex(Refused, "513 bytes, 1 to 512"):
            run.log({"x" * 513: 1})
        with self.assertRaisesRegex(Refused, "step 501.5"):
            run.log({"x": 1}, step=501.5)
        with self.assertRaisesRegex(Refused, "not list"):
            run.log([])
        run.log({"x": 1})

    def test_what_init_does_not_take_it_says_with_field_value_and_limit(self):
        for arguments, message in (
                ({"mode": "onlin"}, "mode is 'onlin'.*online, offline, disabled"),
                ({"resume": "x"}, "resume is 'x'"),
                ({"rank": -1}, "rank is -1.*0 to 16777215"),
                ({"rank": "1"}, "rank is '1'"),
                ({"project": "x" * 257}, "project .* 257 bytes, 1 to 256"),
                ({"resume_step": 1.5}, "resume_step is 1.5"),
                ({"role": "x" * 129}, "role .* 129 bytes, 1 to 128"),
                ({"segment_bytes": 0}, "segment_bytes is")):
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                waterflow.init(dir=self.root, **{"mode": "offline", **arguments})


class ColumnsTest(ClientTest):

    def test_many_rows_at_once(self):
        run = self.offline()
        run.log({"x": 1}, step=4)
        run.log_columns({"a": np.arange(3.0), "b": [1, 2, 3]})
        run.log_columns({"a": [9]}, steps=np.array([70]), times=[1.5])
        run.log({"x": 2})
        run.finish()
        self.assertEqual(self.rows(), [
            (4, {"x": 1.0}), (5, {"a": 0.0, "b": 1.0}), (6, {"a": 1.0, "b": 2.0}),
            (7, {"a": 2.0, "b": 3.0}), (70, {"a": 9.0}), (71, {"x": 2.0})])

    def test_columns_of_other_lengths_are_refused(self):
        run = self.offline(strict=True)
        with self.assertRaisesRegex(Refused, "'b' has 2 values, the first column 3"):
            run.log_columns({"a": [1, 2, 3], "b": [1, 2]})
        with self.assertRaisesRegex(Refused, "'steps' has 2 values"):
            run.log_columns({"a": [1, 2, 3]}, steps=[1, 2])
        run.finish()
        self.assertEqual(self.rows(), [])

    def test_a_hundred_thousand_rows(self):
        run = self.offline(segment_bytes=1 << 20)
        run.log_columns({"a": range(100_000), "b": range(100_000)})
        run.finish()
        self.assertEqual(self.rows(), [(i, {"a": i, "b": i}) for i in range(100_000)])


if __name__ == "__main__":
    unittest.main()

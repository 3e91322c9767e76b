"""docs/limits.md gives every limit by the number that the server uses."""

import re
import unittest

from server import ROOT


class LimitsTest(unittest.TestCase):

    def test_every_limit_stands_in_the_docs_with_its_number(self):
        code = (ROOT / "storage/model/limits.h").read_text()
        lines = (ROOT / "docs/limits.md").read_text().splitlines()
        limits = re.findall(r"constexpr \w+ (k\w+) =\s*([^;]+);", code)
        self.assertGreater(len(limits), 20)
        for name, expression in limits:
            number = eval(re.sub(r"(?<=\d)u\b", "", expression))  # such as "(1u << 24) - 1"
            with self.subTest(name):
                self.assertTrue(any(f"`{name}`" in line and f"| {number:,}" in line
                                    for line in lines), f"no line with `{name}` and {number:,}")


if __name__ == "__main__":
    unittest.main()

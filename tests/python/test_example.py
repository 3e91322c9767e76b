"""The README's example: is what examples/ holds, and prints what it says."""

import os
import re
import subprocess
import sys
import unittest

from server import ROOT, Server

EXAMPLE = ROOT / "examples/python/log_metrics.py"


def code_blocks(language):
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class ExampleTest(unittest.TestCase):

    def test_the_readme_shows_the_example_as_it_is(self):
        code = re.sub(r"\A(#.*\n)+", "", EXAMPLE.read_text())
        self.assertIn(code, code_blocks("python"))

    def test_the_example_prints_what_the_readme_says(self):
        server = Server()
        self.addCleanup(server.stop)
        done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "WATERFLOW_SERVER": server.address})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(done.stdout, code_blocks("text"))


if __name__ == "__main__":
    unittest.main()

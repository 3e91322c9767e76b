"""The bytes that docs/protocol.md shows are what its text says they are."""

import re
import unittest

from server import ROOT
from session import FLOAT32, FLOAT64, dense, pack, sparse
from waterflow.v1 import ingest_pb2


class ProtocolTest(unittest.TestCase):

    def test_the_worked_batch_is_the_batch_it_describes(self):
        text = (ROOT / "docs/protocol.md").read_text()
        dump = re.search(r"^```hex\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1)
        # A line is the bytes, then two spaces and what they are.
        shown = bytes.fromhex(" ".join(line.split("  ")[0] for line in dump.splitlines()))
        batch = ingest_pb2.Batch(
            schema_id=1, first_row=40, rows=3, steps=pack("q", [100, 101, 102]),
            times=pack("q", [1_700_000_000_000_000_000 + 250_000_000 * row for row in range(3)]),
            columns=[dense(0, FLOAT32, [2.5, 2.25, 2.0, 0.5, 0.5, 0.25], span=2),
                     sparse(2, FLOAT64, [1.5, None, float("inf")])])
        request = ingest_pb2.StreamRequest(batch=batch)
        self.assertEqual(ingest_pb2.StreamRequest.FromString(shown), request)
        self.assertEqual(shown.hex(" "), request.SerializeToString(deterministic=True).hex(" "))


if __name__ == "__main__":
    unittest.main()

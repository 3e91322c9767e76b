"""client/python/waterflow/descriptors.binpb is what protoc makes of proto/."""

import pathlib
import subprocess
import tempfile
import unittest

from google.protobuf import descriptor_pb2

from server import ROOT

DESCRIPTORS = ROOT / "client/python/waterflow/descriptors.binpb"
FILES = [f"waterflow/v1/{name}.proto" for name in ("ingest", "metric", "query", "tracking")]


class DescriptorsTest(unittest.TestCase):

    def test_they_are_up_to_date(self):
        with tempfile.TemporaryDirectory() as folder:
            made = pathlib.Path(folder, "descriptors.binpb")
            command = ["protoc", f"-I{ROOT / 'proto'}", f"--descriptor_set_out={made}", *FILES]
            subprocess.run(command, check=True)
            self.assertEqual(self.parsed(DESCRIPTORS), self.parsed(made),
                             "a .proto has changed; from the root of the repository: "
                             f"protoc -Iproto --descriptor_set_out={DESCRIPTORS.relative_to(ROOT)} "
                             + " ".join(FILES))

    @staticmethod
    def parsed(path):
        files = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file
        return {file.name: file for file in files}


if __name__ == "__main__":
    unittest.main()

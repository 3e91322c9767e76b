"""The package as pip makes it: a pure wheel that holds all that it needs."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from server import ROOT

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


class InstallTest(unittest.TestCase):

    def test_the_wheel_is_pure_and_whole(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        # A copy, for setuptools leaves things behind.
        shutil.copytree(ROOT / "client/python", folder / "source")
        subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir",
                        folder, folder / "source"], check=True)
        (wheel,) = folder.glob("*.whl")
        self.assertTrue(wheel.name.endswith("-py3-none-any.whl"), wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        sources = {str(path.relative_to(ROOT / "client/python"))
                   for path in (ROOT / "client/python/waterflow").rglob("*")
                   if path.is_file() and "__pycache__" not in path.parts}
        self.assertIn("waterflow/descriptors.binpb", sources)
        self.assertEqual(sources - names, set())
        subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target",
                        folder / "site", wheel], check=True)
        subprocess.run(
            [sys.executable, "-c", "import waterflow, waterflow.api as api; "
             "assert 'site' in waterflow.__file__; api.message('StreamRequest')"],
            check=True, cwd=folder, env={"PYTHONPATH": str(folder / "site")})


if __name__ == "__main__":
    unittest.main()

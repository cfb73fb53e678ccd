"""Puts configurations and the zoo's models, which are folders of the repository, into the built package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("configs", "zoo")


class BuildWithShipped(build_py):
    """Copies the folders below sgad/shipped; an editable installation finds them where they are."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if not self.editable_mode:
            for folder in SHIPPED:
                shutil.copytree(folder, Path(self.build_lib) / "sgad" / "shipped" / folder, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithShipped})

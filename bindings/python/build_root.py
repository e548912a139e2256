"""Build backend of this folder: scikit-build-core, run in the root of the repository.

The sources of the native library lie there, and so does the one pyproject.toml with the package's metadata.
"""

import os
from pathlib import Path

os.chdir(Path(__file__).resolve().parents[2])  # every hook runs in a process of its own

from scikit_build_core.build import (  # noqa: E402
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

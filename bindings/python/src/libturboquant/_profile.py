"""Profiles: the options of every layer as they were chosen for one model, from a JSON file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _core
from ._options import LayerOptions

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._typing import StrPath


@dataclass(frozen=True)
class Profile:
    """Options of every layer, chosen for one model: ``Cache(Profile.load("profile.json").layers)``.

    docs/profile.md describes the file.

    Attributes
    ----------
    name, fingerprint : str
        Of the model.
    layers : tuple of LayerOptions
        One for each layer of the model.
    """

    name: str
    fingerprint: str
    layers: tuple[LayerOptions, ...]

    @classmethod
    def load(cls, path: StrPath, fingerprint: str | None = None) -> Self:
        """Read a file.

        Parameters
        ----------
        path : str, bytes or os.PathLike
        fingerprint : str, optional
            That of the model at hand. Without it any profile will do.

        Raises
        ------
        NotFound
            If there is no such file.
        InvalidArgument
            If it cannot be read, or its fingerprint is another one.
        CorruptData
            If it is no JSON or no profile, longer than 1 MiB, or has values that `Cache` would refuse.
        Unsupported
            If it has a version, a field or a format that this build does not know.
        """
        return cls._of(*_core.profile_load(path, fingerprint))

    @classmethod
    def parse(cls, text: str | bytes, fingerprint: str | None = None) -> Self:
        """The same from the text of a file."""
        return cls._of(*_core.profile_parse(text, fingerprint))

    @classmethod
    def _of(cls, name: str, fingerprint: str, layers: list[dict[str, object]]) -> Self:
        return cls(name, fingerprint, tuple(LayerOptions(**fields) for fields in layers))  # type: ignore[arg-type]

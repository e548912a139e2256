"""Types of arguments, for type checkers and for readers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Protocol


class SupportsDLPack(Protocol):
    """A tensor of another library, such as torch.Tensor."""

    def __dlpack__(self) -> Any: ...

    def __dlpack_device__(self) -> Any: ...


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Buffer

    Array = NDArray[Any] | SupportsDLPack | Buffer
    """A NumPy array, a DLPack tensor in the CPU's memory, or an object with the buffer protocol."""

    FloatArray = NDArray[np.float32]

Dtype = Literal["float32", "float16", "bfloat16"]
"""Element types of the library."""

Bits = Literal["float16", "bfloat16"]
"""What a uint16 array may hold."""

StrPath = str | os.PathLike[str] | bytes | os.PathLike[bytes]
"""Where a file lies."""

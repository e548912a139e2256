"""libturboquant: a 4-bit KV cache for LLM inference, and attention directly on it.

    import libturboquant as tq

    cache = tq.Cache(layer_count=32, kv_heads=8, key_dim=128)
    sequence = tq.Sequence(cache)
    sequence.append(layer, keys, values)  # [tokens, kv_heads, dim], keys after RoPE
    output = sequence.attend(layer, query)  # [n_query, q_heads, dim]

Arrays are NumPy's, or any DLPack tensor or buffer in the CPU's memory; nothing is copied. bindings/python/README.md has
the whole interface, and every class and method has its own documentation.
"""

from ._cache import Cache
from ._core import (
    AttendItem,
    Codec,
    Pool,
    Sequence,
    attend,
    cpu_target,
    fwht,
    status_name,
    version,
    version_number,
)
from ._errors import (
    BufferTooSmall,
    Busy,
    CorruptData,
    Error,
    InternalError,
    InvalidArgument,
    NotFound,
    OutOfMemory,
    Unsupported,
)
from ._options import LayerOptions
from ._profile import Profile
from ._statistics import CacheStatistics

__version__ = version()

__all__ = [
    "AttendItem",
    "BufferTooSmall",
    "Busy",
    "Cache",
    "CacheStatistics",
    "Codec",
    "CorruptData",
    "Error",
    "InternalError",
    "InvalidArgument",
    "LayerOptions",
    "NotFound",
    "OutOfMemory",
    "Pool",
    "Profile",
    "Sequence",
    "Unsupported",
    "attend",
    "cpu_target",
    "fwht",
    "status_name",
    "version",
    "version_number",
]

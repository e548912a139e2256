"""A compressed KV cache for Hugging Face transformers, and attention on its codes.

    from libturboquant.transformers import TurboQuantCache

    cache = TurboQuantCache(model.config)
    model.generate(input_ids, past_key_values=cache)

Importing this module also makes ``attn_implementation="turboquant"`` known to transformers: attention that reads the
codes where they lie. With any other implementation the cache gives the same numbers, decoded for each call.
PyTorch and transformers are needed: ``pip install 'libturboquant[transformers]'``.
"""

try:
    from ._attention import register as _register
    from ._cache import TurboQuantCache
    from ._layer import TurboQuantLayer
except ImportError as error:
    raise ImportError(
        f"libturboquant.transformers needs PyTorch and transformers 4.56 or newer ({error}); "
        "install them with: pip install 'libturboquant[transformers]'"
    ) from error

_register()

__all__ = ["TurboQuantCache", "TurboQuantLayer"]

"""What a model's configuration, a profile and the caller say about each layer."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformers.cache_utils import DynamicCache, DynamicLayer

import libturboquant

from .. import LayerOptions

MAX_HEAD_DIM = 1024

Overrides = Mapping[int, Mapping[str, Any]] | Sequence[LayerOptions]


def decoder_config(config: Any) -> Any:
    """The part of a configuration that describes the text decoder."""
    if not hasattr(config, "get_text_config"):
        raise TypeError(f"config is {config!r:.80}; expected the config of a transformers model")
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(f"{type(config).__name__} is an encoder-decoder model; TurboQuantCache is for decoders only")
    return config.get_text_config(decoder=True)


def transformers_layers(config: Any) -> tuple[list[Any], list[int]]:
    """The layers that transformers would use, and the indices of those that can be compressed."""
    layers = DynamicCache(config=config).layers
    types = getattr(config, "layer_types", None) or ["full_attention"] * len(layers)
    ours = []
    for index, layer in enumerate(layers):
        if type(layer) is not DynamicLayer:
            continue
        if types[index] != "full_attention":
            raise ValueError(
                f"layer {index} of this {type(config).__name__} is of the type {types[index]!r}, for which the "
                "DynamicCache of the installed transformers has no layer; a newer transformers may have one"
            )
        ours.append(index)
    if not ours:
        kinds = ", ".join(sorted({type(layer).__name__ for layer in layers}))
        raise ValueError(
            f"no layer of this {type(config).__name__} has full attention ({kinds}), so there is nothing to compress: "
            "use DynamicCache, or, where the context never exceeds the window, set config.sliding_window = None"
        )
    return layers, ours


def shape_of(config: Any, layer: int) -> dict[str, int]:
    """kv_heads, key_dim and value_dim of a layer, as far as the configuration says."""
    per_layer = getattr(config, "per_layer_config", None)
    config = per_layer[layer] if per_layer is not None else config
    heads = config.num_attention_heads
    if getattr(config, "kv_lora_rank", None):  # multi-head latent attention comes expanded
        dim = config.qk_nope_head_dim + config.qk_rope_head_dim
        return {"kv_heads": heads, "key_dim": dim, "value_dim": config.v_head_dim}
    dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return {"kv_heads": getattr(config, "num_key_value_heads", None) or heads, "key_dim": dim}


def layers_of_profile(profile: Any) -> Sequence[LayerOptions]:
    """The layers of a profile: an object with `layers`, or the path of a file."""
    if isinstance(profile, str | os.PathLike):
        reader = getattr(libturboquant, "Profile", None)
        if reader is None:
            raise TypeError(f"profile is {profile!r}, but this build of libturboquant does not read profile files")
        profile = reader.load(profile)
    if not hasattr(profile, "layers"):
        raise TypeError(f"profile is {profile!r:.80}; expected a path or an object with the attribute layers")
    return tuple(profile.layers)


def layer_options(config: Any, ours: list[int], fields: dict[str, Any], given: Overrides | None) -> list[LayerOptions]:
    """One description for every layer that can be compressed."""
    shapes = {index: shape_of(config, index) for index in ours}
    if given is None:
        given = {}
    if isinstance(given, Mapping):
        _check_indices(config, ours, given)
        options = [_described(index, {**shapes[index], **fields, **given.get(index, {})}) for index in ours]
    else:
        options = _from_sequence(config, ours, shapes, given)
    for index, option in zip(ours, options, strict=True):
        _check_options(config, index, option)
    return options


def _described(index: int, fields: dict[str, Any]) -> LayerOptions:
    try:
        return LayerOptions(**fields)
    except TypeError:
        known = [field.name for field in dataclasses.fields(LayerOptions)]
        unknown = ", ".join(sorted(set(fields) - set(known)))
        raise TypeError(f"layer {index}: no such option: {unknown}; there are: {', '.join(known)}") from None


def _check_indices(config: Any, ours: list[int], given: Mapping[int, Any]) -> None:
    for index in given:
        if index not in ours:
            raise ValueError(
                f"layers has an entry for {index!r}, but the full-attention layers of this {type(config).__name__} "
                f"are {ours}"
            )


def _from_sequence(
    config: Any, ours: list[int], shapes: dict[int, dict[str, int]], given: Sequence[LayerOptions]
) -> list[LayerOptions]:
    if len(given) == config.num_hidden_layers:
        given = [given[index] for index in ours]
    if len(given) != len(ours):
        raise ValueError(
            f"{len(given)} layers are described, but this {type(config).__name__} has {len(ours)} with full attention"
        )
    for index, option in zip(ours, given, strict=True):
        if not isinstance(option, LayerOptions):
            raise TypeError(f"layers describes layer {index} by {option!r:.80}; expected a LayerOptions")
        for name, value in shapes[index].items():
            if getattr(option, name) != value and not (name == "value_dim" and not option.value_dim):
                raise ValueError(
                    f"layer {index}: {name} is {getattr(option, name)}, but the model has {value}; "
                    "is this the profile of another model?"
                )
    return list(given)


def _check_options(config: Any, index: int, options: LayerOptions) -> None:
    for name in ("key_dim", "value_dim"):
        if getattr(options, name) > MAX_HEAD_DIM:
            raise ValueError(
                f"layer {index} of this {type(config).__name__} has {name} = {getattr(options, name)}; "
                f"libturboquant takes head sizes up to {MAX_HEAD_DIM}"
            )
    if options.window:
        raise ValueError(f"layer {index}: window is {options.window}, but the layer has full attention")

"""Golden cases of profiles (docs/profile.md): files that are read, what they say, and files that are refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from tq_rotation import DEFAULT_SEED

COMMENT = "Profiles (tq_profile_load): what each file in profiles/ says of every layer, or how it is refused."
Case = dict[str, Any]
Options = dict[str, Any]

# docs/profile.md shows this one.
EXAMPLE: Options = {
    "format": "libturboquant-profile",
    "version": 1,
    "model": {"name": "books-tiny", "fingerprint": "books-tiny/4x2x64", "layer_count": 4},
    "defaults": {
        "kv_heads": 2,
        "key_dim": 64,
        "value_dim": 64,
        "key_format": "tq4",
        "value_format": "tq4",
        "group_size": 64,
        "rotation_block": 0,
        "center_keys": True,
        "scale_search": True,
        "sink_tokens": 4,
        "recent_blocks": 0,
        "window": 0,
    },
    "layers": [{"layer": 0, "key_format": "tq8"}, {"layer": 3, "value_format": "tq8", "group_size": 32}],
    "notes": {"calibrated_on": "books.txt"},
}
LIBRARY_DEFAULTS: Options = {
    "kv_heads": 0,
    "key_dim": 0,
    "value_dim": 0,
    "key_format": "tq4",
    "value_format": "tq4",
    "key_group_size": 64,
    "value_group_size": 64,
    "key_rotation_block": 0,
    "value_rotation_block": 0,
    "center_keys": 1,
    "scale_search": 1,
    "sink_tokens": 4,
    "recent_blocks": 0,
    "exact_dtype": "auto",
    "window": 0,
    "seed": DEFAULT_SEED,
}
BOTH_SIDES = ("group_size", "rotation_block")
EXACT_DTYPES = {"auto": "auto", "float16": "f16", "bfloat16": "bf16"}


def overlay(options: Options, fields: Options) -> Options:
    """The fields of one object of a profile over the options that hold without it."""
    result = dict(options)
    for name in BOTH_SIDES:
        if name in fields:
            result[f"key_{name}"] = result[f"value_{name}"] = fields[name]
    return result | {name: value for name, value in fields.items() if name not in (*BOTH_SIDES, "layer")}


def in_golden_form(options: Options) -> Options:
    """As tests/golden/README.md writes tq_layer_options."""
    seed = options["seed"]
    return options | {
        "center_keys": int(options["center_keys"]),
        "scale_search": int(options["scale_search"]),
        "exact_dtype": EXACT_DTYPES[options["exact_dtype"]],
        "seed": f"{int(seed, 16) if isinstance(seed, str) else seed:#018x}",
    }


def layers_of(profile: Options) -> list[Options]:
    common = overlay(LIBRARY_DEFAULTS, profile["defaults"])
    by_layer = {entry["layer"]: entry for entry in profile["layers"]}
    count = profile["model"]["layer_count"]
    return [in_golden_form(overlay(common, by_layer.get(layer, {}))) for layer in range(count)]


def changed(*path: Any, to: Any) -> Options:
    """The example with one value set; with `to` Ellipsis, removed."""
    profile = copy.deepcopy(EXAMPLE)
    place: Any = profile
    for name in path[:-1]:
        place = place[name]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return profile


def with_layers(*entries: Any) -> Options:
    return changed("layers", to=list(entries))


def nested(depth: int) -> Options:
    """Objects and arrays within each other, `depth` of them: the profile, its notes, and arrays inside."""
    inner: Any = 0
    for _ in range(depth - 2):
        inner = [inner]
    return changed("notes", to={"deep": inner})


MINIMAL: Options = {
    "format": "libturboquant-profile",
    "version": 1,
    "model": {"name": "", "fingerprint": "x", "layer_count": 1},
    "defaults": {"kv_heads": 1, "key_dim": 128},
    "layers": [],
}
EVERY_FIELD: Options = {
    "kv_heads": 3,
    "key_dim": 96,
    "value_dim": 80,
    "key_format": "f16",
    "value_format": "bf16",
    "key_group_size": 32,
    "value_group_size": 64,
    "key_rotation_block": 16,
    "value_rotation_block": 1,
    "center_keys": False,
    "scale_search": False,
    "sink_tokens": 64,
    "recent_blocks": 1024,
    "exact_dtype": "bfloat16",
    "window": 4294967295,
    "seed": "0x0123456789abcdef",
}
SHAPES = {
    "kv_heads": [1, 2, 65536, 2],
    "key_dim": [1, 1024, 64, 64],
    "value_dim": [0, 1, 1024, 64],
    "window": [0, 1, 128, 0],
}

READ: dict[str, Options] = {
    "the example of the documentation": EXAMPLE,
    "as little as possible": MINIMAL,
    "every field in the defaults": changed("defaults", to=EVERY_FIELD),
    "every field in a layer": with_layers({"layer": 2, **EVERY_FIELD}),
    "layers in any order": with_layers({"layer": 3, "window": 7}, {"layer": 0}, {"layer": 2, "sink_tokens": 0}),
    "shapes by layer": MINIMAL
    | {
        "model": EXAMPLE["model"],
        "defaults": {},
        "layers": [{"layer": i} | {name: values[i] for name, values in SHAPES.items()} for i in range(4)],
    },
    "sides apart": with_layers(
        {"layer": 0, "group_size": 32, "key_group_size": 64},
        {"layer": 1, "value_rotation_block": 2, "rotation_block": 4},
        {"layer": 2, "value_group_size": 32},
    ),
    "the largest seed as a number": changed("defaults", "seed", to=2**64 - 1),
    "the largest seed in digits": changed("defaults", "seed", to="0xFFFFFFFFFFFFFFFF"),
    "a seed of its own per layer": with_layers({"layer": 1, "seed": 0}, {"layer": 2, "seed": "0x7"}),
    "notes of any kind": changed("notes", to={"colour": [1, 2.5, None, {"layer": "?"}], "version": 2}),
    "nested as deep as it may be": nested(32),
    "names beyond ASCII": changed("model", "name", to='mod\u00e8le "\u6a21\u578b"\t\\'),
}

CORRUPT, UNSUPPORTED, INVALID = "TQ_ERR_CORRUPT_DATA", "TQ_ERR_UNSUPPORTED", "TQ_ERR_INVALID_ARGUMENT"
TEXT = json.dumps(EXAMPLE)
TWICE = '"fingerprint": "a", "layer_count": 4'

# What is refused: the status, words of the message, and the file.
NO_JSON: dict[str, tuple[str, list[str], bytes]] = {
    "nothing": (CORRUPT, ["not JSON"], b""),
    "cut off": (CORRUPT, ["not JSON"], TEXT[: len(TEXT) // 2].encode()),
    "text after the end": (CORRUPT, ["not JSON"], TEXT.encode() + b" x"),
    "a comment": (CORRUPT, ["not JSON"], b"// mine\n" + TEXT.encode()),
    "not a number": (CORRUPT, ["not JSON"], TEXT.replace('"window": 0', '"window": NaN').encode()),
    "an infinite number": (CORRUPT, ["not JSON"], TEXT.replace('"window": 0', '"window": 1e999').encode()),
    "not UTF-8": (CORRUPT, ["not JSON"], TEXT.encode().replace(b"books-tiny", b"books\xff", 1)),
    "a field twice": (CORRUPT, ['"fingerprint"', "twice"], TEXT.replace('"layer_count": 4', TWICE).encode()),
}
WRONG: dict[str, tuple[str, list[str], Any]] = {
    "an array": (CORRUPT, ["the whole is []", "a JSON object"], []),
    "a number": (CORRUPT, ["the whole is 7", "a JSON object"], 7),
    "no format": (CORRUPT, ["format is missing"], changed("format", to=...)),
    "another format": (CORRUPT, ['format is "other"', "libturboquant-profile"], changed("format", to="other")),
    "no version": (CORRUPT, ["version is missing"], changed("version", to=...)),
    "version 2": (UNSUPPORTED, ["version is 2"], changed("version", to=2)),
    "version 0": (UNSUPPORTED, ["version is 0"], changed("version", to=0)),
    "version in quotes": (CORRUPT, ['version is "1"', "an integer"], changed("version", to="1")),
    "an unknown field": (UNSUPPORTED, ["colour is not a field"], changed("colour", to="red")),
    "an unknown field of a strange name": (UNSUPPORTED, [r'"\u00e9\n\"" is not a field'], changed('\u00e9\n"', to=1)),
    "no model": (CORRUPT, ["model is missing"], changed("model", to=...)),
    "model is text": (CORRUPT, ['model is "books"', "an object"], changed("model", to="books")),
    "an unknown field of the model": (UNSUPPORTED, ["model.size is not a field"], changed("model", "size", to=1)),
    "no name": (CORRUPT, ["model.name is missing"], changed("model", "name", to=...)),
    "a name with NUL": (CORRUPT, ["model.name is", "NUL"], changed("model", "name", to="a\0b")),
    "no fingerprint": (CORRUPT, ["model.fingerprint is missing"], changed("model", "fingerprint", to=...)),
    "an empty fingerprint": (CORRUPT, ['model.fingerprint is ""'], changed("model", "fingerprint", to="")),
    "a fingerprint of digits": (CORRUPT, ["model.fingerprint is 12", "string"], changed("model", "fingerprint", to=12)),
    "no layer_count": (CORRUPT, ["model.layer_count is missing"], changed("model", "layer_count", to=...)),
    "layer_count 0": (CORRUPT, ["model.layer_count is 0"], changed("model", "layer_count", to=0)),
    "layer_count 65537": (CORRUPT, ["model.layer_count is 65537"], changed("model", "layer_count", to=65537)),
    "layer_count -1": (CORRUPT, ["model.layer_count is -1"], changed("model", "layer_count", to=-1)),
    "layer_count 4.5": (CORRUPT, ["model.layer_count is 4.5"], changed("model", "layer_count", to=4.5)),
    "layer_count true": (CORRUPT, ["model.layer_count is true"], changed("model", "layer_count", to=True)),
    "no defaults": (CORRUPT, ["defaults is missing"], changed("defaults", to=...)),
    "defaults are an array": (CORRUPT, ["defaults is []", "an object"], changed("defaults", to=[])),
    "an unknown default": (UNSUPPORTED, ["defaults.bits is not a field"], changed("defaults", "bits", to=4)),
    "a layer in the defaults": (UNSUPPORTED, ["defaults.layer is not a field"], changed("defaults", "layer", to=0)),
    "no layers": (CORRUPT, ["layers is missing"], changed("layers", to=...)),
    "layers are an object": (CORRUPT, ["layers is {}", "an array"], changed("layers", to={})),
    "notes are text": (CORRUPT, ['notes is "x"', "an object"], changed("notes", to="x")),
    "a layer is a number": (CORRUPT, ["layers[1] is 1", "an object"], with_layers({"layer": 0}, 1)),
    "a layer without number": (CORRUPT, ["layers[0].layer is missing"], with_layers({"window": 1})),
    "a layer beyond the last": (CORRUPT, ["layers[0].layer is 4", "4 layers"], with_layers({"layer": 4})),
    "a negative layer": (CORRUPT, ["layers[0].layer is -1"], with_layers({"layer": -1})),
    "a layer in quotes": (CORRUPT, ['layers[0].layer is "0"'], with_layers({"layer": "0"})),
    "a layer twice": (CORRUPT, ["layers[2].layer is 1", "layers[0]"], with_layers(*({"layer": i} for i in (1, 0, 1)))),
    "an unknown field of a layer": (UNSUPPORTED, ["layers[0].bits is not"], with_layers({"layer": 0, "bits": 4})),
    "no kv_heads": (CORRUPT, ["kv_heads is missing", "layer 0"], changed("defaults", "kv_heads", to=...)),
    "no key_dim in one layer": (
        CORRUPT,
        ["key_dim is missing", "layer 3"],
        changed("defaults", "key_dim", to=...) | {"layers": [{"layer": i, "key_dim": 64} for i in range(3)]},
    ),
    "nested too deep": (CORRUPT, ["nested more than 32 deep"], nested(33)),
}
WRONG_FIELDS: list[tuple[str, str, Any, str]] = [
    ("kv_heads", CORRUPT, 0, "layer 0: kv_heads is 0"),
    ("kv_heads", CORRUPT, 65537, "layer 0: kv_heads is 65537"),
    ("kv_heads", CORRUPT, 2**32, "defaults.kv_heads is 4294967296"),
    ("kv_heads", CORRUPT, 2.0, "defaults.kv_heads is 2.0"),
    ("kv_heads", CORRUPT, None, "defaults.kv_heads is null"),
    ("key_dim", CORRUPT, 1025, "layer 0: key_dim is 1025"),
    ("value_dim", CORRUPT, 1025, "layer 0: value_dim is 1025"),
    ("key_format", UNSUPPORTED, "tq3", 'defaults.key_format is "tq3"'),
    ("key_format", CORRUPT, 1, "defaults.key_format is 1"),
    ("value_format", UNSUPPORTED, "", 'defaults.value_format is ""'),
    ("group_size", CORRUPT, 48, "layer 0: key_group_size is 48"),
    ("value_group_size", CORRUPT, 0, "layer 0: value_group_size is 0"),
    ("rotation_block", CORRUPT, 3, "layer 0: key_rotation_block is 3"),
    ("value_rotation_block", CORRUPT, 128, "layer 0: value_rotation_block is 128"),
    ("center_keys", CORRUPT, 1, "defaults.center_keys is 1"),
    ("scale_search", CORRUPT, "true", 'defaults.scale_search is "true"'),
    ("sink_tokens", CORRUPT, 65, "layer 0: sink_tokens is 65"),
    ("recent_blocks", CORRUPT, 1025, "layer 0: recent_blocks is 1025"),
    ("exact_dtype", UNSUPPORTED, "float32", 'defaults.exact_dtype is "float32"'),
    ("exact_dtype", CORRUPT, 2, "defaults.exact_dtype is 2"),
    ("window", CORRUPT, -1, "defaults.window is -1"),
    ("seed", CORRUPT, 2**64, "defaults.seed is 18446744073709551616"),
    ("seed", CORRUPT, -1, "defaults.seed is -1"),
    ("seed", CORRUPT, 1.5, "defaults.seed is 1.5"),
    ("seed", CORRUPT, "12", 'defaults.seed is "12"'),
    ("seed", CORRUPT, "0x", 'defaults.seed is "0x"'),
    ("seed", CORRUPT, "0x-1", 'defaults.seed is "0x-1"'),
    ("seed", CORRUPT, "0x1g", 'defaults.seed is "0x1g"'),
    ("seed", CORRUPT, "0x10000000000000000", 'defaults.seed is "0x10000000000000000"'),
]


def refused() -> Iterator[tuple[str, str, list[str], bytes]]:
    for name, (status, words, text) in NO_JSON.items():
        yield name, status, words, text
    for name, (status, words, content) in WRONG.items():
        yield name, status, words, to_text(content)
    for field, status, value, words in WRONG_FIELDS:
        yield f"{field} {json.dumps(value)}", status, [words], to_text(changed("defaults", field, to=value))
    late = with_layers({"layer": 0}, {"layer": 2, "sink_tokens": 65})
    yield "sink_tokens of one layer", CORRUPT, ["layer 2: sink_tokens is 65; expected 0 to 64"], to_text(late)


def to_text(content: Any) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def file_name(kind: str, name: str) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_")
    return f"profiles/{kind}_{letters}.json"


def read_case(name: str, file: str, profile: Options, fingerprint: str | None = None) -> Case:
    return {
        "name": name,
        "file": file,
        "fingerprint": fingerprint,
        "status": "TQ_OK",
        "message": [],
        "model_name": profile["model"]["name"],
        "model_fingerprint": profile["model"]["fingerprint"],
        "layers": layers_of(profile),
    }


def refused_case(name: str, file: str, status: str, words: list[str], fingerprint: str | None = None) -> Case:
    nothing = {"model_name": "", "model_fingerprint": "", "layers": []}
    return {"name": name, "file": file, "fingerprint": fingerprint, "status": status, "message": words} | nothing


def cases() -> Iterator[Case]:
    for name, profile in READ.items():
        yield read_case(name, file_name("read", name), profile)
    example, right = file_name("read", next(iter(READ))), EXAMPLE["model"]["fingerprint"]
    yield read_case("the right fingerprint", example, EXAMPLE, right)
    for name, status, words, _ in refused():
        yield refused_case(name, file_name("refused", name), status, words)
    for wrong in ("", "books-tiny/4x2x6", right + " ", "another/4x2x64"):
        words = ["books-tiny", f"'{right}'", f"fingerprint is '{wrong}'"]
        yield refused_case(f"the fingerprint '{wrong}'", example, INVALID, words, wrong)


def texts() -> dict[str, bytes]:
    """The bytes of every file in profiles/."""
    made = [(file_name("read", name), to_text(profile)) for name, profile in READ.items()]
    made += [(file_name("refused", name), text) for name, _, _, text in refused()]
    assert len(dict(made)) == len(made), "two cases write the same file"
    return dict(made)

"""What a compressed cache does to a model: measured, tuned and compared on one's own texts.

The commands ``turboquant eval``, ``turboquant tune`` and ``turboquant compare`` are thin; all they do is here and can
be called from Python. torch and transformers come with the extra: ``pip install 'libturboquant[eval]'``.

    from libturboquant.evaluation.evaluate import Plan, evaluate
    from libturboquant.evaluation.model import load_model
    from libturboquant.evaluation.settings import parse_setting

    subject = load_model("path/to/model")
    report = evaluate(subject, text, [parse_setting("16bit"), parse_setting("default")], Plan())

Without torch: `settings` (how settings are written), `profile` (files of settings), `metrics`, `bootstrap`.
With torch: `model`, `caches`, `lockstep`, `attention_error`, `speed`, `needle`, `evaluate`, `tune`, `compare`.
"""

from .errors import EvaluationError
from .profile import load_profile, save_profile
from .settings import Setting, parse_setting

__all__ = ["EvaluationError", "Setting", "load_profile", "parse_setting", "save_profile"]

"""extract_snippets.py README FOLDER: writes every code block that follows `<!-- file: NAME -->` to FOLDER/NAME.

So what people copy from the README is what the tests build. Fails if there is no such block.
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def main(readme: str, folder: str) -> int:
    blocks = BLOCK.findall(Path(readme).read_text(encoding="utf-8"))
    for name, text in blocks:
        target = Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"{target}: {len(text.splitlines())} lines")
    if not blocks:
        print(f"{readme}: no block marked with <!-- file: NAME -->")
    return 0 if blocks else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

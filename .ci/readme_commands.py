"""Print command 1 (install and predict) or 2 (all tests) of the README, as a reader would copy it."""

import re
import sys
from pathlib import Path

HOLDS = {"1": ("pip install", "mtpsim predict"), "2": ("pip install", "pytest")}

words = HOLDS[sys.argv[1]]
readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
blocks = re.findall(r"^```sh\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
found = [block for block in blocks if all(word in block for word in words)]
if len(found) != 1:
    raise SystemExit(f"README.md: expected exactly one sh block with {' and '.join(words)}, found {len(found)}")
print(found[0], end="")

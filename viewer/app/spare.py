"""A viewer that has loaded everything and waits: the first line of its standard input, JSON, says which case, for whom, and how long without use.

Loading takes most of a viewer's start, so that the server keeps one such process ready. It ends when the standard input closes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ccta.errors import CctaError
from viewer.app.main import serve


def main() -> int:
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    order = json.loads(line)
    try:
        serve(Path(order["case"]), open_browser=False, idle_minutes=order["idle_minutes"], author=order["author"], attached=True)
    except CctaError as error:
        print(f"viewer: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

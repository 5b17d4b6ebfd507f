"""The command `tether`, also `python -m tether.runners`."""

from __future__ import annotations

import signal
import sys

INTERRUPTED = 130


def interrupted(_signal: int, _frame: object) -> None:
    """End as Ctrl-C does, for a SIGTERM while no run obeys it yet."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly at any time, while it imports too."""
    try:
        if sys.platform == "win32":
            sys.exit("tether runs on Linux and macOS; on Windows, run it inside WSL")
        signal.signal(signal.SIGTERM, interrupted)
        from tether.runners.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()

"""Fails when protos/ break the wire contract against the last commit of the main line. Run by `make proto-breaking`.

Compared with `main` when on a branch, and with the commit before when on `main` itself.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> str:
    """One git answer, "" when git has none."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def base() -> str:
    """The commit to compare with; "" when there is none that holds protos."""
    main = git("rev-parse", "--verify", "--quiet", "origin/main") or git("rev-parse", "--verify", "--quiet", "main")
    here = git("rev-parse", "HEAD")
    against = git("rev-parse", "--verify", "--quiet", "HEAD~1") if main in {"", here} else main
    return against if against and git("ls-tree", "--name-only", against, "protos/sluis/v1/") else ""


def main() -> int:
    """Runs `buf breaking`."""
    against = base()
    if not against:
        print("no earlier protos to compare with")
        return 0
    buf = Path(sys.executable).parent / "buf"
    done = subprocess.run([str(buf), "breaking", "--against", f".git#ref={against}"], cwd=ROOT, check=False)
    print("the wire contract does not break" if done.returncode == 0 else "the wire contract breaks; see above")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

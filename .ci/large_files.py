"""Refuse files that would swell the repository for good: `python .ci/large_files.py FILE …`."""

import sys
from pathlib import Path

LIMIT = 1_000_000  # bytes

if __name__ == '__main__':
    large = [p for p in map(Path, sys.argv[1:]) if p.is_file() and p.stat().st_size > LIMIT]
    for path in large:
        print(
            f'{path} has {path.stat().st_size / 1e6:.1f} MB; keep files below {LIMIT / 1e6:g} MB (clear outputs, or store pictures as JPEG)'
        )
    sys.exit(bool(large))

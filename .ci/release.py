"""What is new in a version: `python .ci/release.py v1.2.3` prints its section of the changelog.

Fails where the tag is not the version of settings.ini, or where the changelog does not date it.
"""

import re
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def notes(tag: str, version: str, changelog: str) -> str:
    "The section of a version; raises ValueError where there is none to release."
    if tag != f'v{version}':
        raise ValueError(
            f'the tag is {tag}, but settings.ini says {version}; expected the tag v{version}'
        )
    section = re.search(
        rf'^## {re.escape(version)} \((.*?)\)\n(.*?)(?=^## |\Z)', changelog, re.M | re.S
    )
    if not section:
        raise ValueError(f'CHANGELOG.md has no section "## {version} (date)"')
    if not re.fullmatch(r'\d{4}-\d\d-\d\d', section[1]):
        raise ValueError(
            f'CHANGELOG.md says {version} ({section[1]}); expected its date, such as 2026-01-31'
        )
    return section[2].strip()


if __name__ == '__main__':
    config = ConfigParser(delimiters=['='])
    config.read(ROOT / 'settings.ini', encoding='utf-8')
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(
            notes(
                sys.argv[1],
                config['DEFAULT']['version'],
                (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8'),
            )
        )
    except ValueError as e:
        sys.exit(f'release: {e}')

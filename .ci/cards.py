"""Quoted numbers are measured ones: `python .ci/cards.py` writes them into cards and pages; `python .ci/cards.py faces-64` measures first.

`data/weights/NAME.json` is what `glownb score NAME` wrote, and the SHA-256 of the weights that it was measured on. Of it are made the
table of figures in the card beside it, and every number, in any card or page, that stands before `<!-- NAME: figure -->`; such a number
keeps its decimal places, and its % where it has one. With `--score FOLDER` a score is taken from there instead of measuring again. A
Glow for photos is measured on people who posed, `--people FOLDERS` as for `glownb score`; its card has no table of figures, and quotes.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from package import ROOT

TABLE = re.compile(r'^\| figure \|.*\n(?:\|.*\n)+(?:\nNot reached: .*\n)?', re.M)
QUOTED = re.compile(r'([-−]?\d+(?:\.\d+)?)( ?%)?<!-- ([\w.-]+): (.+?) -->')


def records(root: Path) -> dict[str, dict]:
    "What was measured, by the name of the weights."
    found = sorted((root / 'data' / 'weights').glob('*.json'))
    return {p.stem: json.loads(p.read_text(encoding='utf-8')) for p in found}


def shown(figure: dict | None) -> str:
    "A figure as the table has it."
    if figure is None or figure['value'] is None:
        return 'not measured' if figure else ''
    return f'{figure["value"]:.4g} {figure["unit"]}'.strip()


def table(record: dict) -> str:
    "The table of a card, and what is not reached."
    twin = {f['name']: f for f in record.get('twin') or []}
    said = {True: 'yes', False: 'no', None: ''}
    head = ['figure', 'value', *(['untaught'] if twin else []), 'expected', 'reached']
    rows = [head, ['---'] * len(head)]
    for f in record['figures']:
        other = [shown(twin.get(f['name']))] if twin else []
        rows.append([f['name'], shown(f), *other, f['expected'], said[f['reached']]])
    missed = [f['name'] for f in record['figures'] if f['reached'] is False]
    lines = [f'| {" | ".join(row)} |' for row in rows]
    return '\n'.join(lines + (['', f'Not reached: {"; ".join(missed)}.'] if missed else [])) + '\n'


def quoted(found: re.Match, known: dict[str, dict], complain: Callable[[str], None]) -> str:
    "A number that a text quotes, as it was measured."
    number, percent, name, what = found.groups()
    figures = {f['name']: f['value'] for f in known.get(name, {}).get('figures', [])}
    if figures.get(what) is None:
        complain(f'quotes {name}: {what}, which data/weights/{name}.json does not hold')
        return found[0]
    value = figures[what] * (100 if percent else 1)
    places = len(number.partition('.')[2])
    return f'{value:.{places}f}'.replace('-', '−') + f'{percent or ""}<!-- {name}: {what} -->'


def texts(root: Path) -> list[Path]:
    "Where numbers may be quoted: cards, and pages."
    return sorted((root / 'data').rglob('*.md')) + sorted((root / 'nbs').rglob('*.ipynb'))


def anew(path: Path, known: dict[str, dict], complain: Callable[[str], None]) -> str:
    "A text with the numbers that were measured."
    text = path.read_text(encoding='utf-8')
    if path.parent.name == 'weights' and path.stem in known and 'people' not in known[path.stem]:
        if not TABLE.search(text):
            complain('has no table of figures, which begins with | figure |')
        text = TABLE.sub(lambda _: table(known[path.stem]), text)
    return QUOTED.sub(lambda found: quoted(found, known, complain), text)


def stale_numbers(root: Path) -> list[str]:
    "Texts whose numbers are not those that were measured, and measurements of other weights."
    known, wrong = records(root), []
    for name, record in known.items():
        weights = root / 'data' / 'weights' / f'{name}.safetensors'
        if weights.exists() and sha256(weights) != record['sha256']:
            wrong.append(
                f'data/weights/{name}.json was measured on other weights; run python .ci/cards.py {name}'
            )
    for path in texts(root) if (root / 'data' / 'weights').exists() else []:
        said = []
        if anew(path, known, said.append) != path.read_text(encoding='utf-8'):
            said.append('quotes other numbers than were measured; run python .ci/cards.py')
        wrong += [f'{path.relative_to(root)} {line}' for line in said]
    return wrong


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def of_people(record: dict) -> dict:
    "A score on people who posed, whose figures stand by expression, as other scores are kept."
    figures = [
        dict(name=f'{expression}: {name}', value=value)
        for expression, of in record['figures'].items()
        for name, value in of.items()
    ]
    return record | dict(people='who posed', figures=figures)


def measure(
    root: Path, name: str, folder: Path | None, twin: str | None, people: str | None
) -> None:
    "Keep the score of weights, measured now or taken from `folder`."
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            folder = Path(temporary)
            command = [sys.executable, '-c', 'from glownb.cli import main; main()', 'score', name]
            more = ['--twin', twin] if twin else ['--people', people] if people else []
            subprocess.run([*command, *more, '--out', folder], cwd=root, check=True)
        file = folder / f'{name}{"-people" * bool(people)}.json'
        record = json.loads(file.read_text(encoding='utf-8'))
    if people:
        record = of_people(record)
    record['sha256'] = sha256(root / 'data' / 'weights' / f'{name}.safetensors')
    text = json.dumps(record, indent=1, ensure_ascii=False) + '\n'
    (root / 'data' / 'weights' / f'{name}.json').write_text(text, encoding='utf-8')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('name', nargs='?', help='weights that ship, to be measured')
    parser.add_argument('--score', type=Path, help='folder of a score that was measured already')
    parser.add_argument('--twin', help='as for glownb score')
    parser.add_argument('--people', help='as for glownb score: people who posed')
    args = parser.parse_args()
    if args.name:
        measure(ROOT, args.name, args.score, args.twin, args.people)
    known = records(ROOT)
    for path in texts(ROOT):
        new = anew(path, known, lambda line, path=path: print(f'cards: {path.name} {line}'))
        if new != path.read_text(encoding='utf-8'):
            path.write_text(new, encoding='utf-8')
            print('written', path.relative_to(ROOT))
    subprocess.run([sys.executable, ROOT / '.ci' / 'readme.py'], check=True)
    return bool(stale_numbers(ROOT))


if __name__ == '__main__':
    sys.exit(main())

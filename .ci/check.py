"""Do notebooks and package agree? `python .ci/check.py` prints one line for each thing that is wrong and fails if there is one.

Checked on a copy, so that nothing here changes: `nbdev_export` and `nbdev_clean` would leave every file as it is; README.md is that of
index.ipynb. A room has a number of its own and the name of its module, imports only lower-numbered ones, and fits `MAX_LINES`; a public
name means one thing in the package, and each folder offers the names of its modules. Numbers that cards and pages quote are those that
were measured. Every figure notebook has a cell tagged
`parameters`, an exported cell uses only exported names, and ruff finds nothing and would change no notebook.
"""

import ast
import builtins
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cards import stale_numbers

from fronts import stale_fronts
from package import ROOT, modules, public_names

MAX_LINES = 700  # of code in a module


def cells(path: Path) -> list[dict]:
    "The code cells of a notebook: `source` and `tags`."
    code = [
        c for c in json.loads(path.read_text(encoding='utf-8'))['cells'] if c['cell_type'] == 'code'
    ]
    return [dict(source=''.join(c['source']), tags=c['metadata'].get('tags', [])) for c in code]


def is_exported(cell: dict) -> bool:
    return bool(re.search(r'^#\|\s*export', cell['source'], re.M))


def copy_files(root: Path, folder: Path) -> None:
    "What git tracks or would track, without the data."
    listed = subprocess.run(
        ['git', 'ls-files', '-co', '--exclude-standard', '-z'],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split('\0')):
        if not name.startswith('data/') and (root / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name, follow_symlinks=False)


def changed_by_nbdev(root: Path) -> list[str]:
    "Files that exporting or cleaning would change."
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / 'copy'
        copy_files(root, copy)
        for command in ('nbdev_export', 'nbdev_clean'):
            subprocess.run(
                [Path(sys.executable).with_name(command)],
                cwd=copy,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        made = sorted(
            p.relative_to(copy)
            for pattern in ('nbs/**/*.ipynb', 'glownb/**/*.py')
            for p in copy.glob(pattern)
        )
        same = lambda name: (
            (root / name).exists() and (copy / name).read_bytes() == (root / name).read_bytes()
        )
        return [
            f'nbdev_export or nbdev_clean changes {name}; run make prepare'
            for name in made
            if not same(name)
        ]


class Room:
    "A library notebook: `41_people.head.ipynb` is number 41 and makes the module `people.head`."

    def __init__(self, path: Path):
        self.path, self.cells = path, cells(path)
        self.number, self.name = int(path.name[:2]), path.stem[3:]
        named = (re.search(r'default_exp:? (\S+)', c['source']) for c in self.cells)
        self.module = next((m[1] for m in named if m), None)

    def imports(self) -> set[str]:
        "What exported cells import from the package, as dotted paths below it."
        found = set()
        for cell in filter(is_exported, self.cells):
            for node in ast.walk(ast.parse(cell['source'])):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [node.module or '']
                found |= {n.removeprefix('glownb.') for n in names if n.startswith('glownb.')}
        return found


def rooms(root: Path) -> list[Room]:
    return [Room(p) for p in sorted((root / 'nbs').glob('[0-9][0-9]_*.ipynb'))]


def misnamed_rooms(root: Path) -> list[str]:
    "Notebooks whose number or name belongs to another one, or whose name is not that of their module."
    wrong, seen = [], {}
    for room in rooms(root):
        other = seen.setdefault(room.number, room)
        if other is not room:
            wrong.append(f'{room.path.name} and {other.path.name} are both number {room.number}')
        if room.module not in (room.name, None):  # None: a room that only tests
            wrong.append(f'{room.path.name} makes the module {room.module}, not {room.name}')
    return wrong


def upward_imports(root: Path) -> list[str]:
    "Exported imports of a module whose notebook has the same or a higher number, or of a whole folder."
    number = {room.module: room.number for room in rooms(root)}
    wrong = []
    for room in rooms(root):
        for used in sorted(room.imports()):
            if used not in number:
                wrong.append(f'{room.module} imports {used}, which is no module made by a notebook')
            elif number[used] >= room.number:
                wrong.append(
                    f'{room.module} (number {room.number}) imports {used} (number {number[used]}), '
                    'but a notebook imports only lower-numbered ones'
                )
    return wrong


def long_modules(root: Path) -> list[str]:
    "Modules of more than `MAX_LINES` lines, blank lines and comments aside."
    wrong = []
    for path in modules(root):
        lines = path.read_text(encoding='utf-8').splitlines()
        n = sum(1 for line in lines if line.strip() and not line.lstrip().startswith('#'))
        if n > MAX_LINES:
            wrong.append(f'{path.relative_to(root)} has {n} lines of code; split it at {MAX_LINES}')
    return wrong


def names_of_two(root: Path) -> list[str]:
    "Public names that two modules define."
    wrong, seen = [], {}
    for path in modules(root):
        for name in public_names(path):
            other = seen.setdefault(name, path)
            if other is not path:
                both = f'{other.relative_to(root)} and {path.relative_to(root)}'
                wrong.append(f'{both} both export {name}; a name means one thing in the package')
    return wrong


def lost_parameters(root: Path) -> list[str]:
    "Figure notebooks without a cell tagged `parameters`, which papermill needs."
    return [
        f'{p.relative_to(root)} has no cell tagged parameters'
        for p in sorted((root / 'nbs' / 'figures').glob('*.ipynb'))
        if not any('parameters' in c['tags'] for c in cells(p))
    ]


class Names(ast.NodeVisitor):
    "Names that code defines at its top level, and names that it uses and defines nowhere."

    def __init__(self):
        self.defined, self.used = set(), set()

    def visit_Name(self, node):
        (self.used if isinstance(node.ctx, ast.Load) else self.defined).add(node.id)

    def visit_arg(self, node):
        self.defined.add(node.arg)
        self.generic_visit(node)

    def visit_alias(self, node):
        self.defined.add((node.asname or node.name).split('.')[0])

    def visit_ExceptHandler(self, node):
        self.defined.add(node.name)
        self.generic_visit(node)

    def _definition(self, node):
        self.defined.add(node.name)
        self.generic_visit(node)

    visit_FunctionDef = visit_ClassDef = visit_AsyncFunctionDef = _definition

    def visit_MatchAs(self, node):
        self.defined.add(node.name)
        self.generic_visit(node)


def unexported_names(root: Path) -> list[str]:
    "Names that exported cells use, but that no exported cell of the notebook defines or imports."
    wrong = []
    for path in sorted((root / 'nbs').glob('[0-9][0-9]_*.ipynb')):
        names = Names()
        for cell in cells(path):
            if is_exported(cell):
                names.visit(ast.parse(cell['source']))
        unknown = names.used - names.defined - set(dir(builtins)) - {'__file__', '__name__'}
        wrong += [
            f'{path.relative_to(root)}: exported cells use {name}, which is not exported'
            for name in sorted(unknown)
        ]
    return wrong


def stale_readme(root: Path) -> list[str]:
    "Whether README.md is not that of index.ipynb."
    stale = subprocess.run(
        [sys.executable, root / '.ci' / 'readme.py', '--check'], stderr=subprocess.DEVNULL
    ).returncode
    return ['README.md is not that of nbs/index.ipynb; run make prepare'] if stale else []


def ruff(root: Path, *words: str) -> list[str]:
    "What one of ruff's commands says, a line each."
    command = [Path(sys.executable).with_name('ruff'), *words, '--no-cache', '--quiet']
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode > 1:
        raise SystemExit(f'check: ruff failed: {done.stderr.strip()}')
    return done.stdout.splitlines()


def lint(root: Path) -> list[str]:
    "What ruff finds with the rules of ruff.toml."
    return ruff(root, 'check', '--output-format', 'concise', '.')


def unformatted(root: Path) -> list[str]:
    "Notebooks and scripts that `ruff format` would change."
    said = ruff(root, 'format', '--check', '--output-format', 'concise', '.')
    names = sorted({line.split(':')[0] for line in said})
    return [f'{name} is not formatted; run ruff format' for name in names]


CHECKS = (
    changed_by_nbdev,
    misnamed_rooms,
    upward_imports,
    long_modules,
    names_of_two,
    stale_fronts,
    lost_parameters,
    unexported_names,
    stale_readme,
    stale_numbers,
    lint,
    unformatted,
)


def problems(root: Path) -> list[str]:
    "Everything that is wrong, a line each."
    return [line for check in CHECKS for line in check(root)]


def tell(who: str, lines: list[str], all_is_well: str) -> bool:
    "Print what is wrong, a line each, or that nothing is; whether something is wrong."
    for line in lines:
        print(f'{who}:', line, file=sys.stderr)
    if not lines:
        print(f'{who}: {all_is_well}')
    return bool(lines)


if __name__ == '__main__':
    sys.exit(
        tell(
            'check',
            problems(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT),
            'notebooks and package agree',
        )
    )

"""Do notebooks and package agree? `python .ci/check.py` prints one line for each thing that is wrong and fails if there is one.

Checked on a copy, so that nothing here changes: `nbdev_export` and `nbdev_clean` would leave every file as it is, README.md is that of
index.ipynb, a notebook imports only lower-numbered ones, every figure notebook has a cell tagged `parameters`, an exported cell uses
only exported names, and ruff finds nothing.
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

ROOT = Path(__file__).resolve().parents[1]


def cells(path: Path) -> list[dict]:
    "The code cells of a notebook: `source` and `tags`."
    code = [c for c in json.loads(path.read_text(encoding='utf-8'))['cells'] if c['cell_type'] == 'code']
    return [dict(source=''.join(c['source']), tags=c['metadata'].get('tags', [])) for c in code]


def is_exported(cell: dict) -> bool: return bool(re.search(r'^#\|\s*export', cell['source'], re.M))


def copy_files(root: Path, folder: Path) -> None:
    "What git tracks or would track, without the data."
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=root, capture_output=True, text=True, check=True).stdout
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
            subprocess.run([Path(sys.executable).with_name(command)], cwd=copy, check=True, stdout=subprocess.DEVNULL)
        made = sorted(p.relative_to(copy) for pattern in ('nbs/**/*.ipynb', 'glownb/*.py') for p in copy.glob(pattern))
        same = lambda name: (root / name).exists() and (copy / name).read_bytes() == (root / name).read_bytes()
        return [f'nbdev_export or nbdev_clean changes {name}; run make prepare' for name in made if not same(name)]


def upward_imports(root: Path) -> list[str]:
    "Exported imports of a module whose notebook has the same or a higher number."
    number, used = {}, {}
    for path in sorted((root / 'nbs').glob('[0-9][0-9]_*.ipynb')):
        code = cells(path)
        module = next((m[1] for c in code if (m := re.search(r'default_exp:? (\S+)', c['source']))), None)
        number[module] = int(path.name[:2])
        used[module] = {m for c in code if is_exported(c) for m in re.findall(r'(?:from|import) glownb\.(\w+)', c['source'])}
    return [f'{m} (number {number[m]}) imports {u} (number {number.get(u, "unknown")}), but a notebook imports only lower-numbered ones'
            for m in used for u in sorted(used[m]) if number.get(u, 100) >= number[m]]


def lost_parameters(root: Path) -> list[str]:
    "Figure notebooks without a cell tagged `parameters`, which papermill needs."
    return [f'{p.relative_to(root)} has no cell tagged parameters' for p in sorted((root / 'nbs' / 'figures').glob('*.ipynb'))
            if not any('parameters' in c['tags'] for c in cells(p))]


class Names(ast.NodeVisitor):
    "Names that code defines at its top level, and names that it uses and defines nowhere."
    def __init__(self): self.defined, self.used = set(), set()
    def visit_Name(self, node): (self.used if isinstance(node.ctx, ast.Load) else self.defined).add(node.id)
    def visit_arg(self, node): self.defined.add(node.arg); self.generic_visit(node)
    def visit_alias(self, node): self.defined.add((node.asname or node.name).split('.')[0])
    def visit_ExceptHandler(self, node): self.defined.add(node.name); self.generic_visit(node)
    def _definition(self, node): self.defined.add(node.name); self.generic_visit(node)
    visit_FunctionDef = visit_ClassDef = visit_AsyncFunctionDef = _definition
    def visit_MatchAs(self, node): self.defined.add(node.name); self.generic_visit(node)


def unexported_names(root: Path) -> list[str]:
    "Names that exported cells use, but that no exported cell of the notebook defines or imports."
    wrong = []
    for path in sorted((root / 'nbs').glob('[0-9][0-9]_*.ipynb')):
        names = Names()
        for cell in cells(path):
            if is_exported(cell): names.visit(ast.parse(cell['source']))
        unknown = names.used - names.defined - set(dir(builtins)) - {'__file__', '__name__'}
        wrong += [f'{path.relative_to(root)}: exported cells use {name}, which is not exported' for name in sorted(unknown)]
    return wrong


def stale_readme(root: Path) -> list[str]:
    "Whether README.md is not that of index.ipynb."
    stale = subprocess.run([sys.executable, root / '.ci' / 'readme.py', '--check'], stderr=subprocess.DEVNULL).returncode
    return ['README.md is not that of nbs/index.ipynb; run make prepare'] if stale else []


def lint(root: Path) -> list[str]:
    "What ruff finds with the rules of ruff.toml."
    done = subprocess.run([Path(sys.executable).with_name('ruff'), 'check', '--output-format', 'concise', '--no-cache', '--quiet', '.'], cwd=root, capture_output=True, text=True)
    if done.returncode > 1: raise SystemExit(f'check: ruff failed: {done.stderr.strip()}')
    return done.stdout.splitlines()


def problems(root: Path) -> list[str]:
    "Everything that is wrong, a line each."
    return [line for check in (changed_by_nbdev, upward_imports, lost_parameters, unexported_names, stale_readme, lint) for line in check(root)]


def tell(who: str, lines: list[str], all_is_well: str) -> bool:
    "Print what is wrong, a line each, or that nothing is; whether something is wrong."
    for line in lines: print(f'{who}:', line, file=sys.stderr)
    if not lines: print(f'{who}: {all_is_well}')
    return bool(lines)


if __name__ == '__main__':
    sys.exit(tell('check', problems(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT), 'notebooks and package agree'))

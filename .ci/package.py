"The modules of the package, and what they export."

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def modules(root: Path) -> list[Path]:
    "The files of the package that notebooks make."
    files = (root / 'glownb').rglob('*.py')
    return sorted(p for p in files if p.name not in ('__init__.py', '_modidx.py'))


def public_names(path: Path) -> list[str]:
    "What a module exports."
    tree = ast.parse(path.read_text(encoding='utf-8'))
    assigned = (n for n in tree.body if isinstance(n, ast.Assign))
    exported = (n.value for n in assigned if ast.unparse(n.targets[0]) == '__all__')
    return next((ast.literal_eval(value) for value in exported), [])

"""How dense is the code? `python .ci/density.py [FOLDER …]` prints a row for each package: that of this repository, or those given.

A package is a folder of modules, or a repository of ours. Lines are those that hold code: blank lines, comments and docstrings aside.
The last column needs notebooks beside the package, and counts the lines of the cells that it is exported from.
"""

import ast
import re
import statistics
import sys
from pathlib import Path

from check import cells, is_exported
from package import ROOT

HEAD = ('characters a line', 'over 140', 'longest', 'lambdas in 1000', 'lines a cell')
LONG = 140


def docstring_lines(tree: ast.AST) -> set[int]:
    "The lines of all docstrings."
    lines = set()
    for node in ast.walk(tree):
        body = getattr(node, 'body', None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            said = body[0].value
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                lines.update(range(said.lineno, said.end_lineno + 1))
    return lines


def code_lines(source: str) -> dict[int, str]:
    "Lines that hold code, by number."
    skipped = docstring_lines(ast.parse(source))
    return {
        i: line
        for i, line in enumerate(source.splitlines(), 1)
        if i not in skipped and line.strip() and not line.lstrip().startswith('#')
    }


def body_lines(source: str) -> list[str]:
    "Lines of code in the bodies of public functions and methods, without what is nested twice."
    lines, inside = code_lines(source), set()
    for node in ast.walk(ast.parse(source)):
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if is_function and not node.name.startswith('_'):
            inside.update(range(node.body[0].lineno, node.end_lineno + 1))
    return [lines[i] for i in sorted(inside) if i in lines]


def measure(modules: list[Path], notebooks: list[Path]) -> list[float]:
    "The columns of a row."
    sources = [p.read_text(encoding='utf-8') for p in modules]
    bodies = [line.strip() for s in sources for line in body_lines(s)]
    everything = [line for s in sources for line in s.splitlines() if line.strip()]
    written = [line for s in sources for line in code_lines(s).values()]
    lambdas = sum(len(re.findall(r'\blambda\b', line)) for line in written)
    exported = [c['source'] for p in notebooks for c in cells(p) if is_exported(c)]
    lengths = [sum(bool(x.strip()) and x[:2] != '#|' for x in s.splitlines()) for s in exported]
    return [
        statistics.mean(map(len, bodies)),
        100 * sum(len(line) > LONG for line in everything) / len(everything),
        max(map(len, everything)),
        1000 * lambdas / len(written),
        statistics.median(lengths) if lengths else float('nan'),
    ]


def row(folder: Path) -> list[float]:
    "What is measured of a package."
    package = folder / 'glownb' if (folder / 'nbs').is_dir() else folder
    modules = [p for p in package.rglob('*.py') if p.name != '_modidx.py']
    return measure(modules, sorted((folder / 'nbs').glob('[0-9][0-9]_*.ipynb')))


if __name__ == '__main__':
    print(f'{"":30}', *(f'{head:>18}' for head in HEAD))
    for folder in map(Path, sys.argv[1:] or [ROOT]):
        a, b, c, d, e = row(folder)
        print(f'{folder.name[-30:]:30} {a:18.1f} {b:17.2f}% {c:18} {d:18.1f} {e:18g}')

"""Do the tests bite? `python .ci/mutate.py [NOTEBOOK …] [--sample N] [--seed N] [--workers N]` breaks one thing in an exported cell, runs that notebook, and reports what nobody noticed.

A mutant swaps a comparison, an operator, `and` and `or` or a truth value, drops a `not` or a minus, moves a constant, or leaves a
statement out, in one place. Its notebook should fail; one that passes is a survivor, and stands in the report with its line. Left alone
are words (errors, warnings, what is printed) and the settings of a training, which are a choice that only a long run could judge. Without
notebooks, those of the flow, the method, the judges and the training are tried. Every notebook runs once unchanged before. Each mutant
runs in a process of its own and is killed when it takes three times as long as the notebook. Nothing in the checkout changes.
"""

import argparse
import ast
import contextlib
import copy
import json
import multiprocessing as mp
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = r"#\|\s*default_exp (flow|method|judges|training)\."
SETTINGS = ('TrainConfig', 'TeachConfig')  # classes whose defaults and keywords are settings
LEAST = 0.9  # share of mutants that tests must notice

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    "One change to one exported cell."

    notebook: Path
    cell: int  # its index
    number: int  # of the change within the cell
    line: str  # as it stands
    change: str  # in words
    source: str  # the whole cell after the change


def notebooks(root: Path) -> list[Path]:
    "The notebooks whose tests must bite."
    return [
        p
        for p in sorted((root / 'nbs').glob('[0-9][0-9]_*.ipynb'))
        if re.search(ROOMS, p.read_text(encoding='utf-8'))
    ]


def swapped(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    "What may stand in the place of an expression, each with words for the change."
    new = copy.copy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        new.ops = [COMPARISONS[type(node.ops[0])](), *node.ops[1:]]
        yield new, 'another comparison'
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        new.op = OPERATORS[type(node.op)]()
        yield new, 'another operator'
    elif isinstance(node, ast.BoolOp):
        new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield new, '"and" for "or", or the other way round'
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand, 'without its "not" or minus'
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value), f'{not node.value} for {node.value}'
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1), f'{node.value + 1} for {node.value}'
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(node.value * 1.5 + 0.1), f'{node.value * 1.5 + 0.1:g} for {node.value:g}'


def left_out(node: ast.AST) -> bool:
    "Whether a statement can go without leaving a name undefined."
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and not silent(node.value)
    if isinstance(node, ast.Assign):
        return all(isinstance(t, (ast.Attribute, ast.Subscript)) for t in node.targets)
    guards = isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Raise)
    return guards or isinstance(node, ast.AugAssign)


def silent(node: ast.AST) -> bool:
    "Words and annotations, which change nothing that a test should judge."
    return isinstance(node, (ast.JoinedStr, ast.Raise)) or (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ('progress', 'print', 'warnings.warn')
    )


def is_setting(parent: ast.AST, node: ast.AST) -> bool:
    "What a training is set to: a default, or a keyword of a call."
    if isinstance(parent, ast.ClassDef):
        return parent.name in SETTINGS and isinstance(node, ast.AnnAssign)
    return (
        isinstance(parent, ast.Call)
        and isinstance(node, ast.keyword)
        and ast.unparse(parent.func) in SETTINGS
    )


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    "Every child that may change: its parent, the field, and the place within a list."
    for name, value in ast.iter_fields(tree):
        if name in ('annotation', 'returns', 'decorator_list') or (
            name == 'slice' and isinstance(tree, ast.Subscript) and isinstance(tree.ctx, ast.Store)
        ):
            continue
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or silent(child) or is_setting(tree, child):
                continue
            yield tree, name, i if isinstance(value, list) else None
            yield from places(child)


def child_at(parent: ast.AST, name: str, i: int | None) -> ast.AST:
    value = getattr(parent, name)
    return value if i is None else value[i]


def put(parent: ast.AST, name: str, i: int | None, new: ast.AST) -> None:
    if i is None:
        setattr(parent, name, new)
    else:
        getattr(parent, name)[i] = new


def mutants_of(notebook: Path) -> list[Mutant]:
    "Every change to every function of a notebook's exported cells."
    found = []
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    for k, cell in enumerate(cells):
        source = ''.join(cell['source'])
        if cell['cell_type'] != 'code' or not re.search(r'^#\|\s*export', source, re.M):
            continue
        directives = ''.join(line + '\n' for line in source.splitlines() if line.startswith('#|'))
        tree, lines = ast.parse(source), source.splitlines()
        for parent, name, i in list(places(tree)):
            old = child_at(parent, name, i)
            news = list(swapped(old)) + [(ast.Pass(), 'left out')] * left_out(old)
            for new, words in news:
                put(parent, name, i, new)
                with contextlib.suppress(ValueError, AttributeError):
                    changed = ast.unparse(ast.fix_missing_locations(tree))
                    line = lines[getattr(old, 'lineno', getattr(parent, 'lineno', 1)) - 1].strip()
                    found.append(Mutant(notebook, k, len(found), line, words, directives + changed))
                put(parent, name, i, old)
    return found


def stage(folder: Path) -> Path:
    "A checkout made of links, in which a changed notebook can stand without touching this one."
    root = folder / 'project'
    (root / 'nbs').mkdir(parents=True)
    for p in ROOT.iterdir():
        if p.name not in ('nbs', '.git', '.venv'):
            (root / p.name).symlink_to(p)
    for p in (ROOT / 'nbs').iterdir():
        (root / 'nbs' / p.name).symlink_to(p)
    if (ROOT.parent / 'shared').exists():
        (folder / 'shared').symlink_to(ROOT.parent / 'shared')
    return root


def run_changed(notebook: Path, cell: int | None, source: str) -> None:
    "Run a notebook with one cell changed, in this process, and exit with what came of it."
    mp.set_start_method('fork', force=True)  # of what it starts, as in a notebook
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        content = json.loads(notebook.read_text(encoding='utf-8'))
        if cell is not None:
            content['cells'][cell]['source'] = source
        path = stage(Path(folder)) / 'nbs' / notebook.name
        path.unlink()
        path.write_text(json.dumps(content), encoding='utf-8')
        from nbdev.config import get_config
        from nbdev.test import test_nb

        ok, _ = test_nb(
            path, skip_flags=get_config().tst_flags.split(), showerr=False, basepath=ROOT
        )
    os._exit(0 if ok else 1)


def outcome(
    context, notebook: Path, cell: int | None, source: str, limit: float
) -> tuple[str, float]:
    "What came of one run: 'passed', 'failed' or 'took too long'; and its seconds."
    start = time.monotonic()
    process = context.Process(target=run_changed, args=(notebook, cell, source))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        return 'took too long', limit
    return 'passed' if process.exitcode == 0 else 'failed', time.monotonic() - start


def report(tried: dict[Mutant, str]) -> str:
    "Survivors by notebook, then a table of how many were noticed."
    lines = []
    for m, word in tried.items():
        if word == 'passed':
            lines.append(f'survived {m.notebook.name} cell {m.cell}: {m.change} in: {m.line}')
    total, alive = (
        Counter(m.notebook.name for m in tried),
        Counter(m.notebook.name for m, w in tried.items() if w == 'passed'),
    )
    lines += [f'{name}: {n - alive[name]} of {n} noticed' for name, n in sorted(total.items())]
    noticed = sum(w != 'passed' for w in tried.values())
    return '\n'.join(
        [
            *lines,
            f'mutants: {noticed} of {len(tried)} noticed ({noticed / max(1, len(tried)):.0%}; at least {LEAST:.0%} are asked for)',
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('notebooks', nargs='*', type=Path)
    parser.add_argument('--sample', type=int, default=300, help='how many mutants to try')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    args = parser.parse_args()
    os.environ |= dict(
        OMP_NUM_THREADS='1',
        MKL_NUM_THREADS='1',
        MPLBACKEND='agg',
        PYTHONPATH=str(ROOT),
        HF_HUB_OFFLINE='1',
    )
    os.chdir(ROOT)
    chosen = [p.resolve() for p in args.notebooks] or notebooks(ROOT)
    mutants = [m for p in chosen for m in mutants_of(p)]
    sample = random.Random(args.seed).sample(mutants, min(args.sample, len(mutants)))
    print(
        f'{len(mutants)} possible mutants in {len(chosen)} notebooks, {len(sample)} tried',
        flush=True,
    )
    context = mp.get_context('forkserver')
    context.set_forkserver_preload(['torch', 'pandas', 'nbdev.test', 'IPython'])
    tried = {}
    with ThreadPoolExecutor(args.workers) as pool:
        used = sorted({m.notebook for m in sample})
        unchanged = dict(zip(used, pool.map(lambda p: outcome(context, p, None, '', 900), used)))
        if broken := [p.name for p, (word, _) in unchanged.items() if word != 'passed']:
            sys.exit(f'mutate: {", ".join(broken)} does not pass as it is; mend that first')
        run = lambda m: outcome(
            context, m.notebook, m.cell, m.source, 3 * unchanged[m.notebook][1] + 10
        )
        for k, (m, (word, seconds)) in enumerate(zip(sample, pool.map(run, sample)), 1):
            tried[m] = word
            print(
                f'{k}/{len(sample)} {m.notebook.name} cell {m.cell}: {m.change}: {word} ({seconds:.0f} s)',
                flush=True,
            )
    print(report(tried))
    return sum(w == 'passed' for w in tried.values()) > (1 - LEAST) * len(tried)


if __name__ == '__main__':
    sys.exit(main())

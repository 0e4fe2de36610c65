"""Run every notebook as a test, each in a process of its own: `python .ci/test.py [NOTEBOOK …] [--workers N] [--slow]`.

Library notebooks and tutorials run cell by cell as `nbdev_test` runs them, figure notebooks through papermill with `smoke=True`. Without
arguments the checks of the documentation, and the check of all checks, are tests too. Ends with `N passed, N failed, N skipped`: what ran
through, what did not, and tests inside notebooks that could not run here.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 900  # seconds for one notebook
SCRIPTS = [ROOT / '.ci' / name for name in ('docs.py', 'checks_check.py')]


def notebooks() -> list[Path]:
    "All notebooks below nbs, those that take longest first."
    found = [
        p
        for p in (ROOT / 'nbs').rglob('*.ipynb')
        if not any(part.startswith(('.', '_')) for part in p.relative_to(ROOT).parts)
    ]
    return sorted(found, key=lambda p: (-p.stat().st_size, p))


def run_here(path: Path, slow: bool) -> dict:
    "Run one notebook in this process; what came of it."
    if path.parent.name == 'figures':
        return run_figure_here(path)
    import matplotlib
    from nbdev.config import get_config
    from nbdev.test import test_nb

    matplotlib.use('agg')
    ok, _ = test_nb(
        path,
        skip_flags=get_config().tst_flags.split(),
        force_flags=['slow'] if slow else [],
        basepath=ROOT,
    )
    from glownb.testing import skipped

    return dict(ok=ok, skipped=skipped)


def run_figure_here(path: Path) -> dict:
    "Run one figure notebook on a tiny model."
    from glownb.pictures.figures import FigureError, run_figure

    with tempfile.TemporaryDirectory() as out:
        try:
            made = run_figure(path.stem, out, dict(smoke=True))
        except FigureError as e:
            print(e, file=sys.stderr)
            return dict(ok=False, skipped=[])
        missing = [p.name for p in made if not p.exists()]
    if missing:
        print(f'{path.name} did not write {", ".join(missing)}', file=sys.stderr)
    return dict(ok=not missing, skipped=[])


def run_apart(path: Path, slow: bool, workers: int) -> dict:
    "Run one notebook in a process of its own; what came of it, what it printed, and how long it took."
    start = time.monotonic()
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    env = os.environ | dict(
        OMP_NUM_THREADS=threads,
        MKL_NUM_THREADS=threads,
        MPLBACKEND='agg',
        PYTHONPATH=str(ROOT),
        HF_HUB_OFFLINE='1',
    )
    with tempfile.NamedTemporaryFile('w+') as result:
        command = (
            [sys.executable, str(path)]
            if path in SCRIPTS
            else [sys.executable, __file__, '--here', result.name, str(path)] + ['--slow'] * slow
        )
        try:
            done = subprocess.run(
                command,
                env=env,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT,
            )
            output = done.stdout
            outcome = (
                dict(ok=done.returncode == 0, skipped=[])
                if path in SCRIPTS or done.returncode
                else json.load(result)
            )
        except subprocess.TimeoutExpired as e:
            outcome, output = (
                dict(ok=False, skipped=[]),
                f'{e.stdout or ""}\nstopped after {TIMEOUT} s',
            )
    return outcome | dict(output=output, seconds=time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('notebooks', nargs='*', type=Path)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--slow', action='store_true', help='also run cells marked slow')
    parser.add_argument('--here', help=argparse.SUPPRESS)
    args = parser.parse_args()
    paths = [p.resolve() for p in args.notebooks] or notebooks() + SCRIPTS
    if args.here:
        Path(args.here).write_text(json.dumps(run_here(paths[0], args.slow)))
        return 0
    passed, failed, reasons = 0, [], []
    with ThreadPoolExecutor(args.workers) as pool:
        runs = {pool.submit(run_apart, p, args.slow, args.workers): p for p in paths}
        for run in as_completed(runs):
            path, outcome = runs[run].relative_to(ROOT), run.result()
            print(
                f'{"ok  " if outcome["ok"] else "FAIL"} {path} ({outcome["seconds"]:.0f} s)',
                flush=True,
            )
            if not outcome['ok']:
                print(outcome['output'], flush=True)
            passed, failed = passed + outcome['ok'], failed + [path] * (not outcome['ok'])
            reasons += [f'{path.name}: {reason}' for reason in outcome['skipped']]
    for reason in sorted(reasons):
        print('skipped', reason)
    for path in failed:
        print('failed', path)
    print(f'{passed} passed, {len(failed)} failed, {len(reasons)} skipped')
    return bool(failed) or not passed


if __name__ == '__main__':
    sys.exit(main())

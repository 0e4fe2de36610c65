"""What does a row of a study cost? `python .ci/study_bench.py [--weights faces-64] [ROWS …]` prints a line for each number of rows.

Each study runs in a process of its own, on one worker, with drawn people. What counts is processor time, which other programs on the
machine do not change; memory is the highest that the process had.
"""

import argparse
import os
import resource
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import torch

from glownb.studies.engine import Study, tiny_plan
from glownb.studies.plan import make_plan

ALPHAS = '0:1.2:0.06'  # 21


def plan_of(n_rows: int, weights: str, folder: Path):
    "A plan of about as many rows, with ten people or more."
    n_expressions = 5
    n = max(3, n_rows // (21 * 2 * n_expressions))
    content = dict(
        people=dict(drawn=n, photos=4),
        expressions=['smile', 'anger', 'surprise', 'sadness', 'disgust'],
        alphas=ALPHAS,
        targets=2,
    )
    plan = tiny_plan(folder, **content)
    return (
        plan
        if weights == 'tiny'
        else replace(plan, weights=make_plan(content | dict(weights=weights)).weights)
    )


def measure(n_rows: int, weights: str) -> None:
    warnings.filterwarnings('ignore', 'faces-')
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_of(n_rows, weights, Path(folder))
        work, wall = time.process_time(), time.monotonic()
        outcome = Study(plan, Path(folder) / 'rows').run(workers=1)
        work, wall = time.process_time() - work, time.monotonic() - wall
        size = sum(p.stat().st_size for p in (Path(folder) / 'rows' / 'rows').rglob('*.parquet'))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(
        f'{weights}: {outcome.rows} rows, {1000 * work / outcome.rows:.1f} ms of one core a row, '
        f'{outcome.rows / work:.0f} rows a second of a core ({outcome.rows / wall:.1f} here), '
        f'{memory:.0f} MB of memory, {size / outcome.rows:.0f} bytes a row',
        flush=True,
    )


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('rows', nargs='*', type=int, default=[1000, 10_000])
    parser.add_argument('--weights', default='tiny', help='tiny, or a Glow by name or file')
    args = parser.parse_args()
    torch.set_num_threads(1)
    for n_rows in args.rows:
        pid = os.fork()
        if not pid:
            measure(n_rows, args.weights)
            os._exit(0)
        os.waitpid(pid, 0)

"""Does anything grow? `python .ci/soak.py [--minutes 30] [--rows 100000] [--weights NAME]` drives the explorer and runs a large study.

Each runs in a process of its own, whose memory and open files are noted all the time. They may rise while models are loaded and caches
fill; from a third of the time on they must stay: at most 5 % more memory and four more files at the end. Ends on `N flat, N growing`.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import psutil

MORE, FILES = 0.05, 4  # share of memory, and open files, that may come after a third of the time


class Watch:
    "Memory and open files of this process, and of what it starts, from time to time."

    def __init__(self, seconds: float):
        self.seconds, self.start, self.notes = seconds, time.monotonic(), []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.note, daemon=True)
        self.thread.start()

    def note(self) -> None:
        me = psutil.Process()
        while not self.is_over.wait(self.seconds):
            memory = sum(p.memory_info().rss for p in [me, *me.children(recursive=True)])
            self.notes.append((time.monotonic() - self.start, memory / 1e6, me.num_fds()))

    def is_flat(self, name: str) -> bool:
        "Say how it went, in ten lines, and whether it stayed flat."
        self.is_over.set()
        self.thread.join()
        n = len(self.notes)
        for seconds, memory, files in self.notes[:: max(1, n // 10)]:
            print(f'{name}: {seconds:6.0f} s  {memory:6.0f} MB  {files:4d} open files')
        middle, last = self.notes[n // 3 : n // 2], self.notes[-max(1, n // 6) :]
        now, then = (
            [statistics.median(c) for c in list(zip(*part))[1:]] for part in (last, middle)
        )
        flat = now[0] <= (1 + MORE) * then[0] and now[1] <= then[1] + FILES
        says = f'{then[0]:.0f} → {now[0]:.0f} MB, {then[1]:.0f} → {now[1]:.0f} open files'
        print(f'{name}: {"flat" if flat else "growing"}, {says}', flush=True)
        return flat


def explorer(minutes: float) -> bool:
    "Move the slider without a pause, and now and then change people, expression and level weights."
    from glownb.lab.explorer import explore

    x, rng, moves = explore(), random.Random(0), 0
    x.wait()
    watch, end = Watch(max(0.2, minutes * 60 / 300)), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        x.alpha.value = round(rng.uniform(-0.2, 1.2), 2)
        if moves % 20 == 0:
            for menu in (x.source, x.target):
                menu.value = rng.choice([value for _, value in menu.options])
        if moves % 10 == 0:
            x.expression.value = rng.choice([value for _, value in x.expression.options])
        if moves % 50 == 0:
            x.pin_face()
            if len(x.pins) > 3:
                x.unpin_face(x.pins[0])
        x.painter.wait()
        if moves % 100 == 0:
            x.wait()
        moves += 1
    x.wait()
    flat = watch.is_flat('explorer')
    x.close()
    print(f'explorer: {moves} moves in {minutes:g} minutes')
    return flat


def study(rows: int, weights: str) -> bool:
    from study_bench import plan_of

    from glownb.studies.engine import Study

    with tempfile.TemporaryDirectory() as folder:
        plan = plan_of(rows, weights, Path(folder))
        watch = Watch(max(0.2, rows / 100_000))
        outcome = Study(plan, Path(folder) / 'rows').run()
        flat = watch.is_flat('study')
    print(f'study: {outcome}')
    return flat and outcome.lost == 0


def apart(work: Callable[[], bool]) -> bool:
    "The work in a process of its own; whether it stayed flat."
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        status = 2
        try:
            status = not work()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=30, help='of the explorer; 0: none')
    parser.add_argument('--rows', type=int, default=100_000, help='of the study; 0: none')
    parser.add_argument('--weights', default='faces-64', help='of the study')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    came = []
    if args.minutes:
        came.append(apart(lambda: explorer(args.minutes)))
    if args.rows:
        came.append(apart(lambda: study(args.rows, args.weights)))
    print(f'{sum(came)} flat, {len(came) - sum(came)} growing')
    return not all(came)


if __name__ == '__main__':
    sys.exit(main())

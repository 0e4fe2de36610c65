"""Kill what takes long at random moments: `python .ci/kill_test.py [--kills 50] [--only study …]` ends on `N kills, N lost, N corrupt`.

Each kind of work runs in a process of its own that gets SIGKILL at a random moment, again and again, and goes on from where it was. Lost is
what was reported done and is gone later, or differs at the end from a run that nobody disturbed. Corrupt is a file that cannot be read, or
work that no longer goes on. Small models and few photos; what counts is when the kill comes. Then, with the same count: the scheduler of
a study is killed and started again, and the disk below a study fills up and is freed.
"""

import argparse
import hashlib
import http.server
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from glownb.flow.glow import GlowConfig
from glownb.judges.action_units import load_detector
from glownb.judges.identity import load_embedder
from glownb.people.person import Person, Photo
from glownb.people.picture import render_photos
from glownb.pictures.figures import run_figure
from glownb.studies.engine import Study, tiny_plan
from glownb.studies.results import read_study, rows_done
from glownb.training.loop import TrainConfig, checkpoint_path, train
from glownb.weights.downloads import fetch_file

SHARES = dict(study=20, training=15, download=7, align=5, figures=3)  # of 50 kills


class Case(NamedTuple):
    "Something that takes long."

    work: Callable[[Path], None]  # does all of it, or what is left of it
    reported: Callable[[Path], dict]  # what is done: name → numbers; raises for a damaged file


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert('RGB'), dtype=float)


def study(folder: Path, scheduler: str = 'threads', workers: int | None = 1) -> None:
    plan = tiny_plan(folder, people=dict(drawn=4, photos=2), alphas='0:1.2:0.1')
    Study(plan, folder / 'rows').run(scheduler, workers=workers, batch=4)


def rows_reported(folder: Path) -> dict:
    if not (folder / 'rows' / 'study.json').exists():
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # a damaged part is one
        rows_done(folder / 'rows')
    rows = read_study(folder / 'rows')
    numbers = rows[['rmse', 'au_error', 'to_target', 'AU12']].to_numpy(dtype=float)
    return dict(zip(zip(rows.key, rows.alpha), numbers))


def training(folder: Path) -> None:
    photos = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shape, config = (
        GlowConfig(16, 2, 2, 16),
        TrainConfig(steps=80, batch_size=8, precision='float32'),
    )
    train(photos, shape, config, folder / 'glow.safetensors', device='cpu', save_every=0.1)


def steps_reported(folder: Path) -> dict:
    from safetensors.torch import load_file

    out, done = folder / 'glow.safetensors', 0
    if out.exists():
        whole = load_file(out)
        return {i: i for i in range(81)} | {k: v.double().numpy() for k, v in whole.items()}
    if checkpoint_path(out).exists():
        done = torch.load(checkpoint_path(out), weights_only=True)['step']
    return {i: i for i in range(done + 1)}


CONTENT = random.Random(0).randbytes(2_000_000)


class Slow(http.server.BaseHTTPRequestHandler):
    "Serves the same file to everybody, in pieces."

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', str(len(CONTENT)))
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked was killed
            for i in range(0, len(CONTENT), 100_000):
                self.wfile.write(CONTENT[i : i + 100_000])
                time.sleep(0.05)

    def log_message(self, *_):
        pass


@contextmanager
def server():
    "An address that `Slow` serves, from a process of its own."
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Slow) as httpd:
        pid = os.fork()
        if not pid:
            httpd.serve_forever()
        try:
            yield f'http://127.0.0.1:{httpd.server_port}/weights.bin'
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def file_reported(folder: Path) -> dict:
    path = folder / 'weights.bin'
    if not path.exists():
        return {}
    if hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(CONTENT).digest():
        raise ValueError(f'{path} is not what was served')
    return {path.name: 1}


def align(folder: Path) -> None:
    from glownb.cli import main

    sys.argv = [
        'glownb',
        'align',
        '@eve',
        '--size',
        '128',
        '--out',
        str(folder / 'aligned'),
    ]
    try:
        main()
    except SystemExit as e:
        if e.code:
            raise RuntimeError(f'glownb align ended with {e.code}') from None


def pictures_reported(folder: Path) -> dict:
    return {p.name: pixels(p) for p in (folder / 'aligned').glob('[!.]*.png')}


def figures(folder: Path) -> None:
    run_figure('fig1_reconstruction', folder / 'figures', dict(smoke=True))


def figures_reported(folder: Path) -> dict:
    found = {}
    for path in (folder / 'figures').glob('[!.]*'):
        if path.suffix == '.png':
            found[path.name] = pixels(path)
        elif path.suffix == '.json':
            found[path.name] = len(json.loads(path.read_text(encoding='utf-8')))
    return found


def cases(address: str) -> dict[str, Case]:
    def download(folder):
        fetch_file('weights.bin', [address], folder=folder)

    return dict(
        study=Case(study, rows_reported),
        training=Case(training, steps_reported),
        download=Case(download, file_reported),
        align=Case(align, pictures_reported),
        figures=Case(figures, figures_reported),
    )


def begin(work: Callable[[Path], None], folder: Path) -> int:
    "A process that does the work; its number. What it says goes to a file beside the folder."
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        said = os.open(folder.with_suffix('.log'), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        work(folder)
        status = 0
    except BaseException as e:
        print(f'{type(e).__name__}: {e}', file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def follow(pid: int, seconds: float) -> int | None:
    "The status of a process that ended by itself; None where it was killed after `seconds`."
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def differ(before: dict, after: dict) -> int:
    "How many things are gone or changed."
    same = lambda a, b: np.shape(a) == np.shape(b) and np.allclose(a, b, atol=1e-4, equal_nan=True)
    return sum(name not in after or not same(v, after[name]) for name, v in before.items())


class Hunt:
    "Kills one kind of work, and counts what that costs."

    def __init__(self, name: str, case: Case, folder: Path, rng: random.Random):
        self.name, self.case, self.folder, self.rng = name, case, folder, rng
        self.kills = self.lost = self.corrupt = self.runs = 0
        start = time.monotonic()
        quiet = self.new_folder()
        if follow(begin(case.work, quiet), 1e9):
            raise SystemExit(f'{name} fails by itself; see {quiet.with_suffix(".log")}')
        self.seconds, self.whole = time.monotonic() - start, case.reported(quiet)

    def new_folder(self) -> Path:
        self.runs += 1
        folder = self.folder / f'{self.name}-{self.runs}'
        folder.mkdir()
        return folder

    def look(self, folder: Path, before: dict) -> dict:
        "What is done now; counts what is gone, and what cannot be read."
        try:
            now = self.case.reported(folder)
        except Exception as e:
            print(f'{folder}: {type(e).__name__}: {e}', file=sys.stderr)
            self.corrupt += 1
            return {}
        self.lost += differ(before, now)
        return now

    def ended(self, status: int, folder: Path, before: dict) -> None:
        "What a run that nobody killed should leave: the same as the undisturbed one."
        self.corrupt += status != 0
        if status:
            print(f'{folder} no longer goes on; see {folder.with_suffix(".log")}', file=sys.stderr)
        self.lost += differ(self.whole, self.look(folder, before))

    def hunt(self, kills: int) -> None:
        folder, before = self.new_folder(), {}
        while self.kills < kills:
            status = follow(begin(self.case.work, folder), self.rng.uniform(0, self.seconds))
            if status is None:
                self.kills += 1
                before = self.look(folder, before)
            else:
                self.ended(status, folder, before)
                folder, before = self.new_folder(), {}
        self.ended(follow(begin(self.case.work, folder), 1e9), folder, before)


class Cluster:
    "A scheduler and two workers in processes of their own, which can be killed together and started again."

    def __init__(self):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.address, self.processes = f'tcp://127.0.0.1:{self.port}', []

    def start(self) -> None:
        dask = [sys.executable, '-m', 'dask']
        here = ['--host', '127.0.0.1', '--no-dashboard']
        alone = dict(start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for words in (
            ['scheduler', '--port', str(self.port), *here],
            ['worker', self.address, '--nworkers', '2', '--nthreads', '1', *here],
        ):
            self.processes.append(subprocess.Popen([*dask, *words], **alone))
            time.sleep(2)

    def kill(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes = []


def last_line(folder: Path) -> str:
    "What the work of a folder said last."
    return folder.with_suffix('.log').read_text(encoding='utf-8').strip().splitlines()[-1]


def scheduler_killed(name: str, folder: Path, rng: random.Random, kills: int = 3) -> Hunt:
    "A study on a cluster that is killed, and comes back at the same address."
    hunt, cluster = Hunt(name, Case(study, rows_reported), folder, rng), Cluster()
    work = lambda folder: study(folder, cluster.address, None)
    at, before = hunt.new_folder(), {}
    cluster.start()
    try:
        while hunt.kills < kills:
            pid = begin(work, at)
            time.sleep(rng.uniform(1, 1 + hunt.seconds))
            cluster.kill()
            hunt.kills += 1
            before = hunt.look(at, before)
            cluster.start()
            _, status = os.waitpid(pid, 0)  # goes on with the new one, or ends with a sentence
            hunt.corrupt += status != 0 and not last_line(at).startswith('InputError')
            if not status:
                hunt.ended(0, at, before)
                at, before = hunt.new_folder(), {}
        hunt.ended(follow(begin(work, at), 1e9), at, before)
    finally:
        cluster.kill()
    return hunt


def disk_filled(name: str, folder: Path, rng: random.Random) -> Hunt | None:
    "A study on a disk that is too small, and then is not; None where none can be made."
    hunt = Hunt(name, Case(study, rows_reported), folder, rng)
    at = hunt.new_folder()
    (at / 'rows').mkdir()
    mount = lambda *options: (
        subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', str(at / 'rows')],
            capture_output=True,
        ).returncode
    )
    if mount('size=256k'):
        return None
    try:
        hunt.kills += 1
        if not follow(begin(study, at), 1e9):
            raise SystemExit('the disk did not fill up; make it smaller')
        print(f'{name}: {last_line(at)}', flush=True)
        hunt.corrupt += not last_line(at).startswith('InputError')
        before = hunt.look(at, {})
        mount('remount', 'size=64m')
        hunt.ended(follow(begin(study, at), 1e9), at, before)
    finally:
        subprocess.run(['umount', str(at / 'rows')], check=True)
    return hunt


DISTURBED = dict(scheduler=scheduler_killed, disk=disk_filled)


def warm_up() -> None:
    "Load what all children need, so that kills come while they work and not while they load."
    import distributed
    import papermill

    torch.set_num_threads(1)
    assert distributed and papermill and load_embedder() and load_detector()
    render_photos([Photo(Person(1000))], 16)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=50, help='in all')
    parser.add_argument(
        '--only', nargs='*', choices=[*SHARES, *DISTURBED], default=[*SHARES, *DISTURBED]
    )
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    warm_up()
    whole = sum(SHARES.get(name, 0) for name in args.only)
    total = dict(kills=0, lost=0, corrupt=0)
    with tempfile.TemporaryDirectory() as folder, server() as address:
        for name in args.only:
            rng = random.Random(args.seed)
            if name in DISTURBED:
                hunt = DISTURBED[name](name, Path(folder), rng)
            else:
                hunt = Hunt(name, cases(address)[name], Path(folder), rng)
                hunt.hunt(max(1, round(args.kills * SHARES[name] / whole)))
            if hunt is None:
                print(f'{name}: skipped, no small disk can be mounted here', flush=True)
                continue
            says = f'{hunt.kills} kills, {hunt.lost} lost, {hunt.corrupt} corrupt'
            print(f'{name}: {says} ({hunt.seconds:.1f} s undisturbed)', flush=True)
            for what in total:
                total[what] += getattr(hunt, what)
    print(', '.join(f'{n} {what}' for what, n in total.items()))
    return bool(total['lost'] or total['corrupt'])


if __name__ == '__main__':
    sys.exit(main())

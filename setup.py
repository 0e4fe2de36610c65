"Everything that setuptools needs stands in settings.ini."

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(here / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]
readme = (here / "README.md").read_text(encoding="utf-8")
# on PyPI nothing lies beside the README, so its relative links and pictures point to the repository
raw = cfg["git_url"].replace("github.com", "raw.githubusercontent.com") + f"/{cfg['branch']}/"
readme = re.sub(r"(!\[[^\]]*\]\()(?![a-z]+:|#)", rf"\g<1>{raw}", readme)
readme = re.sub(
    r"((?<!!)\[[^\]]*\]\()(?![a-z]+:|#)", rf"\g<1>{cfg['git_url']}/blob/{cfg['branch']}/", readme
)
beside = {
    "glownb.data": "data",
    "glownb.nbs.figures": "nbs/figures",
    "glownb.nbs.reports": "nbs/reports",
}
pythons = ["3.11", "3.12", "3.13"]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme,
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"],
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    project_urls={
        "Documentation": cfg["doc_host"] + cfg["doc_baseurl"],
        "Changelog": f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md",
        "Issues": f"{cfg['git_url']}/issues",
    },
    license="Apache-2.0 AND CC0-1.0 AND CC-BY-4.0",  # code; data/
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Natural Language :: English",
        *(f"Programming Language :: Python :: {v}" for v in pythons),
    ],
    # what ships beside the code: glownb looks for data/, nbs/figures/ and nbs/reports/ inside the package first
    packages=[*find_packages(include=["glownb", "glownb.*"]), *beside],
    package_dir=beside,
    package_data={
        "": ["*.pyi"],
        "glownb.data": ["**/*"],
        "glownb.nbs.figures": ["*.ipynb"],
        "glownb.nbs.reports": ["*.ipynb"],
    },
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require={
        extra: cfg[f"{extra}_requirements"].split()
        for extra in ("photos", "processes", "study", "dev")
    },
    entry_points={
        "console_scripts": cfg["console_scripts"].split("\n"),
        "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"],
    },
    zip_safe=False,
)

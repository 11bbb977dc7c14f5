"""The house: imports point one way, every lab is complete, the project stands alone."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from labs import LABS
from labs.text import LANGUAGES, lab_text

ROOT = Path(__file__).parents[2]
EVERY_LAB = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.slug)
FORBIDDEN = {
    "core": {"gradio", "plotly", "labs", "app", "matplotlib"},
    "labs": {"app"},
}


def imports(path):
    """Top-level names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_from_app_to_labs_to_core(package):
    for path in (ROOT / package).rglob("*.py"):
        assert not FORBIDDEN[package] & set(imports(path)), path


def test_importing_core_loads_no_interface():
    code = "import sys, core.sde; assert not {'gradio', 'plotly', 'diffusers'} & set(sys.modules)"
    subprocess.run([str(ROOT / ".venv/bin/python"), "-c", code], check=True, cwd=ROOT)


def test_slugs_are_unique_and_every_lab_module_is_listed():
    slugs = [lab.slug for lab in LABS]
    assert len(set(slugs)) == len(slugs)
    house = {"answers", "codec", "controls", "endpoints", "ink", "lab", "scene"}
    house |= {"serving", "stage", "text", "theme", "__init__", "__pycache__"}
    modules = {path.stem for path in (ROOT / "labs").iterdir()} - house
    assert modules == set(slugs)


@EVERY_LAB
def test_a_lab_has_core_tests_papers_and_a_readme_row(lab):
    assert (ROOT / "core" / lab.slug / "__init__.py").exists()
    assert list((ROOT / "tests" / "core").glob(f"test_{lab.slug}*.py"))
    assert list((ROOT / "tests" / "labs").glob(f"test_{lab.slug}*.py"))
    assert lab.papers
    assert re.search(rf"^\|.*core/{lab.slug}", (ROOT / "README.md").read_text(), re.MULTILINE)


@EVERY_LAB
def test_both_languages_say_the_same_things(lab):
    english, chinese = (lab_text(lab.slug, language) for language in LANGUAGES)
    assert [card["link"] for card in english["cards"]] == [
        card["link"] for card in chinese["cards"]
    ]
    assert english["maths"].count("vt-tex") == chinese["maths"].count("vt-tex")
    assert re.search("[\u4e00-\u9fff]", chinese["idea"])
    assert not re.search("[\u4e00-\u9fff]", english["idea"])


def test_nothing_is_loaded_from_outside():
    pattern = re.compile(
        r"""(?:src|href)\s*=\s*["']https?://|@import\s+url\(|import\s*\(?\s*["']https?://"""
    )
    for folder in ("static/js", "static/css"):
        for path in (ROOT / folder).rglob("*.*"):
            assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_weights_are_safetensors_of_less_than_ten_megabytes_with_a_card():
    for path in (ROOT / "static").rglob("*"):
        assert path.suffix not in {".pt", ".pth", ".pkl", ".ckpt"}, path
        assert path.is_dir() or path.stat().st_size < 10_000_000, path
        if path.suffix == ".safetensors":
            assert any(list(folder.glob("*.md")) for folder in path.parents[:3]), path

"""The layout as law: which room may import which, what importing costs, what is public, what may be installed."""

import ast
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import apochromat

SOURCE = Path(__file__).parents[2] / "src" / "apochromat"
GROUND = {"light", "camera", "native"}
MAY_IMPORT = {  # room: rooms it may import besides the ground and itself
    "light": set(),
    "camera": set(),
    "native": set(),
    "raw": set(),
    "develop": {"raw"},
    "look": {"raw", "develop"},
    "picture": {"raw", "develop", "look"},
    "scene": set(),
    "optics": {"scene"},
    "sensor": {"scene", "optics"},
    "measure": {"raw", "develop", "look", "picture", "scene", "optics", "sensor"},
    "explain": None,
    "cli": None,  # everything below it
    "": None,  # the pages above the rooms
}

EXCEPTIONS = {"light/rendition.py imports picture": "Rendition.save, the public way to write a picture, imports its writer when called"}


def imported_rooms(path):
    """Rooms of apochromat that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "apochromat" else [f"apochromat.{a.name}" for a in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "apochromat" and len(parts) > 1:
                yield parts[1]


def test_rooms_import_only_what_the_layout_allows():
    wrong = []
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0] if path.parent != SOURCE else ""
        allowed = MAY_IMPORT[room]
        if allowed is None:
            continue
        for other in imported_rooms(path):
            if (SOURCE / other).is_dir() and other not in allowed | GROUND | {room}:
                wrong.append(f"{path.relative_to(SOURCE)} imports {other}")
            if (SOURCE / f"{other}.py").exists():
                wrong.append(f"{path.relative_to(SOURCE)} imports {other}.py, which is above it")
    assert set(wrong) == set(EXCEPTIONS)


def modules_after(code):
    """Names in sys.modules after running `code` in a fresh interpreter."""
    env = {k: v for k, v in os.environ.items() if k != "APO_KERNELS"}
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"], capture_output=True, text=True, env=env
    )
    assert out.returncode == 0, out.stderr
    return set(json.loads(out.stdout.splitlines()[-1]))


def test_developing_wing_loads_no_heavy_library():
    loaded = modules_after("import apochromat.raw, apochromat.chain, apochromat.picture; apochromat.chain.stages()")
    assert not loaded & {"jax", "scipy", "colour", "matplotlib", "halide"}


def test_help_loads_neither_numpy_nor_pydantic():
    code = "import sys; sys.argv = ['apo', '--help']\ntry:\n  from apochromat.cli import main; main()\nexcept SystemExit: pass"
    assert not modules_after(code) & {"numpy", "pydantic", "rawpy", "tifffile", "imagecodecs"}


def test_public_names_exist_and_are_documented():
    for name in apochromat.__all__:
        assert getattr(apochromat, name).__doc__ or name == "__version__", name


def test_develop_is_the_function_whatever_was_imported_before():
    code = "import apochromat.develop.stage, apochromat.chain, apochromat as apo; assert callable(apo.develop)"
    assert "apochromat.develop" in modules_after(code)


def test_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'develp'"):
        _ = apochromat.develp


def test_run_time_dependencies_carry_no_gpl():
    """Every distribution that `pip install apochromat` brings, walked through its requirements."""
    seen, todo, bad = set(), ["apochromat"], []
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        info = metadata.distribution(name).metadata
        licence = " ".join([info.get("License-Expression") or "", (info.get("License") or "")[:200], *(info.get_all("Classifier") or [])])
        words = licence.upper().replace("LGPL", "").replace("LESSER GENERAL PUBLIC", "")
        if "GPL" in words or "GENERAL PUBLIC LICENSE" in words:
            bad.append(f"{name}: {licence[:120]}")
        requires = metadata.distribution(name).requires or []
        todo += [r.split(";")[0].split("[")[0].split(" ")[0].rstrip("<>=!~0123456789.,*() ") for r in requires if "extra ==" not in r]
        todo = [t for t in todo if t and _installed(t)]
    assert len(seen) > 5
    assert not bad, bad


def _installed(name):
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_every_stage_and_parameter_is_documented():
    from apochromat.chain import stages

    docs = SOURCE.parents[1] / "docs" / "stages"
    if not docs.exists():
        pytest.skip("documentation is not beside the sources")
    for stage in stages():
        page = docs / f"{stage.name}.md"
        assert page.exists(), f"stage {stage.name} has no page"
        assert stage.summary, stage.name
        for name, field in stage.params.model_fields.items():
            assert field.description, f"{stage.name}.{name} has no help"
            named = f"`{name}`" in page.read_text() or f"`{stage.name}.{name}`" in page.read_text()
            assert named, f"{page.name} does not mention parameter `{name}`"

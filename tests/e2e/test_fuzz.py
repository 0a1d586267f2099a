"""Two hundred damaged RAW files through the whole program, and proof that the judge sees what it must."""

import pytest

from benchmarks import fuzz


def test_damaged_files(tmp_path):
    report = fuzz.run(200, 1, tmp_path / "failures")
    assert not report.failures, "\n".join(report.failures)
    assert report.developed + report.refused == 200
    assert report.developed > 20, "the damage is so coarse that nothing gets through to the stages"
    assert report.refused > 50, "the damage is so mild that nothing is refused"


def test_damage_is_repeatable(tmp_path):
    files = fuzz.sound_files(tmp_path)
    first = [fuzz.damaged(files, number, 1) for number in range(60)]
    assert first == [fuzz.damaged(files, number, 1) for number in range(60)]
    assert all(content != files[number % len(files)][1] for number, (_, content) in enumerate(first))


GOOD = {"input": "a.dng", "seconds": 0.1, "error": "a.dng: expected a RAW file, found an empty file"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"seconds": 21.0}, "it took 21 s"),
        ({"error": "a.dng: an error inside the program (KeyError: 3)"}, "inside the program"),
        ({"error": "something"}, "not one sentence"),
        ({"error": "a.dng: one\ntwo"}, "not one sentence"),
        ({"input": "b.dng"}, "outcome was missing"),
    ],
)
def test_judge_sees_faults(tmp_path, change, fault):
    path = tmp_path / "a.dng"
    good = {**GOOD, "input": str(path)}
    assert not list(fuzz.faults(path, good))
    assert any(fault in found for found in fuzz.faults(path, {**good, **change}))


def test_judge_sees_half_a_picture(tmp_path):
    path, picture = tmp_path / "a.dng", tmp_path / "a.apo.jpg"
    fuzz.Image.effect_noise((64, 64), 50).save(picture)
    done = {"input": str(path), "seconds": 0.1}
    assert not list(fuzz.faults(path, done))
    assert "a picture was left of a failed file" in list(fuzz.faults(path, {**done, "error": "a.dng: no"}))
    picture.write_bytes(picture.read_bytes()[:-200])
    assert "its picture is missing or incomplete" in list(fuzz.faults(path, done))


def test_judge_sees_a_process_that_dies(tmp_path, monkeypatch):
    """A program that ends after its first answer has failed on the second file, and the third one is still to be done."""
    paths = [tmp_path / f"{n}.dng" for n in range(3)]
    for path in paths:
        path.write_bytes(b"x")
    answer = f'{{"input": "{paths[0]}", "seconds": 0, "error": "0.dng: no"}}'
    monkeypatch.setattr(fuzz, "APO", [fuzz.sys.executable, "-c", f"print('{answer}', flush=True); import os; os.abort()"])
    report = fuzz.Report()
    assert fuzz.develop(paths, report, tmp_path / "keep") == paths[2:]
    assert len(report.failures) == 1
    assert "1.dng: the process ended" in report.failures[0]

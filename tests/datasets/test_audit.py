import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.datasets import sources
from ecglens.datasets.audit import audit
from ecglens.datasets.file_facts import file_digest
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError, MissingExtraError
from ecglens.records import EcgRecord
from ecglens.render import render_page

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
LABELS = ("normal", "mi", "abnormal")


def heart(seed: int) -> EcgRecord:
    """Make up a heart with a rate and wave shapes of its own."""
    rng = np.random.default_rng(seed)
    t = np.arange(5000) / 500
    beats = np.cumsum(rng.normal(60 / rng.uniform(50, 110), 0.03, 30))
    near = t[:, None] - beats[None]
    bumps = [(0, 0.012, 1.0), (0.035, 0.012, -0.4), (0.28, 0.05, 0.3), (-0.16, 0.03, 0.15)]
    waves = [np.exp(-(((near - at) / width) ** 2)).sum(axis=1) * high for at, width, high in bumps]
    mix = rng.normal(0.5, 0.6, (8, len(waves)))
    signals = np.clip(mix @ np.array(waves), -1.3, 1.3)
    return EcgRecord(np.float32(signals), 500.0, ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write 36 pages of 30 exam numbers, two byte copies, a pixel copy, three near-copies, a text file and noise."""
    root = tmp_path_factory.mktemp("set")
    for number in range(36):
        page = render_page(
            heart(number), style="dotted-report", dpi=100, rng=np.random.default_rng(number % 30), rate_bpm=60 + number
        )
        path = root / ("test" if number % 6 == 0 else "train") / LABELS[number % 3] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), page.page.pixels[..., ::-1])
    train, test = root / "train", root / "test"
    shutil.copy(test / "normal" / "00.png", train / "normal" / "copy.png")
    shutil.copy(train / "mi" / "01.png", train / "mi" / "copy.png")
    first = cv2.imread(str(train / "abnormal" / "02.png"))
    cv2.imwrite(str(train / "abnormal" / "pixels.bmp"), first)
    small = cv2.resize(first, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(train / "abnormal" / "small.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 60])
    cut = cv2.imread(str(train / "mi" / "07.png"))
    cv2.imwrite(str(train / "normal" / "cut.png"), cut[12:-9, 20:-14])
    cv2.imwrite(str(train / "abnormal" / "gray.png"), cv2.imread(str(train / "abnormal" / "05.png"), 0))
    (train / "mi" / "text.jpg").write_text("no image")
    cv2.imwrite(
        str(train / "mi" / "snow.png"), np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    )
    return root


@pytest.fixture(scope="module")
def report(folder):
    before = sorted((path, os.stat(path).st_mtime_ns) for path in folder.rglob("*"))
    result = audit(sources.from_path(folder), workers=0)
    assert sorted((path, os.stat(path).st_mtime_ns) for path in folder.rglob("*")) == before, "wrote into the data"
    return result


@pytest.mark.slow
def test_every_copy_is_found_by_its_kind_and_no_other(report):
    assert (report.same_bytes, report.same_pixels, report.near) == (2, 1, 3)
    assert report.distinct == 36
    assert report.surplus == 6
    copies = {row.path: row.extra["reasons"] for row in report.recordings if row.extra["canonical"] == "no"}
    assert len(copies) == 6
    assert all(copies.values())


def test_copies_across_splits_and_labels_are_named(report):
    assert len(report.crossing) == 1
    assert len(report.two_labels) == 1
    assert "more than one side of the data set's own split" in report.verdict()


def test_groups_are_those_of_the_printed_number(report):
    assert report.grouped
    groups = {row.path.stem: row.group for row in report.recordings.canonical()}
    for number in range(6):
        assert groups[f"{number:02d}"] == groups[f"{number + 30:02d}"]
    assert len(set(groups.values())) == 30


def test_files_that_are_no_pages_are_named_with_the_reason(report):
    problems = {path.name: reason for path, reason in report.problems}
    assert set(problems) == {"text.jpg", "snow.png"}
    assert "No ECG traces" in problems["snow.png"]


def test_pages_that_are_cut_short_are_used_and_named(tmp_path):
    (tmp_path / "set" / "mi").mkdir(parents=True)
    whole = cv2.imencode(".jpg", render_page(heart(0), dpi=100).page.pixels[..., ::-1])[1].tobytes()
    (tmp_path / "set" / "mi" / "cut.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    (tmp_path / "set" / "mi" / "whole.jpg").write_bytes(
        cv2.imencode(".jpg", render_page(heart(1), dpi=100).page.pixels[..., ::-1])[1].tobytes()
    )
    report = audit(sources.from_path(tmp_path / "set"), workers=0)
    assert report.files == report.distinct == 2
    assert [path.name for path, _ in report.truncated] == ["cut.jpg"]
    assert "The file is cut short" in report.to_dict()["truncated"][0]["reason"]
    assert "1 files are cut short, the first: cut.jpg." in report.verdict()
    assert "| truncated | why |" in report.to_markdown()


def test_what_is_written_is_the_table_that_training_takes(report, tmp_path):
    report.write(tmp_path / "out")
    table = Recordings.from_csv(tmp_path / "out" / "recordings.csv")
    assert len(table) == 42
    assert len(table.canonical()) == 36
    assert all(row.path.is_file() for row in table)
    written = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert written["verdict"] == report.verdict()
    assert (tmp_path / "out" / "audit.md").read_text().startswith("# Audit\n\n44 files hold 36")


@pytest.mark.slow
def test_a_stopped_audit_resumes(folder, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 40:
            raise Stop("stopped")

    table = sources.from_path(folder)
    store = tmp_path / "facts.sqlite"
    with pytest.raises(Stop, match="stopped"):
        audit(table, store=store, workers=0, progress=stop)
    audit(table, store=store, workers=0)
    calls = []
    audit(table, store=store, workers=0, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) == 1
    assert calls[0][0] == calls[0][1]


def test_a_folder_without_pages_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="Expected images in folders by label below"):
        sources.from_path(tmp_path)
    (tmp_path / "mi").mkdir()
    (tmp_path / "mi" / "a.jpg").write_text("x")
    with pytest.raises(DatasetError, match="Expected ECG pages, but none of 1 files is one"):
        audit(sources.from_path(tmp_path), workers=0)
    with pytest.raises(DatasetError, match="nothing is there"):
        sources.from_path(tmp_path / "none")


def test_a_label_with_one_recording_is_named_and_nothing_is_measured_on_it(folder, tmp_path):
    table = sources.from_path(folder).canonical()
    rows = [row for row in table if row.label == "normal"][:12]
    rare = replace(rows[0], label="rare")
    report = audit(Recordings((*rows[1:], rare)), workers=0)
    assert report.rare == (("rare", 1),)
    assert "Expected at least 5 groups of recordings of each label, got only 1 of 'rare'" in report.verdict()
    assert report.shortcuts == report.doubtful == ()
    assert report.to_dict()["labels_with_too_few_groups"] == [{"label": "rare", "groups": 1}]
    assert audit(Recordings((rare,)), workers=0).rare == (("rare", 1),)


def test_without_scikit_learn_the_audit_says_that_label_errors_were_not_searched_for(tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise MissingExtraError("This needs sklearn; install it.")

    monkeypatch.setattr("ecglens.datasets.audit.find_label_errors", refuse)
    rows = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), render_page(heart(number), dpi=100).page.pixels[..., ::-1])
        rows.append(Recording(path, "mi", str(number), str(number)))
    report = audit(Recordings(tuple(rows)), workers=0)
    assert report.doubtful == ()
    assert "Label errors were not searched for. This needs sklearn; install it." in report.verdict()


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_near_copies_planted_among_public_pages_are_found_without_a_false_one(tmp_path):
    """60 public pages and 12 copies resized, recompressed and cropped by up to 3 %."""
    rng = np.random.default_rng(11)
    with (SHARED / "mendeley" / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::6][:60]
    for row in rows:
        (tmp_path / row["label"]).mkdir(exist_ok=True)
        shutil.copy(SHARED / "mendeley" / row["page"], tmp_path / row["label"])
    for number, row in enumerate(rows[::5]):
        page = cv2.imread(str(SHARED / "mendeley" / row["page"]))
        height, width = page.shape[:2]
        cut = rng.uniform(0, 0.03, 4)
        if number % 2:
            top, bottom, left, right = (cut * [height, height, width, width]).astype(int)
            page = page[top : height - bottom, left : width - right]
        scale = float(rng.uniform(0.7, 1.4))
        page = cv2.resize(page, None, fx=scale, fy=scale)
        cv2.imwrite(str(tmp_path / row["label"] / f"copy{number}.jpg"), page, [cv2.IMWRITE_JPEG_QUALITY, 50])
    report = audit(sources.from_path(tmp_path), workers=0)
    assert report.near == 12
    assert report.distinct == 60
    pairs = {row.path.stem: row.recording for row in report.recordings}
    for number, row in enumerate(rows[::5]):
        assert pairs[f"copy{number}"] == pairs[Path(row["page"]).stem]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_the_published_tree_is_393_recordings_in_the_groups_of_their_exam_numbers(tmp_path):
    subprocess.run([sys.executable, SHARED / "mendeley_tree.py", tmp_path / "tree"], check=True, capture_output=True)
    with (SHARED / "mendeley" / "manifest.csv").open(newline="") as stream:
        group_of = {
            file_digest(SHARED / "mendeley" / row["page"]): row["group"]
            for row in csv.DictReader(stream)
            if row["page"]
        }
    report = audit(sources.from_path(tmp_path / "tree"), workers=2)
    assert (report.files, report.distinct, report.surplus, report.near) == (743, 393, 350, 0)
    pages = [(row.group, group_of[file_digest(row.path)]) for row in report.recordings.canonical()]
    same = [(one[0] == other[0], one[1] == other[1]) for one, other in itertools.combinations(pages, 2)]
    together = sum(printed for _, printed in same)
    assert together == 368
    assert sum(ours and printed for ours, printed in same) >= 0.98 * together
    assert sum(ours and not printed for ours, printed in same) <= 0.02 * together

from pathlib import Path

from ecglens.reproduce import ROWS, table, write_tables

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"


def test_a_conclusion_names_the_labels_without_copies_and_a_quick_run_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROWS", {"cnn": ROWS["cnn"]})
    text = write_tables(RESULTS, tmp_path / "RESULTS.md")
    assert "but abnormal_heartbeat has no copies at all, so that this alone does not tell" in text
    assert "1 model of the works, all of whose trainings came to something, from 0.933 to 0.796 on average" in text
    assert "As published, " not in write_tables(RESULTS, tmp_path / "QUICK.md", quick=True)


def test_a_training_that_came_to_one_label_is_named_and_concludes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROWS", {"crnn-lead": ROWS["crnn-lead"], "header": ROWS["header"]})
    text = write_tables(RESULTS, tmp_path / "RESULTS.md")
    assert "answers every page with one label, first seed: CRNN per lead, honest, 2 of 5 folds; CRNN per" in text
    assert "As published, " not in text


def test_without_results_the_page_says_so(tmp_path):
    assert "Nothing has been run yet." in write_tables(tmp_path / "none", tmp_path / "RESULTS.md")
    assert not (tmp_path / "images").exists()

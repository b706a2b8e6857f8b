import json

from ecglens.evaluation.results import Comparison, Difference


def test_a_difference_is_first_minus_second_and_none_where_one_is_undefined():
    assert Difference(0.75, 0.5, (0.1, 0.4), 0.01, 0.02).to_dict() == {
        "first": 0.75,
        "second": 0.5,
        "difference": 0.25,
        "interval": [0.1, 0.4],
        "p": 0.01,
        "adjusted_p": 0.02,
    }
    assert Difference(None, 0.5).to_dict()["difference"] is None


def test_a_comparison_lists_every_test_and_can_be_written_as_json():
    difference = Difference(0.75, 0.5)
    comparison = Comparison(
        ("a", "b"), 4, 4, 2, {"macro_f1": difference}, Difference(0.9, 0.8), {"mi": difference}, 1, 20, ("A note.",)
    )
    assert [row[:2] for row in comparison.tests] == [
        ("macro F1", "paired bootstrap"),
        ("accuracy", "McNemar"),
        ("AUROC of mi", "DeLong"),
    ]
    plain = comparison.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["models"], plain["left_out"], plain["figures"]["macro_f1"]["difference"]) == (["a", "b"], 1, 0.25)

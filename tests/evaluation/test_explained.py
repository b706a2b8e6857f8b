from ecglens.evaluation.explained import explained_sections
from ecglens.records import Check, ModelChecks


def test_a_method_that_failed_is_reported_with_that_word():
    methods = {
        "class_map": (Check("deletion", True, "", {"better": 0.99}), Check("location", False, "", {"near_trace": 0.4})),
        "occlusion_lead": (Check("deletion", True, "", {"better": 1.0}),),
    }
    changes = {"header white": {"stays": 0.9, "another": 0.1, "refused": 0.0}}
    agreement = {"class_map": {"class_map": 1.0, "occlusion_lead": 0.8}}
    agreement["occlusion_lead"] = {"class_map": 0.8, "occlusion_lead": 1.0}
    first, changed, agreed = explained_sections(
        ModelChecks("m", "1.0", "", 40, methods, changes, agreement), stored=True
    )
    assert "come with the model and were not made for this evaluation" in first.text
    assert first.title == "Explanations, checked on 40 pages"
    assert first.text.startswith("m 1.0. ")
    assert first.rows == (
        ("method", "on this model", "deletion", "location"),
        ("class_map", "failed", "passed: better 0.990", "failed: near trace 0.400"),
        ("occlusion_lead", "passed", "passed: better 1.000", "-"),
    )
    assert changed.rows[1] == ("header white", "90.0%", "10.0%", "0.0%")
    assert agreed.rows[1] == ("class_map", "1.00", "0.80")

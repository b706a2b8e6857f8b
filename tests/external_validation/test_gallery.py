import cv2
import numpy as np

from ecglens.external_validation import gallery
from ecglens.labels import format_probability


def test_wrong_pages_are_shown_with_what_contributed_to_the_prediction(answers, table, runtime):
    turned = answers.predictions.subset(np.arange(4))
    turned.targets[1] = 0  # as if the second page were normal
    paths = [table[int(row)].path for row in answers.rows]
    explained, plain = (
        gallery(turned, paths, rng=np.random.default_rng(0), runtime=model)[0] for model in (runtime, None)
    )
    assert [picture.caption for picture in explained.gallery] == [
        f"MI_26: Normal, answered Myocardial infarction with {format_probability(turned.probabilities[1].max())}"
    ]
    pictures = [
        cv2.imdecode(np.frombuffer(section.gallery[0].data, np.uint8), cv2.IMREAD_COLOR)
        for section in (explained, plain)
    ]
    assert pictures[0].shape == pictures[1].shape
    color = [int((np.ptp(picture.astype(int), axis=2) > 60).sum()) for picture in pictures]
    assert color[0] > 500
    assert gallery(turned, paths, rng=np.random.default_rng(0))[1].gallery


def test_a_file_that_is_gone_keeps_its_caption(answers, table):
    paths = [path.with_name("gone.jpg") for path in (row.path for row in table)][:4]
    section = gallery(answers.predictions, paths, rng=np.random.default_rng(0))[1]
    assert all(picture.data == b"" and "gone.jpg" in picture.caption for picture in section.gallery)

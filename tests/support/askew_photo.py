"""A page that lies askew on a dark table, so that its leads are found with its corners only."""

from pathlib import Path

import cv2
import numpy as np

CORNERS = ((700, 150), (1350, 800), (800, 1300), (150, 650))
"""Corners of the paper in the photo, clockwise from the paper's top left, in px."""
WIDTH, HEIGHT = 1500, 1400
_PAGE = Path(__file__).parents[1] / "data" / "MI_26.jpg"


def take_photo():
    """Return the photo as a JPEG."""
    page = cv2.imread(str(_PAGE))
    height, width = page.shape[:2]
    ends = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], np.float32)
    table = np.full((HEIGHT, WIDTH, 3), (60, 70, 80), np.uint8)
    matrix = cv2.getPerspectiveTransform(ends, np.array(CORNERS, np.float32))
    cv2.warpPerspective(page, matrix, (WIDTH, HEIGHT), table, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    return cv2.imencode(".jpg", table, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()

"""A reading without its pixels, or a record, as one ``.npz``, so that work on it can go on later or elsewhere.

It holds the layout, the curves of a vector file, the prediction and the very arrays that the model read. Header and
footer are not in it: of the ink only the part around the traces is stored.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.documents import parse_json
from ecglens.records import (
    Abstention,
    Box,
    Drawing,
    EcgRecord,
    InkMap,
    Layout,
    LeadBox,
    Located,
    NotFound,
    Page,
    Prediction,
    Reading,
)

__all__ = ["pack_reading", "restore_record", "store_record", "unpack_reading"]

_VERSION = 1
_FAST = 1
"""Level of compression: people wait for it, and a demo page takes 14 ms and 552 kB; at level 6, 67 ms and 488 kB."""
_CURVE, _INPUT = "curve:", "input:"


def pack_reading(reading: Reading) -> bytes:
    """Pack a reading, without the pixels of its page, its signals and its measurements.

    Args:
        reading: From :func:`ecglens.reading.read_located`.
    """
    page, layout, prediction = reading.page, reading.layout, reading.prediction
    ink = _ink_around_traces(layout) if isinstance(layout, Layout) else None
    state = {
        "version": _VERSION,
        "page": {"number": page.number, "count": page.count, "warnings": page.warnings, "bend_mm": page.bend_mm},
        "layout": _plain(layout, "ink") if isinstance(layout, Layout) else None,
        "layout_reason": "" if isinstance(layout, Layout) else layout.reason,
        "ink": None if ink is None else {"scale": ink.scale, "origin": ink.origin},
        "prediction": _plain(prediction, "layout", "inputs"),
    }
    arrays: dict[str, NDArray[Any]] = {"state": np.frombuffer(json.dumps(state).encode(), np.uint8)}
    arrays |= {f"{_CURVE}{number}": curve for number, curve in enumerate(page.curves)}
    arrays |= {f"{_INPUT}{name}": array for name, array in (prediction.inputs or {}).items()}
    if ink is not None:
        arrays["ink"] = ink.pixels
    if page.drawing is not None:
        arrays["record"] = np.frombuffer(store_record(page.drawing.record), np.uint8)
        arrays["visible"] = np.frombuffer(store_record(page.drawing.visible), np.uint8)
    return _write_npz(arrays)


def store_record(record: EcgRecord) -> bytes:
    """Pack a digital ECG, without the confidence of its samples.

    Args:
        record: Its signals.
    """
    names = [each.name for each in fields(record) if each.name not in ("signals_mv", "confidence")]
    facts = {name: getattr(record, name) for name in names}
    return _write_npz({"signals_mv": record.signals_mv, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)})


def restore_record(packed: bytes) -> EcgRecord:
    """Return the record that :func:`store_record` packed.

    Args:
        packed: From :func:`store_record`.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        facts: dict[str, Any] = parse_json(arrays["facts"].tobytes())
        names, fs_hz = (facts.pop(name) for name in ("leads", "fs_hz"))
        texts: dict[str, Any] = {name: tuple(items) for name, items in facts.items()}
        return replace(EcgRecord(arrays["signals_mv"], fs_hz, tuple(names)), **texts)


def _write_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of an ``.npz``; numpy's own writer has no level of compression and takes five times as long.

    Args:
        arrays: Arrays by name.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return stream.getvalue()


def unpack_reading(packed: bytes, page: Page) -> Reading:
    """Return the reading that :func:`pack_reading` packed, on the pixels that were stored beside it.

    Args:
        packed: From :func:`pack_reading`.
        page: The stored page, whose pixels have the size of the page that was read.
    """
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        state = parse_json(arrays["state"].tobytes())
        curves = tuple(arrays[name] for name in arrays.files if name.startswith(_CURVE))
        inputs = {name.removeprefix(_INPUT): arrays[name] for name in arrays.files if name.startswith(_INPUT)}
        ink = None if state["ink"] is None else _ink(arrays["ink"], state["ink"])
        records = [restore_record(arrays[name].tobytes()) for name in ("record", "visible") if name in arrays.files]
    facts = {**state["page"], "warnings": tuple(state["page"]["warnings"])}
    layout = NotFound(state["layout_reason"]) if ink is None else _layout(state["layout"], ink)
    drawing = Drawing(records[0], layout, records[1]) if records and isinstance(layout, Layout) else None
    located = Located(replace(page, curves=curves, drawing=drawing, **facts), layout)
    prediction = _prediction(state["prediction"], layout, inputs or None)
    return Reading(located, prediction)


def _plain(value: Layout | Prediction, *without: str) -> dict[str, Any]:
    """The fields of a dataclass in plain types; arrays are stored beside them."""
    return {name: item for name, item in asdict(value).items() if name not in without}


def _ink(pixels: NDArray[np.uint8], plain: Mapping[str, Any]) -> InkMap:
    return InkMap(pixels, (plain["scale"][0], plain["scale"][1]), (plain["origin"][0], plain["origin"][1]))


def _ink_around_traces(layout: Layout) -> InkMap:
    ink, area = layout.ink, layout.trace_area
    top, left = max(0, int(ink.row(area.top))), max(0, int(ink.column(area.left)))
    bottom, right = max(top, int(ink.row(area.bottom)) + 1), max(left, int(ink.column(area.right)) + 1)
    origin = (ink.origin[0] + top * ink.scale[0], ink.origin[1] + left * ink.scale[1])
    return InkMap(ink.pixels[top:bottom, left:right], ink.scale, origin)


def _layout(plain: Mapping[str, Any], ink: InkMap) -> Layout:
    rows = plain["to_upright"]
    return Layout(
        **{
            **plain,
            "leads": tuple(LeadBox(**{**lead, "box": Box(**lead["box"])}) for lead in plain["leads"]),
            "trace_area": Box(**plain["trace_area"]),
            "px_per_mm": tuple(plain["px_per_mm"]),
            "to_upright": (tuple(rows[0]), tuple(rows[1])),
            "warnings": tuple(plain["warnings"]),
            "names": tuple(Box(**box) for box in plain["names"]),
        },
        ink=ink,
    )


def _prediction(
    plain: Mapping[str, Any], layout: Layout | NotFound, inputs: Mapping[str, NDArray[np.float32]] | None
) -> Prediction:
    abstention = plain["abstention"]
    return Prediction(
        **{
            **plain,
            "abstention": None if abstention is None else Abstention(**abstention),
            "warnings": tuple(plain["warnings"]),
        },
        layout=layout if isinstance(layout, Layout) else None,
        inputs=inputs,
    )

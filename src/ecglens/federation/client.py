"""Flower ClientApp of a site: it trains, answers its test rows, and sends nothing but weights and counts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.common.constant import ErrorCode
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS
from safetensors.torch import load
from torch import Tensor

from ecglens.federation.local import LocalTask, Order, fit_site, open_network
from ecglens.federation.weights import make_record, read_record

__all__ = [
    "ARRAYS",
    "CONFIG",
    "COPIES",
    "COUNTS",
    "EXAMPLES",
    "METRICS",
    "OpenSite",
    "hide_reasons",
    "make_client_app",
    "refuse_other_content",
    "refuse_unmasked_content",
]

ARRAYS, CONFIG, METRICS = "arrays", "config", "metrics"
"""Names of the records of a message."""

EXAMPLES, COUNTS = "num-examples", "counts"
"""Counts that a site sends: rows that it trained on or answered, and its confusion matrix row by row."""

COPIES = "copies"
"""Keyed fingerprints of a site's pages, only where the site has a key; see :mod:`ecglens.federation.copies`."""

_SENT = {METRICS: {EXAMPLES, COUNTS}, COPIES: {"fingerprints"}}
_MASKED = {RECORD_KEY_CONFIGS, "fitres.parameters", "fitres.num_examples", "fitres.metrics", "fitres.status"}
"""Records of a reply in secure aggregation; the parameters are empty, as the masked ones are in the first record."""
_HIDDEN = "The site could not do this round; its own log has the reason."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class OpenSite:
    """A site that is ready to train.

    Attributes:
        task: Data of the site.
        folder: Folder of what stays at the site.
        number: Number of the site, which makes its random seeds differ from those of others.
        fingerprints: Keyed fingerprints of its pages, or ``None`` where the site has no key.
    """

    task: LocalTask
    folder: Path
    number: int
    fingerprints: Sequence[bytes] | None = None


def make_client_app(
    open_site: Callable[[Context], OpenSite], *, mods: Sequence[Mod] = (), secure: bool = False
) -> ClientApp:
    """Make the ClientApp of sites.

    Args:
        open_site: Function that opens the site of a Flower context.
        mods: Further Flower mods, such as clipping or secure aggregation; they see the site's update.
        secure: Whether the mods mask the update, so that a reply has the masked update and no weights.
    """
    app = ClientApp()
    around: list[Mod] = [hide_reasons, refuse_unmasked_content if secure else refuse_other_content, *mods]
    alone: list[Mod] = [hide_reasons, refuse_other_content]

    @app.train(mods=around)
    def fit(message: Message, context: Context) -> Message:
        site, order = open_site(context), _read_order(message)
        weights = fit_site(
            site.task,
            read_record(message.content.array_records[ARRAYS]),
            _number_order(order, site.number),
            site.folder,
            start=_read_start(message),
        )
        counts = MetricRecord({EXAMPLES: site.task.count()})
        return Message(RecordDict({ARRAYS: make_record(weights), METRICS: counts}), reply_to=message)

    @app.evaluate(mods=alone)
    def answer(message: Message, context: Context) -> Message:
        site, shared = open_site(context), read_record(message.content.array_records[ARRAYS])
        order = _read_order(message)
        network = open_network(site.task, shared, order.round + 1, site.folder, start=_read_start(message))
        counts = site.task.count_answers(network)
        record = MetricRecord({EXAMPLES: int(counts.sum()), COUNTS: [int(count) for count in counts.ravel()]})
        return Message(RecordDict({METRICS: record}), reply_to=message)

    @app.query(mods=alone)
    def fingerprint(message: Message, context: Context) -> Message:
        prints = open_site(context).fingerprints or ()
        return Message(RecordDict({COPIES: ConfigRecord({"fingerprints": list(prints)})}), reply_to=message)

    return app


def hide_reasons(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Run a ClientApp, and answer an exception without its text, which may name a file, a patient or a label.

    This is a Flower mod; Flower itself would send the text of the exception to the server.
    """
    try:
        return call_next(message, context)
    except Exception:
        _log.exception("The site could not do what the server requested.")
        return Message(Error(code=ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason=_HIDDEN), reply_to=message)


def refuse_other_content(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Run a ClientApp, and raise an error if its reply has anything but weights and counts.

    This is a Flower mod. Weights have the names and shapes that the server sent.

    Raises:
        ValueError: The reply has other content.
    """
    sent = {name: tuple(array.shape) for name, array in _arrays(message).items()}
    reply = call_next(message, context)
    if reply.has_error():
        return reply
    arrays = {name: tuple(array.shape) for name, array in _arrays(reply).items()}
    others = {name for name in reply.content if name not in {ARRAYS, *_SENT}}
    fields = {key for name, keys in _SENT.items() if name in reply.content for key in set(reply.content[name]) - keys}
    if others or fields or (arrays and arrays != sent):
        raise ValueError(
            f"Expected a reply of weights and counts only, got {sorted(others | fields) or 'other weights'}."
        )
    return reply


def refuse_unmasked_content(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Run a ClientApp, and raise an error if its reply has anything but a masked update, keys and a count.

    This is a Flower mod for secure aggregation.

    Raises:
        ValueError: The reply has other content.
    """
    reply = call_next(message, context)
    if reply.has_error():
        return reply
    others = sorted(set(reply.content) - _MASKED)
    unmasked = [name for record in reply.content.array_records.values() for name in record]
    if others or unmasked:
        raise ValueError(f"Expected a reply with a masked update only, got {others or 'weights'}.")
    return reply


def _arrays(message: Message) -> ArrayRecord:
    return message.content.array_records.get(ARRAYS, ArrayRecord())


def _read_order(message: Message) -> Order:
    config = message.content.config_records[CONFIG]
    fields: dict[str, object] = {
        name: config[name] for name in ("epochs", "learning_rate", "trunk", "seed", "last_layers") if name in config
    }
    proximal = config.get("proximal-mu", 0.0)
    return Order(round=config["server-round"], proximal=proximal, **fields)  # type: ignore[arg-type]  # Flower's union


def _number_order(order: Order, number: int) -> Order:
    words = np.random.SeedSequence([order.seed, order.round, number]).generate_state(1)
    return Order(**{**order.to_dict(), "seed": int(words[0])})


def _read_start(message: Message) -> dict[str, Tensor] | None:
    content = message.content.config_records[CONFIG].get("start")
    return load(content) if isinstance(content, bytes) else None

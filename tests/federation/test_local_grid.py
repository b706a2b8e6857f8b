from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from ecglens.federation.local_grid import CountingGrid, LocalGrid, count_message_bytes


def order(node, grid, **fields):
    return grid.create_message(RecordDict({"config": ConfigRecord(fields)}), "train", node, "1")


def answer(index, message):
    message.content["config"]["changed"] = True
    return Message(RecordDict({"metrics": MetricRecord({"index": index})}), reply_to=message)


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(2)])
def test_replies_come_in_the_order_of_the_messages(executor):
    grid = LocalGrid(answer, 3, executor=executor)
    replies = grid.send_and_receive([order(node, grid) for node in (3, 1, 2)])
    assert [reply.content["metrics"]["index"] for reply in replies] == [2, 0, 1]
    assert [reply.metadata.src_node_id for reply in replies] == [3, 1, 2]


def test_a_site_cannot_change_the_message_of_another():
    grid, content = LocalGrid(answer, 2), RecordDict({"config": ConfigRecord({})})
    grid.send_and_receive([grid.create_message(content, "train", node, "1") for node in (1, 2)])
    assert "changed" not in content["config"]


def test_a_site_that_fails_gives_an_error_without_the_text():
    def fail(index, message):
        raise OSError("/data/smith.jpg")

    grid = LocalGrid(fail, 1)
    (reply,) = grid.send_and_receive([order(1, grid)])
    assert reply.has_error()
    assert reply.error.reason == "The site failed."


def test_a_reply_after_the_timeout_is_left_out():
    ticks = count(step=10.0)
    grid = LocalGrid(answer, 2, clock=lambda: next(ticks))
    assert grid.send_and_receive([order(1, grid)], timeout=9.0) == []
    assert len(grid.send_and_receive([order(1, grid)], timeout=11.0)) == 1


def test_a_silent_site_is_connected_but_never_replies():
    grid = LocalGrid(answer, 2, silent=[0])
    assert grid.get_node_ids() == [1, 2]
    assert [reply.metadata.src_node_id for reply in grid.send_and_receive([order(1, grid), order(2, grid)])] == [2]


def test_messages_can_be_pushed_and_pulled_once():
    grid = CountingGrid(LocalGrid(answer, 2))
    numbers = grid.push_messages([order(2, grid, rate=1.0)])
    assert len(grid.pull_messages(numbers)) == 1
    assert grid.pull_messages(numbers) == []
    assert grid.run.run_id == 1
    assert grid.sent > 0 < grid.received


def test_bytes_of_a_message_count_weights_and_settings():
    grid = LocalGrid(answer, 1)
    small, large = order(1, grid, rate=1.0), order(1, grid, rate=1.0, start=b"0" * 1000)
    assert count_message_bytes(large) - count_message_bytes(small) == pytest.approx(1000, abs=10)
    assert count_message_bytes(Message(RecordDict({"arrays": ArrayRecord({})}), reply_to=small)) == 0

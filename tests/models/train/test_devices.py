import pytest
import torch

from ecglens.errors import TrainingError
from ecglens.models.train.devices import choose_forward_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(("avx512", "amx"), [(True, False), (False, True), (False, False)])
def test_mixed_precision_is_chosen_only_where_the_cpu_has_instructions_for_it(monkeypatch, avx512, amx):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert choose_forward_dtype("auto", CPU) is (torch.bfloat16 if avx512 or amx else None)


def test_a_precision_that_is_named_is_taken_or_refused():
    assert choose_forward_dtype("float32", CPU) is None
    assert choose_forward_dtype("bfloat16", CPU) is torch.bfloat16
    with pytest.raises(TrainingError, match="float16 needs a GPU; set optimization.precision to auto"):
        choose_forward_dtype("float16", CPU)
    assert choose_forward_dtype("float16", torch.device("cuda")) is torch.float16

"""A hash of weights depends on names, types, shapes and bytes, and on nothing else."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from trainer.base.hashing.tensors import Weights, size_of, weights_hash

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.int64,
    torch.int8,
    torch.uint8,
    torch.bool,
)


def plain_hash(file: Path) -> str:
    """The definition, with every tensor in memory."""
    digests = {}
    for name, tensor in load_file(file).items():
        found = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
        digests[name] = found.hexdigest()
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def test_every_type_is_hashed_as_torch_names_it(tmp_path):
    tensors = {str(dtype): torch.ones(3, 2).to(dtype) for dtype in DTYPES}
    file = tmp_path / "all.safetensors"
    save_file(tensors | {"scalar": torch.tensor(2.5), "none": torch.zeros(0, 4)}, file, {"format": "pt"})
    assert weights_hash(Weights((file,))) == plain_hash(file)


def test_shards_give_the_hash_of_the_whole_and_a_prefix_takes_a_part(tmp_path):
    save_file({"a.x": torch.ones(2), "b.x": torch.zeros(3)}, tmp_path / "whole")
    save_file({"b.x": torch.zeros(3)}, tmp_path / "first")
    save_file({"a.x": torch.ones(2)}, tmp_path / "second")
    whole, shards = Weights((tmp_path / "whole",)), Weights((tmp_path / "first", tmp_path / "second"))
    assert weights_hash(whole) == weights_hash(shards)
    assert weights_hash(whole._replace(prefix="b.")) == weights_hash(Weights((tmp_path / "first",)))
    assert (size_of(whole), size_of(whole._replace(prefix="b."))) == (20, 12)


def test_every_byte_is_told_of(tmp_path):
    save_file({"a": torch.ones(5), "b": torch.zeros(7)}, tmp_path / "file")
    told: list[int] = []
    weights = Weights((tmp_path / "file",))
    weights_hash(weights, told.append)
    assert sum(told) == size_of(weights) == 48


def test_a_damaged_file_is_refused(tmp_path):
    save_file({"a": torch.ones(5)}, tmp_path / "file")
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:-3])
    with pytest.raises(SafetensorError):
        weights_hash(Weights((tmp_path / "file",)))

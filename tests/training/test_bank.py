"""The teacher bank on disk: every row as written, no row of a part that was not asked for."""

from pathlib import Path

import pyarrow as pa
import pytest
import torch

from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.training.bank import fixed_lists, read_bank, tensor_of, write_teacher

N, D, C = 7, 5, 3
IDS = [f"s{i}" for i in range(N)]
PARTS = ["train", "test", "validation", "train", "test", "train", "validation"]
PRESENT = torch.tensor([True, True, False, True, True, False, True])


def _columns(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = {"embedding": D, "logits": C, "crossfit_logits": C}
    return {key: torch.randn(N, size, generator=generator) for key, size in sizes.items()}


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    for seed, name in enumerate(("eda", "joint")):
        write_teacher(tmp_path, name, IDS, PARTS, _columns(seed), PRESENT if name == "eda" else torch.ones(N).bool())
    return tmp_path


def test_lists_of_numbers_survive_a_column() -> None:
    values = _columns(0)["embedding"]
    column = fixed_lists(values.T.contiguous().T)
    assert torch.equal(tensor_of(pa.chunked_array([column[:3], column[3:]])), values)
    assert tensor_of(pa.chunked_array([column[:0]])).shape == (0, D)


def test_the_bank_reads_as_written_in_any_order(bank: Path) -> None:
    order = [4, 0, 6, 2, 1, 5, 3]
    read = read_bank(bank, ["eda", "joint"], [IDS[i] for i in order], ["train", "validation", "test"])
    assert read.names == ["eda", "joint"]
    for k, seed in enumerate((0, 1)):
        seen = PRESENT if k == 0 else torch.ones(N).bool()
        for key, stored in (
            ("embedding", read.embeddings),
            ("logits", read.logits),
            ("crossfit_logits", read.crossfit_logits),
        ):
            expected = torch.where(seen[:, None], _columns(seed)[key], 0.0)[order]
            assert torch.equal(stored[k], expected)
        assert torch.equal(read.present[k], seen[order])


def test_parts_that_were_not_asked_for_are_absent_and_zero(bank: Path) -> None:
    read = read_bank(bank, ["joint"], IDS, ["train", "validation"])
    tested = torch.tensor([part == "test" for part in PARTS])
    assert torch.equal(read.present[0], ~tested)
    for column in (read.embeddings, read.logits, read.crossfit_logits):
        assert (column[0][tested] == 0).all()
        assert (column[0][~tested] != 0).any(1).all()


def test_a_sample_that_the_bank_does_not_hold_is_absent(bank: Path) -> None:
    read = read_bank(bank, ["joint"], ["other", "s0"], ["train"])
    assert read.present.tolist() == [[False, True]]
    assert (read.embeddings[0, 0] == 0).all()


def test_what_a_teacher_could_not_see_is_zero_even_where_it_spoke_nonsense(tmp_path: Path) -> None:
    columns = {key: torch.where(PRESENT[:, None], column, torch.nan) for key, column in _columns(0).items()}
    write_teacher(tmp_path, "eda", IDS, PARTS, columns, PRESENT)
    read = read_bank(tmp_path, ["eda"], IDS, ["train", "validation", "test"])
    assert torch.isfinite(read.embeddings).all()
    assert torch.isfinite(read.crossfit_logits).all()


def test_a_teacher_that_is_not_there_is_told(bank: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_bank(bank, ["joint", "ecg"], IDS, ["train"])


def test_rows_are_gathered_in_all_columns(bank: Path) -> None:
    read = read_bank(bank, ["eda", "joint"], IDS, ["train", "validation", "test"])
    few = read.rows(torch.tensor([5, 0]))
    assert torch.equal(few.embeddings, read.embeddings[:, [5, 0]])
    assert torch.equal(few.present, read.present[:, [5, 0]])
    assert few.crossfit_logits.shape == (2, 2, C)

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rmgym.errors import MissingExtraError, TrajectoryStoreError
from rmgym.rollout import TrajectoryStore, rollout
from rmgym.rollout.tables import make_table
from tests.rollout.guessing import ENV_ID, LONE, Bisect

pytest.importorskip("pyarrow")


def test_a_row_holds_figures_messages_and_all_turns(tmp_path: Path) -> None:
    from pyarrow import parquet

    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        played = rollout(ENV_ID, Bisect(), 2, store=store)
        store.to_parquet(tmp_path / "s.parquet")
    first, second = parquet.read_table(tmp_path / "s.parquet").to_pylist()
    assert first["return"] == played[0].episode_return
    assert (first["env_id"], first["policy"], first["seed"], first["episode"]) == (
        ENV_ID,
        "Bisect",
        0,
        0,
    )
    assert (first["term.hits"], second["term.hits"]) == (1.0, 1.0)
    assert first["term.nearness"] == played[0].term_sums["nearness"]
    assert (first["turns"], first["metric.turns"], first["stop_reason"]) == (3, 3.0, "hit")
    assert first["messages"][1] == {"role": "assistant", "content": "<guess>4</guess>"}
    assert [turn["reward"] for turn in json.loads(first["turns_json"])] == [
        turn.reward for turn in played[0].turns
    ]


def test_lone_surrogates_are_replaced_in_text_and_kept_in_json() -> None:
    [trajectory] = rollout(ENV_ID, Bisect(), 1)
    [row] = make_table([replace(trajectory, env_id=LONE)]).to_pylist()
    assert row["env_id"] == "\ufffd"
    assert row["messages"][-1]["content"].endswith("\ufffd")
    assert json.loads(row["task_json"])["names"] == {"$tuple": ["tuple", LONE]}


def test_a_term_that_an_episode_lacks_is_null() -> None:
    played = rollout(ENV_ID, Bisect(), 2)
    bare = replace(played[1], turns=(replace(played[1].turns[0], reward_terms={}, info={}),))
    table = make_table([played[0], bare])
    assert table["term.hits"].to_pylist() == [1.0, None]
    assert table["metric.noise"].to_pylist()[1] is None
    assert table["stop_reason"].to_pylist() == ["hit", None]


def test_no_episodes_make_an_empty_table() -> None:
    table = make_table([])
    assert table.num_rows == 0
    assert {"env_id", "return", "messages", "turns_json"} <= set(table.column_names)


def test_a_dataset_has_the_same_rows(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        rollout(ENV_ID, Bisect(), 3, store=store)
        dataset = store.to_dataset()
        assert dataset.to_list() == make_table(store.trajectories()).to_pylist()
    assert dataset.map(lambda row: {"long": row["turns"] > 2})["long"] == [True, False, True]


def test_a_parquet_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with (
        TrajectoryStore(tmp_path / "s.jsonl") as store,
        pytest.raises(TrajectoryStoreError, match="could not write"),
    ):
        store.to_parquet(tmp_path / "no" / "s.parquet")


@pytest.mark.parametrize("module", ["pyarrow", "datasets"])
def test_a_missing_library_is_named_with_its_extra(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        TrajectoryStore(tmp_path / "s.jsonl") as store,
        pytest.raises(MissingExtraError, match=r"pip install 'rmgym\[data\]'"),
    ):
        store.to_dataset()

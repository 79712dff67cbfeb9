"""TRL's environment hook: the tools of an rmgym environment, TRL's own loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import BackendError
from rmgym.integrations.credit import Credit
from rmgym.testing import register_test_envs

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    register_test_envs()


def call(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call><|im_end|>'


def test_tools_of_an_environment_are_tools_of_trl(tmp_path: Path) -> None:
    import trl
    from datasets import Dataset
    from trl import GRPOConfig

    from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer
    from rmgym.integrations.trl import TurnCreditGRPOTrainer, environment_factory

    tokenizer = tiny_tokenizer()
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    tokenizer.chat_template = template.read_text()
    factory = environment_factory(ECHO)
    trainer = TurnCreditGRPOTrainer(
        model=tiny_model(hidden=32, max_tokens=4096),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=2,
            num_generations=2,
            max_completion_length=1024,
            report_to=[],
            use_cpu=True,
        ),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(
            [{"prompt": [{"role": "user", "content": "Play."}], "seed": 3}] * 4
        ),
        environment_factory=factory,
        credit=Credit(estimator="turn_centred"),
    )
    said = iter(range(100))

    def scripted(ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
        """Say the word in the first row, another in the second; then stop calling."""
        turn = next(said)
        worlds = [each._host.env.unwrapped for each in trainer.environments]
        if turn >= 2:
            return [tokenizer("Done.<|im_end|>")["input_ids"] for _ in ids], None
        words = [worlds[0].episode.word, "nothing"]
        texts = [call("say", f'{{"word": "{word}"}}') for word in words]
        return [tokenizer(text)["input_ids"] for text in texts], None

    trainer._generate_single_turn = scripted
    trainer.model.train()
    inputs = trainer._generate_and_score_completions(
        [{"prompt": [{"role": "user", "content": "Play."}], "seed": 3} for _ in range(2)]
    )
    good, bad = (each.trajectory for each in trainer.environments)
    assert [turn.reward for turn in good.turns] == pytest.approx([1 / 3, 1 / 3, 0.0])
    assert good.stop_reason == "no_tool_call"
    assert "finished" in good.turns[-1].reward_terms
    assert sum(turn.reward for turn in bad.turns) == 0.0
    index = inputs["turn_index"]
    assert int(index.max()) == 2
    first = index[0] == 0
    assert float(inputs["advantages"][0][first][0]) > float(
        inputs["advantages"][1][index[1] == 0][0]
    )
    assert trainer.environments[0].get_reward() == pytest.approx(2 / 3)


def test_a_tool_after_the_end_does_not_reach_the_environment() -> None:
    from rmgym.integrations.trl import environment_factory

    episode: Any = environment_factory(ECHO)()
    episode.reset(seed=0)
    assert episode.leave() == "Goodbye."
    assert episode.leave() == "The episode has ended."
    assert len(episode.trajectory.turns) == 1


def test_a_broken_backend_behind_a_tool_gives_no_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    from rmgym.integrations.trl import environment_factory

    episode: Any = environment_factory(ECHO)()
    episode.reset(seed=0)

    def fail(_: Any) -> Any:
        raise BackendError("lost")

    monkeypatch.setattr(episode._host, "play", fail)
    with pytest.raises(BackendError, match="lost"):
        episode.leave()
    assert episode.get_reward() is None
    assert episode.trajectory is None

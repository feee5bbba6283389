"""The example in docs/engine.md runs and says what the page says of it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "engine.md"


def test_example_runs_and_is_repeatable(capsys):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    printed = []
    for _ in range(2):
        names = {}
        exec(compile(code, str(PAGE), "exec"), names)
        printed.append(capsys.readouterr().out)
        counts = names["counts"]
        assert counts["injected"] == 598
        assert counts["delivered"] > 0.5 * counts["injected"]
        assert counts["injected"] == counts["resolved"] + counts["alive"]
    assert printed[0] == printed[1]

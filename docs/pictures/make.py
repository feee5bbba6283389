"""Draw the pictures of the README from a run folder, as SVG: ``python docs/pictures/make.py runs/feeder_fault``."""

import re
import sys
from pathlib import Path

import matplotlib

from twin.study import pictures_style as style
from twin.study.pictures_curve import truth_belief
from twin.study.pictures_data import open_run
from twin.study.pictures_map import grid_map

HERE = Path(__file__).parent


def main(run_dir: str) -> None:
    """Write ``grid_map.svg`` and ``truth_belief.svg`` beside this file; the same run gives the same bytes."""
    run = open_run(Path(run_dir))
    with style.styled():
        matplotlib.rcParams.update({"svg.hashsalt": "teiden", "svg.fonttype": "path"})
        for name, draw in (("grid_map", grid_map), ("truth_belief", truth_belief)):
            figure, _ = draw(run)
            path = HERE / f"{name}.svg"
            figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
            path.write_text(re.sub(r' d="[^"]*"', _rounded, path.read_text()))


def _rounded(data: re.Match[str]) -> str:
    """Cut the coordinates of a path to tenths of a point; glyphs, in font units, lose nothing that shows."""
    return re.sub(r"(\.\d)\d+", r"\1", data[0])


if __name__ == "__main__":
    main(sys.argv[1])

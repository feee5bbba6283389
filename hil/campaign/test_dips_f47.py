"""The dips of SEMI F47."""

from __future__ import annotations

import pytest

from hil.campaign.dips import play_dip
from hil.evidence.bench import Bench
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.tables import DipTest


@pytest.mark.called("Dip of SEMI F47")
@pytest.mark.requirement("R17")
def test_dip_of_semi_f47(
    bench: Bench, measure: Measures, attach: Attachments, f47_dip: DipTest, dip_angle: float
) -> None:
    play_dip(bench, measure, attach, f47_dip, dip_angle)

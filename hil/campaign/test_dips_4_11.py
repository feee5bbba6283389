"""The dips and the short interruption of IEC 61000-4-11, of the station's class."""

from __future__ import annotations

import pytest

from hil.campaign.dips import play_dip
from hil.evidence.bench import Bench
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.tables import DipTest


@pytest.mark.called("Dip of IEC 61000-4-11")
@pytest.mark.requirement("R17")
def test_dip_of_iec_61000_4_11(
    bench: Bench, measure: Measures, attach: Attachments, iec_dip: DipTest, dip_angle: float
) -> None:
    play_dip(bench, measure, attach, iec_dip, dip_angle)

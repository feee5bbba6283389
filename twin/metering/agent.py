"""A meter's side of what the head end tells and asks it: proves who speaks, acts once, answers in sealed bytes.

A request that came before is answered again and not carried out again: its invocation counter is known. One that is
sealed with another meter's keys, or by somebody else than the head end, is refused without an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dlms_cosem.cosem import CosemAttribute
from dlms_cosem.dlms_data import AbstractDlmsData, DoubleLongData, UnsignedLongData
from dlms_cosem.enumerations import ActionResultStatus, CosemInterface, DataAccessResult
from dlms_cosem.protocol.xdlms import ActionRequestNormal, ActionResponseNormal, GetRequestNormal
from dlms_cosem.protocol.xdlms.get import GetRequestWithList, GetResponseWithList
from dlms_cosem.protocol.xdlms.set import SetResponseNormal

from twin.field.topology import Bools
from twin.metering import commands, image
from twin.metering.calendar import simulated_ns
from twin.metering.limiter import AmpereLimit
from twin.metering.security import HEAD_END, MeterKeys, PayloadRefused, claimed_sender, seal, unseal
from twin.office.headend import SequenceWindow
from twin.store.schema import Series

FIRST_ANSWER = 1 << 31
"""Invocation counters of answers begin here, those of pushes at 0: a counter is never used twice with a key."""
_VALUE_TYPES: dict[str, type[AbstractDlmsData]] = {
    "p_w": DoubleLongData,
    "q_var": DoubleLongData,
    "u_dv": UnsignedLongData,
}


@dataclass(frozen=True)
class Asked:
    """The intervals that a re-request wants: those that end from ``from_ns`` up to ``to_ns``."""

    series: Series
    from_ns: int
    to_ns: int


@dataclass(frozen=True)
class Reaction:
    """What a meter makes of a request.

    Attributes
    ----------
    answer : bytes or None
        Sealed; None where the answer is values, which go out as a push.
    asked : Asked or None
    acted : bool
        Whether it was carried out now; False for one that came again.
    """

    answer: bytes | None
    asked: Asked | None
    acted: bool


class MeterAgent:
    """One meter that is spoken to.

    Parameters
    ----------
    meter : int
    keys : MeterKeys
        Its own; nothing that other keys sealed is listened to.
    contract_a : float
    measure : callable
        ``measure(t_ns)``: momentary values by name (``p_w``, ``q_var``, ``u_dv``).
    clock_offset_ns : callable
        ``clock_offset_ns(t_ns)``: how far its clock is ahead; a reservation begins when that clock says so.

    Attributes
    ----------
    limit : AmpereLimit
    switch : list of (int, bool)
        When its switch opened (False) and closed (True); it is closed at first.
    refused : Counter
        Requests it did not listen to, by reason.
    acted : int
        Requests it carried out.
    image : (B,) bool or None
        Which blocks of a new image it has; None while there is none.
    """

    def __init__(
        self, meter: int, keys: MeterKeys, contract_a: float,
        measure: Callable[[int], Mapping[str, int]], clock_offset_ns: Callable[[int], int],
    ):  # fmt: skip
        self.meter = meter
        self._keys = keys
        self._measure = measure
        self._clock_offset_ns = clock_offset_ns
        self.limit = AmpereLimit(contract_a)
        self.switch: list[tuple[int, bool]] = []
        self.refused: Counter[str] = Counter()
        self.acted = 0
        self.image: Bools | None = None
        self._window = SequenceWindow()
        self._known: dict[bytes, Reaction] = {}
        self._answers = 0

    def allowed_a(self, t_ns: int) -> float:
        """Return the ampere limit at a moment [A]."""
        return self.limit.at(t_ns)

    def closed(self, t_ns: int) -> bool:
        """Return whether the switch was closed at a moment."""
        return next((closed for since_ns, closed in reversed(self.switch) if since_ns <= t_ns), True)

    def next_change_ns(self, t_ns: int) -> int:
        """Return the first moment after `t_ns` at which limit or switch may change, by what is known now."""
        switched = (since_ns for since_ns, _ in self.switch if since_ns > t_ns)
        return min([self.limit.next_change_ns(t_ns), *switched])

    def take(self, data: bytes, t_ns: int) -> Reaction | None:
        """Return what the meter makes of bytes off the radio; None: it refuses them and stays silent."""
        if data in self._known:
            return self._known[data]
        try:
            apdu = self._opened(data)
        except PayloadRefused as refusal:
            self.refused[refusal.reason] += 1
            return None
        reaction = self._carried_out(apdu, t_ns)
        self.acted += 1
        self._known[data] = Reaction(reaction.answer, reaction.asked, False)
        return reaction

    def _opened(self, data: bytes) -> bytes:
        if claimed_sender(data) != HEAD_END:
            raise PayloadRefused("forged", f"meter {self.meter}: a request of somebody else than the head end")
        apdu, counter = unseal(data, self._keys)
        if not self._window.accept(counter):
            raise PayloadRefused("repeated", f"meter {self.meter}: invocation counter {counter} again, or far behind")
        return apdu

    def _carried_out(self, apdu: bytes, t_ns: int) -> Reaction:
        kind = apdu[:2]
        if kind == b"\xc3\x01":
            return self._sealed(self._do(ActionRequestNormal.from_bytes(apdu), t_ns))
        if kind in (b"\xc1\x01", b"\xc1\x04"):
            return self._sealed(self._set(apdu, t_ns))
        if kind == b"\xc0\x03":
            return self._sealed(self._measured(GetRequestWithList.from_bytes(apdu), t_ns))
        request = GetRequestNormal.from_bytes(apdu)
        if request.cosem_attribute.interface is CosemInterface.IMAGE_TRANSFER and self.image is not None:
            return self._sealed(image.tell_blocks(self.image, request.invoke_id_and_priority.to_bytes()))
        return self._range(request)

    def _do(self, request: ActionRequestNormal, t_ns: int) -> bytes:
        method = request.cosem_method
        if method.interface is CosemInterface.IMAGE_TRANSFER and self.image is not None:
            status = self._imaged(method.method, bytes(request.data or b""))
            return bytes(ActionResponseNormal(status, request.invoke_id_and_priority).to_bytes())
        known = method.interface is CosemInterface.DISCONNECT_CONTROL and method.instance == commands.DISCONNECT
        if known and method.method in (1, 2):
            self.switch.append((t_ns, method.method == 2))
        status = ActionResultStatus.SUCCESS if known else ActionResultStatus.OBJECT_UNDEFINED
        return bytes(ActionResponseNormal(status, request.invoke_id_and_priority).to_bytes())

    def _imaged(self, method: int, data: bytes) -> ActionResultStatus:
        """Take a block, or use the image if all of it is there."""
        assert self.image is not None
        if method == image.BLOCK:
            self.image[image.block_number(data)] = True
        whole = method == image.BLOCK or bool(self.image.all())
        return ActionResultStatus.SUCCESS if whole else ActionResultStatus.TEMPORARY_FAILURE

    def _set(self, apdu: bytes, t_ns: int) -> bytes:
        write = commands.parse_write(apdu)
        written = dict(write.values)
        normal, threshold, profile = (written.pop((CosemInterface.LIMITER, n), None) for n in (4, 5, 8))
        if normal is not None:
            self.limit.set_normal(normal / commands.AMPERE_STEPS, t_ns)
        if threshold is not None and profile is not None:
            number, activation, duration_s = profile
            from_ns = simulated_ns(activation)
            from_ns -= self._clock_offset_ns(from_ns)
            self.limit.reserve(number, threshold / commands.AMPERE_STEPS, from_ns, duration_s, t_ns)
        results = [DataAccessResult.OBJECT_UNDEFINED if key in written else DataAccessResult.SUCCESS
                   for key in write.values]  # fmt: skip
        if apdu[1] == 1:
            return bytes(SetResponseNormal(results[0], write.invoke_id).to_bytes())
        # Set-Response-With-List, which the library has not: tag, choice 5, invoke id, results.
        return b"\xc5\x05" + write.invoke_id.to_bytes() + bytes([len(results), *(r.value for r in results)])

    def _measured(self, request: GetRequestWithList, t_ns: int) -> bytes:
        values = self._measure(t_ns)
        given = [self._value_of(entry.attribute, values) for entry in request.cosem_attributes_with_selection]
        return bytes(GetResponseWithList(given, request.invoke_id_and_priority).to_bytes())

    @staticmethod
    def _value_of(wanted: CosemAttribute, values: Mapping[str, int]) -> AbstractDlmsData | DataAccessResult:
        for name, obis in commands.VALUE_OF.items():
            if wanted.instance == obis and name in values:
                return _VALUE_TYPES[name](values[name])
        return DataAccessResult.OBJECT_UNDEFINED

    @staticmethod
    def _range(request: GetRequestNormal) -> Reaction:
        between, series = request.access_selection, Series(request.cosem_attribute.instance.d)
        asked = Asked(series, simulated_ns(between.from_value), simulated_ns(between.to_value))
        return Reaction(None, asked, True)

    def _sealed(self, apdu: bytes) -> Reaction:
        self._answers += 1
        return Reaction(seal(apdu, self.meter, FIRST_ANSWER + self._answers, self._keys), None, True)

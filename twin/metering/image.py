"""A new image for meters, as image transfer (class 18) has it: blocks, which of them are there, activation.

====================== ==========================================================
what                   service on image transfer 0-0:44.0.0.255
====================== ==========================================================
one block              action image_block_transfer (2): number, bytes
which blocks are there get image_transferred_blocks_status (3): a bit each
activation             action image_activate (4)
====================== ==========================================================
"""

from __future__ import annotations

import numpy as np
from dlms_cosem.cosem import CosemAttribute, CosemMethod, Obis
from dlms_cosem.dlms_data import IntegerData, encode_variable_integer
from dlms_cosem.enumerations import CosemInterface
from dlms_cosem.protocol.xdlms import ActionRequestNormal, GetRequestNormal
from dlms_cosem.protocol.xdlms.invoke_id_and_priority import InvokeIdAndPriority

from twin.field.topology import Bools

IMAGE = Obis(0, 0, 44, 0, 0)
BLOCK, STATUS, ACTIVATE = 2, 3, 4
GET_DATA = b"\xc4\x01"
_BITS = 0x04  # tag of a bit string


def transfer_block(number: int, data: bytes, invoke_id: int = 0) -> bytes:
    """Return the request that brings one block.

    The library's octet string has a length of one byte: a block is longer, so the structure is written here.
    """
    value = b"\x02\x02\x06" + number.to_bytes(4, "big") + b"\x09" + encode_variable_integer(len(data)) + data
    method = CosemMethod(CosemInterface.IMAGE_TRANSFER, IMAGE, BLOCK)
    return bytes(ActionRequestNormal(method, value, _usual(invoke_id)).to_bytes())


def block_number(data: bytes) -> int:
    """Return the number of the block that a request's data bring."""
    return int.from_bytes(data[3:7], "big")


def ask_blocks(invoke_id: int = 0) -> bytes:
    """Return the request for which blocks a meter has."""
    return bytes(
        GetRequestNormal(CosemAttribute(CosemInterface.IMAGE_TRANSFER, IMAGE, STATUS), _usual(invoke_id)).to_bytes()
    )


def activate(invoke_id: int = 0) -> bytes:
    """Return the request to use the image; a meter that lacks a block refuses."""
    method = CosemMethod(CosemInterface.IMAGE_TRANSFER, IMAGE, ACTIVATE)
    return bytes(ActionRequestNormal(method, IntegerData(0).to_bytes(), _usual(invoke_id)).to_bytes())


def tell_blocks(held: Bools, invoke: bytes) -> bytes:
    """Return the answer of a meter to `ask_blocks`: get response, normal, its invoke id, data, a bit a block."""
    bits = encode_variable_integer(held.size) + np.packbits(held).tobytes()
    return GET_DATA + invoke + b"\x00" + bytes([_BITS]) + bits


def read_blocks(apdu: bytes, blocks: int) -> Bools:
    """Return (B,) which blocks an answer says are there."""
    start = 5 + len(encode_variable_integer(blocks))
    return np.unpackbits(np.frombuffer(apdu[start:], np.uint8))[:blocks].astype(bool)


def _usual(invoke_id: int) -> InvokeIdAndPriority:
    return InvokeIdAndPriority(invoke_id % 16, True, False)

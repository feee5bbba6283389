"""CURVE keys of the link: making them, reading them, and letting known peers in only.

Public-key encryption and authentication of ZeroMQ (RFC 26/CURVEZMQ); who is let in is asked over ZAP (RFC 27).
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from teiden.errors import InputError, MissingPart

ENDS = ("twin", "rig")
OPEN_TO_OTHERS = 0o077
KEY_BYTES = 32
ENDPOINT = re.compile(r"tcp://(?P<host>[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
LAST_PORT = 65535


@dataclass(frozen=True)
class Keys:
    """What one end knows: its own pair, and the public key of the other end; all in Z85."""

    public: bytes
    secret: bytes
    peer: bytes


def make_keys(folder: Path) -> list[Path]:
    """Make a pair of keys for each end in a folder and return the files.

    ``NAME.key_secret`` is readable by its owner only. A rig on another machine needs ``rig.key_secret`` and
    ``twin.key``; the twin needs ``twin.key_secret`` and ``rig.key``.

    Raises
    ------
    InputError
        If one of the files is there already, or the folder cannot be written.
    """
    files = [folder / f"{end}.key{kind}" for end in ENDS for kind in ("", "_secret")]
    for file in files:
        if file.exists():
            raise InputError(f"{file} is there already; name another folder, or remove the keys in it")
    before = os.umask(OPEN_TO_OTHERS)  # ZeroMQ's own writer leaves secret keys to umask
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for end in ENDS:
            zmq.auth.create_certificates(folder, end)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}, expected a folder to write keys to") from error
    finally:
        os.umask(before)
    return files


def load_keys(folder: Path, end: str) -> Keys:
    """Return the keys of one end, "twin" or "rig".

    Raises
    ------
    InputError
        If a file is missing or no key, or the secret one is open to others than its owner.
    """
    other = ENDS[1 - ENDS.index(end)]
    own = folder / f"{end}.key_secret"
    public, secret = _read(own)
    mode = stat.S_IMODE(own.stat().st_mode)
    if mode & OPEN_TO_OTHERS:
        raise InputError(f"{own}: open to others (mode {mode:04o}), expected 0600; chmod 600 it, or make new keys")
    if secret is None:
        raise InputError(f"{own}: holds no secret key; make keys with teiden rig keys DIR")
    peer, _ = _read(folder / f"{other}.key")
    return Keys(public, secret, peer)


def require_keys(address: str, keys: Keys | None, what: str = "") -> None:
    """Raise InputError if other machines are involved and there are no keys.

    Parameters
    ----------
    address : str
        IPv4 address to listen at; with ``what`` the host of a peer, which may have a name.
    keys : Keys, optional
    what : str
        The peer in words.
    """
    try:
        loopback = ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        if not what:
            raise InputError(f"link.address = {address}, expected an IPv4 address such as 127.0.0.1") from None
        loopback = False
    if keys is None and not loopback:
        what = what or f"link.address = {address}"
        raise InputError(f"{what} is not loopback, expected link.keys = DIR with keys of teiden rig keys DIR")


def host_of(endpoint: str) -> str:
    """Return the host of ``tcp://host:port``; InputError if it is none."""
    found = ENDPOINT.fullmatch(endpoint)
    if found is None or not 0 < int(found["port"]) <= LAST_PORT:
        raise InputError(f"rig at {endpoint!r}, expected tcp://HOST:PORT, as teiden rig serve prints it")
    return found["host"]


def admit_only(context: zmq.Context[zmq.Socket[bytes]], keys: Keys) -> ThreadAuthenticator:
    """Let the known peer's key in, and no other, at all sockets of a context; stop what comes back when they close."""
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback(domain="*", credentials_provider=_OnlyPeer(keys.peer))
    return authenticator


def guard_server(socket: zmq.Socket[bytes], keys: Keys) -> None:
    """Let a socket that binds prove its key and ask for one; see `admit_only`."""
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret


def guard_client(socket: zmq.Socket[bytes], keys: Keys) -> None:
    """Let a socket that connects prove its key, and take a server of the known key only."""
    socket.curve_serverkey = keys.peer
    socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret


class _OnlyPeer:
    """Answers the authenticator."""

    def __init__(self, peer: bytes):
        self._peer = peer

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether a public key, in Z85, is the peer's."""
        return key == self._peer


def _read(file: Path) -> tuple[bytes, bytes | None]:
    if not zmq.has("curve"):
        raise MissingPart("this ZeroMQ has no CURVE; pip install pyzmq from its wheel")
    try:
        public, secret = zmq.auth.load_certificate(file)
        for key in (public, secret or public):
            if len(z85.decode(key)) != KEY_BYTES:
                raise ValueError(f"a key of {len(key)} characters")
        return public, secret
    except OSError as error:
        why = error.strerror or "no such file"  # the package names none
        raise InputError(f"{file}: {why}; make keys with teiden rig keys DIR") from error
    except (ValueError, KeyError, struct.error) as error:
        raise InputError(f"{file}: no key of ZeroMQ ({error}); make keys with teiden rig keys DIR") from error

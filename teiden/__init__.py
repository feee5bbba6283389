"""What every part of Teiden stands on: errors, the build cache, whole-file writes.

Imported by ``hdl``, ``gpu``, ``twin`` and ``hil``; imports none of them.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("teiden")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+uninstalled"

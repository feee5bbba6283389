"""What a run's manifest says of its link."""

from __future__ import annotations

from typing import Any

from twin.link.twin_end import TwinSide


def link_counts(end: TwinSide) -> dict[str, Any]:
    """Return the state and the counters of a link that is over."""
    return {
        "state": str(end.state),
        "heartbeat_ms": end.heartbeat_ms,
        "connections": end.connections,
        "messages_sent": end.channel.sent,
        "messages_taken": end.channel.taken,
        "messages_sent_again": end.channel.resent,
        "duplicates_dropped": end.channel.duplicates,
        "messages_refused": end.strangers,
        "peers_refused": len(end.refused),
        "telemetry_received": end.telemetry.received,
        "telemetry_dropped": end.telemetry.dropped,
    }


def link_flags(counts: dict[str, Any]) -> list[str]:
    """Return what a reader must know of the counters."""
    flags = []
    if counts["connections"] > 1:
        flags.append(f"link: connection made anew {counts['connections'] - 1} times; nothing was lost")
    if counts["messages_refused"] or counts["peers_refused"]:
        flags.append(
            f"link: {counts['messages_refused']} messages of others and {counts['peers_refused']} peers refused"
        )
    if dropped := counts["telemetry_dropped"]:
        flags.append(f"link: {dropped} of {dropped + counts['telemetry_received']} telemetry messages dropped")
    return flags

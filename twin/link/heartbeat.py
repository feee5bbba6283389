"""How soon a peer that freezes is seen, and how long it then has to come back."""

HEARTBEAT_MS = 100  # how often the peer is asked for a sign of life, unless a run says otherwise
UNANSWERED = 3  # times without one until it is lost: it is seen after four intervals at most
GRACE_S = 2.0  # for a lost peer to come back, or for its dying process to end, before it is called lost or frozen

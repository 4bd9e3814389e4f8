"""The program, where readers are killed: `python -m tests.short_calls VERB`. Its calls for messages last five seconds.

Pub/Sub's emulator (0.8.20) never learns that a reader has gone (on each it logs a NoSuchMethodError of its own). It
goes on giving that reader messages, one lease after the other, until the call is over; the client library lets a call
last for fifteen minutes, and makes the next one at once. What is given to a call that just ends waits for its lease,
too, which is why only tests whose leases are short do this.
"""

from __future__ import annotations

from functools import partialmethod

from google.pubsub_v1 import SubscriberClient

from main import run

CALL_SECONDS = 5.0


def shorten_calls() -> None:
    """From now on, for this process."""
    pull = partialmethod(SubscriberClient.streaming_pull, timeout=CALL_SECONDS)
    SubscriberClient.streaming_pull = pull  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    shorten_calls()
    run()

"""A connection: bytes in, messages to the broker, and answers in the order in which they are due.

An answer to data waits for the broker's acknowledgement, and whatever is to be said after it waits
behind it. Reading pauses, and the sender is slowed by TCP itself, while there is any reason to.
"""

import asyncio
import ssl
from abc import abstractmethod
from collections import deque
from functools import partial
from typing import ClassVar, Final, cast

import structlog

from devices.streams.stream import Step, Stream
from ingest.gateway.encryption import Encrypted
from ingest.gateway.house import House, Pause, is_identity, topic_of

MOST_UNANSWERED: Final = 256
"""Messages of one connection that the broker may not have acknowledged yet."""

UNREAD_BYTES: Final = 32_768
"""Answers that a tracker may leave unread before it is read no further itself."""

BYTES_PER_FRAME: Final = 512
"""So many bytes count as a frame: a flood of bytes is one too."""

_QUIET: Final = frozenset(("idle", "stopping", "unregistered"))
"""Ends of connections that are nothing to be told of, or are told of elsewhere."""

log = structlog.get_logger(__name__)


class Due:
    """An answer that waits for its message, and those that wait behind it."""

    __slots__ = ("is_ready", "reply", "since")

    def __init__(self, reply: bytes, since: float) -> None:
        self.reply = reply
        self.since = since
        self.is_ready = False


class Connection(asyncio.BufferedProtocol):
    """What all TCP connections share; what the bytes mean is the subclass's.

    waits_for_broker: it is not read while the broker is behind.
    """

    waits_for_broker: ClassVar[bool] = True

    def __init__(self, house: House, codec: str, tls: Encrypted | None = None) -> None:
        """tls: what is spoken goes through it; None: it is spoken in clear."""
        self.house = house
        self._tls = tls
        self.codec = codec
        self.address = ""
        self.ident = ""
        self.since = self.heard = house.now()
        self.pauses = Pause(0)
        self.unread_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._due: deque[Due] = deque()
        self._unacknowledged = 0
        self._tokens = float(house.limits.burst_frames)
        self._tokens_at = self.since
        self._flood_since = 0.0
        self._ends_when_answered = False

    # asyncio's side --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it in, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "?"
        if not self.house.admits(self):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(UNREAD_BYTES)
        if self.waits_for_broker and self.house.publisher.is_full:
            self.pause(Pause.HELD)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget it; what it sent is published all the same."""
        self._transport = None
        self._due.clear()
        self.house.leaves(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """The buffer that all connections share: it is read at once."""
        return self.house.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        if self._transport is None or self._transport.is_closing():
            return
        self.heard = self.house.now()
        data = bytes(self.house.buffer[:nbytes])
        if self._tls is not None:
            data = self._decrypted(self._tls, data)
        frames = self.take(data) if data else 0
        self._spend(max(frames, nbytes / BYTES_PER_FRAME))
        if self._unacknowledged >= MOST_UNANSWERED:
            self.pause(Pause.UNANSWERED)
        if self._tls is not None and self._tls.has_ended:
            self._hang_up()
        if self.waits_for_broker and self.house.publisher.is_held:
            self.pause(Pause.HELD)
            if self.house.publisher.is_full:
                self.house.halt()

    def pause_writing(self) -> None:
        """The tracker does not read what it is answered."""
        self.unread_since = self.house.now()
        self.pause(Pause.UNREAD)

    def resume_writing(self) -> None:
        """It has read it."""
        self.resume(Pause.UNREAD)

    # What the subclass says and uses ---------------------------------------------------------

    @abstractmethod
    def take(self, data: bytes) -> int:
        """Take bytes; returns how many frames they were."""

    @abstractmethod
    def overdue(self, now: float) -> str:
        """Why its time is up; "": it is not."""

    def end_when_answered(self) -> None:
        """Close it when the last answer that is due has been sent."""
        self._ends_when_answered = True

    def answer(self, reply: bytes) -> None:
        """Send something at once, or behind what is waiting."""
        if not reply:
            return
        if not self._due:
            self._send(reply)
            return
        due = Due(reply, self.heard)
        due.is_ready = True
        self._due.append(due)

    def place(self) -> Due:
        """Keep a place among the answers for one that is not known yet."""
        due = Due(b"", self.heard)
        self._due.append(due)
        return due

    def settle(self, due: Due, reply: bytes) -> None:
        """Send an answer in the place that was kept for it."""
        due.reply, due.is_ready = reply, True
        if self._due and self._due[0] is due:
            self._send_ready()

    def publish(
        self, codec: str, ident: str, payload: bytes, reply: bytes, due: Due | None = None
    ) -> None:
        """Hand a message to the broker; the reply is sent when the broker has it.

        due: the place that was kept for the reply.
        """
        if due is not None:
            due.reply = reply
        elif reply:
            due = self.place()
            due.reply = reply
        self._unacknowledged += 1
        done = partial(self._acknowledged, codec, due)
        self.house.publisher.publish(topic_of(codec, ident), payload, done)

    def close(self, reason: str) -> None:
        """End it, and count why."""
        if self._transport is not None and not self._transport.is_closing():
            self.house.metrics.closed[self.codec, reason] += 1
            tell = log.debug if reason in _QUIET else log.info
            tell(
                "connection.closed", codec=self.codec, address=self.address, ident=self.ident,
                reason=reason,
            )  # fmt: skip
            self._hang_up()

    def abort(self) -> None:
        """End it at once: what it has not read by now it will not read."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self, why: Pause) -> None:
        """Stop reading."""
        if self._transport is None or self._transport.is_closing():
            return
        if not self.pauses:
            self._transport.pause_reading()
        self.pauses |= why
        if why is Pause.HELD:
            self.house.waiting.add(self)

    def resume(self, why: Pause) -> None:
        """Read again, if there is no other reason not to."""
        if self._transport is None or not self.pauses & why:
            return
        self.pauses &= ~why
        if not self.pauses and not self._transport.is_closing():
            self.heard = self.house.now()  # its silence was our doing
            self._transport.resume_reading()

    def late_answers(self, before: float, reply: bytes) -> int:
        """Give what was due before an instant another answer, and send it. Returns how many."""
        late = [due for due in self._due if not due.is_ready and due.since < before]
        for due in late:
            due.reply, due.is_ready = reply, True
        if late:
            self._send_ready()
        return len(late)

    def may_be(self, ident: str) -> bool:
        """Whether its certificate is for this identity; whoever shows none may be anybody."""
        return self._tls is None or self._tls.names is None or ident in self._tls.names

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport, while there is one."""
        return self._transport

    # Its own ---------------------------------------------------------------------------------

    def _acknowledged(self, codec: str, due: Due | None) -> None:
        self.house.metrics.messages[codec] += 1
        self._unacknowledged -= 1
        if self.pauses & Pause.UNANSWERED and self._unacknowledged <= MOST_UNANSWERED // 2:
            self.resume(Pause.UNANSWERED)
        if due is not None and not due.is_ready:
            self.settle(due, due.reply)

    def _send_ready(self) -> None:
        ready = []
        while self._due and self._due[0].is_ready:
            ready.append(self._due.popleft().reply)
        if ready:
            self._send(b"".join(ready))

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data if self._tls is None else self._tls.give(data))
            if self._ends_when_answered and not self._due:
                self._hang_up()

    def _hang_up(self) -> None:
        """Close it behind what is on its way."""
        if self._transport is not None and not self._transport.is_closing():
            if self._tls is not None:
                self._transport.write(self._tls.farewell())
            self._transport.close()

    def _decrypted(self, tls: Encrypted, data: bytes) -> bytes:
        """What was said in clear; what is no TLS, or comes with no certificate of ours, ends it."""
        said = b""
        try:
            said = tls.take(data)
        except ssl.SSLError as error:
            self.house.metrics.refused[self.codec, "tls"] += 1
            log.debug("tls.refused", codec=self.codec, address=self.address, detail=str(error))
            if self._transport is not None:
                self._transport.write(tls.owed())
            self.close("tls")
        else:
            if self._transport is not None and (owed := tls.owed()):
                self._transport.write(owed)
        return said

    def _spend(self, frames: float) -> None:
        """Pay for frames out of the allowance; pause until there is some, close if it goes on."""
        limits, now = self.house.limits, self.heard
        earned = (now - self._tokens_at) * limits.frames_per_s
        tokens = min(self._tokens + earned, float(limits.burst_frames))
        if tokens >= limits.burst_frames / 2:
            self._flood_since = 0.0
        self._tokens, self._tokens_at = tokens - frames, now
        if self._tokens >= 0:
            return
        self._flood_since = self._flood_since or now
        if now - self._flood_since > limits.flood_s:
            self.close("flood")
            return
        self.house.metrics.refused[self.codec, "slowed"] += 1
        self.pause(Pause.FLOOD)
        owed_s = (1.0 - self._tokens) / limits.frames_per_s
        asyncio.get_running_loop().call_later(owed_s, self.resume, Pause.FLOOD)


class TrackerConnection(Connection):
    """A tracker that holds the conversation of its format."""

    def __init__(
        self, house: House, codec: str, stream: Stream, tls: Encrypted | None = None
    ) -> None:
        super().__init__(house, codec, tls)
        self._stream = stream
        self._skipped = 0
        self._garbage = 0
        self._wrong = 0

    def take(self, data: bytes) -> int:
        """Go through the conversation's steps."""
        steps = self._stream.take(data)
        for step in steps:
            if not self._step(step):
                break
        self._count_garbage(steps)
        return len(steps)

    def overdue(self, now: float) -> str:
        """It has not named itself in time, or is silent for long."""
        limits = self.house.limits
        if not self.ident and now - self.since > limits.login_s:
            return "no_login"
        return "idle" if now - self.heard > limits.idle_s else ""

    def _step(self, step: Step) -> bool:
        """Do one step. Returns whether the conversation goes on."""
        if step.wrong:
            self.house.metrics.refused[self.codec, step.wrong] += 1
            self.answer(step.reply)
            self._wrong += 1
            if self._wrong > self.house.limits.wrong_frames:
                self.close("wrong_frames")
            return self._wrong <= self.house.limits.wrong_frames
        if step.ident and step.ident != self.ident and not self._named(step.ident, step.refusal):
            return False
        self._wrong = 0
        if not step.payload:
            self.answer(step.reply)
        elif self.ident:
            self.publish(self.codec, self.ident, step.payload, step.reply)
        else:
            self.close("no_identity")
            return False
        return True

    def _named(self, ident: str, refusal: bytes) -> bool:
        if self.ident:
            self.close("identity_changed")
            return False
        if not is_identity(ident):
            self.close("bad_identity")
            return False
        if not self.may_be(ident):
            self.close("certificate")
            return False
        if self.house.turns_away(self.codec, ident, self.address):
            self.answer(refusal)
            self.close("unregistered")
            return False
        self.ident = ident
        log.debug("tracker.named", codec=self.codec, address=self.address, ident=ident)
        return True

    def _count_garbage(self, steps: list[Step]) -> None:
        new, self._skipped = self._stream.skipped - self._skipped, self._stream.skipped
        self._garbage = 0 if steps and not steps[-1].wrong else self._garbage + new
        if new:
            self.house.metrics.skipped[self.codec] += new
        if self._garbage > self.house.limits.garbage_bytes:
            self.close("garbage")

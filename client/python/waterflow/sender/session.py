"""One call of Ingest.Stream for one spool, from Open to the last ack."""

from __future__ import annotations

import asyncio
import collections
import fnmatch
import os
import struct
import time
from typing import Any, Callable, Optional

import grpc

from waterflow import spool_format as form
from waterflow import spool_reader
from waterflow.api import enum, message, method
from waterflow.sender import clock
from waterflow.sender.batches import LaneRows
from waterflow.sender.launch import Joined
from waterflow.sender.log import log
from waterflow.sender.notes import note_sent
from waterflow.stop_request import STOP_TAG
from waterflow.spool_thinned import read_thinned

POLL_FIRST, POLL_MOST = 0.02, 0.2
HEARTBEAT_SECONDS = 30
STALLED_SECONDS = 60  # without an ack for what was sent
CHUNK_RECORDS = 2000  # read at once, so that the other spools get their turn
GAP_CODES = (9, 11)  # FAILED_PRECONDITION, OUT_OF_RANGE: send again from next_row on


class Ended(Exception):
    """The call cannot go on; another one can."""


class Gap(Exception):
    """Rows are missing in the spool: another Open has to say so."""

    def __init__(self, held: dict[int, int]) -> None:
        super().__init__(f"rows are lost; the first held ones: {held}")
        self.held = held


class Session:
    def __init__(
        self, channel: Any, reader: spool_reader.SpoolReader, header: dict[str, Any],
        joined: Joined, held: dict[int, int],
    ) -> None:  # fmt: skip
        self.acks = 0
        self._channel = channel
        self._reader = reader
        self._header = header
        self._joined = joined
        # Of a segment further behind, what comes before would count as lost.
        is_oldest = header["segment"] == spool_reader.segments(reader.folder)[0]
        lanes = header["lanes"] if is_oldest else {}
        self._held = {int(schema): row for schema, row in lanes.items()}
        for schema, row in held.items():
            self._held[schema] = max(row, self._held.get(schema, 0))
        # Rank 0 speaks for the run; a forked child does for nobody.
        self._is_first = header["rank"] == 0 and not header["is_child"]
        self._told: dict[str, dict[str, str]] = {"params": {}, "tags": {}}
        self._to_tell: dict[str, dict[str, str]] = {"params": {}, "tags": {}}
        self._metrics: dict[str, Any] = {}
        self._names: dict[int, list[str]] = {}
        self._declared: set[int] = set()
        self._stale: set[int] = set()  # of these more is known now than was declared
        self._next: dict[int, int] = {}  # what the spool has to bring next
        self._seen: dict[int, int] = {}  # behind the last row that there was in the spool
        self._segment_lanes: dict[int, int] = {}  # where they stood when the segment began
        self._acked: dict[int, int] = {}
        self._waiting: dict[int, LaneRows] = {}
        self._refused: set[int] = set()  # schemas that the server does not take
        self._in_flight: collections.deque[tuple[int, int, int]] = collections.deque()
        self._credit = 0
        self._heard = asyncio.Event()
        self._heard_at = self._sent_at = clock.now()
        self._read_segments: list[tuple[int, dict[int, int]]] = []
        self._end: Optional[dict[str, Any]] = None
        self._call: Any = None

    async def deliver(self, until_caught_up: bool, on_open: Callable[[], None]) -> None:
        self._take_header(self._header)
        self._call = method(self._channel, "Ingest/Stream")()
        receiver = asyncio.ensure_future(self._open())
        try:
            await receiver
            on_open()
            receiver = asyncio.ensure_future(self._receive())
            await self._pump(receiver, until_caught_up)
            await self._call.write(message("StreamRequest")(close=message("Close")()))
            await self._call.done_writing()
            await asyncio.wait_for(receiver, STALLED_SECONDS)
        except asyncio.TimeoutError:
            raise Ended("the server does not answer") from None
        except asyncio.InvalidStateError as error:  # of a call that has just ended
            raise Ended(str(error)) from None
        finally:
            if not receiver.cancel() and not receiver.cancelled():
                receiver.exception()  # or asyncio complains that nobody looked at it
            self._call.cancel()

    async def tell_end(self) -> None:
        """What the trainer said at its end, when all its rows are durable."""
        if self._end is None or self._header["is_child"]:
            return
        lanes = {int(schema): row for schema, row in self._end["lanes"].items()}
        missing = sum(
            max(0, row - max(self._acked.get(schema, 0), self._seen.get(schema, 0)))
            for schema, row in lanes.items()
            if schema not in self._refused
        )
        if missing:
            # The server records a range as lost when a row behind it comes; here none does.
            await self._tell_number("lost_last_rows", missing)
        status = self._end["status"]
        if self._is_first or status != "FINISHED":
            await self._update(status=enum("RunStatus")[f"RUN_STATUS_{status}"])

    async def tell_damage(self, damaged_bytes: int) -> None:
        await self._tell_number("damaged_bytes", damaged_bytes)

    async def _tell_number(self, what: str, number: int) -> None:
        """As a tag of the run, for people to find."""
        tag = f"waterflow.{what}.rank{self._header['rank']}"
        await self._update(set_tags={tag: str(number)})

    def _take_thinned(self) -> None:
        rows = read_thinned(self._reader.folder).rows
        if rows:
            tag = f"waterflow.thinned_rows.rank{self._header['rank']}"
            self._take_texts("tags", {tag: str(rows)})

    # From the server.

    async def _open(self) -> None:
        header, lane = self._header, message("Lane")
        opening = message("Open")(
            run_id=self._joined.run_id,
            worker={"role": header["role"], "rank": header["rank"]},
            stream_id=bytes.fromhex(header["stream"]),
            attempt=self._joined.attempt,
            resume_step=header["resume_step"],
            world_size=header["world_size"],
            client_time_ns=time.time_ns(),
            held=[lane(schema_id=s, next_row=r) for s, r in self._held.items()],
        )
        await self._call.write(message("StreamRequest")(open=opening))
        answer = await asyncio.wait_for(self._call.read(), STALLED_SECONDS)
        if answer == grpc.aio.EOF:
            await self._raise_end()
        self._credit = answer.opened.credit_bytes
        self._next = dict(self._held)
        for known in answer.opened.lanes:
            self._acked[known.schema_id] = known.next_row
            # What it says is durable; what it now knows to be lost may not yet be.
            self._next[known.schema_id] = max(known.next_row, self._next.get(known.schema_id, 0))
        if self._is_first and self._joined.has_ended and not self._acked:
            await self._update(
                status=enum("RunStatus")["RUN_STATUS_RUNNING"], remove_tags=[STOP_TAG]
            )

    async def _receive(self) -> None:
        while True:
            answer = await self._call.read()
            if answer == grpc.aio.EOF:
                await self._raise_end()
                return
            self._heard_at = clock.now()
            if answer.HasField("ack"):
                self.acks += 1
                self._credit = answer.ack.credit_bytes
                for lane in answer.ack.lanes:
                    self._acked[lane.schema_id] = lane.next_row
            elif answer.HasField("rejected"):
                self._take_rejection(answer.rejected)
            while self._in_flight and self._is_acked(*self._in_flight[0][:2]):
                self._in_flight.popleft()
            self._trim()
            self._heard.set()

    async def _raise_end(self) -> None:
        """The status of a call that has ended, as the error that it is, unless it is OK."""
        if await self._call.code() != grpc.StatusCode.OK:
            await self._call.read()  # raises it
            raise Ended(f"{await self._call.code()}: {await self._call.details()}")

    def _take_rejection(self, rejected: Any) -> None:
        if rejected.schema_id in self._refused:
            return  # a batch that was on its way when its schema was refused
        log(f"{self._reader.folder}: rejected: {rejected.message}")
        if rejected.rows == 0 and rejected.code in GAP_CODES:
            raise Ended(rejected.message)
        if rejected.rows == 0:
            self._refused.add(rejected.schema_id)
        tag = f"waterflow.rejected.rank{self._header['rank']}"
        self._take_texts("tags", {tag: rejected.message[:2000]})

    def _is_acked(self, schema: int, end_row: int) -> bool:
        return schema in self._refused or self._acked.get(schema, 0) >= end_row

    # To the server.

    async def _pump(self, receiver: asyncio.Future[None], until_caught_up: bool) -> None:
        pause = POLL_FIRST
        while True:
            has_read = await self._read_some(receiver)
            if receiver.done():
                receiver.result()
                raise Ended("the server has ended the call")
            if has_read:
                pause = POLL_FIRST
                continue
            is_idle = not self._in_flight
            if is_idle and (self._reader.is_done or until_caught_up):
                self._trim()
                return
            await self._be_alive()
            self._heard.clear()
            try:
                await asyncio.wait_for(self._heard.wait(), pause)
            except asyncio.TimeoutError:
                pause = min(pause * 1.5, POLL_MOST)

    async def _read_some(self, receiver: asyncio.Future[None]) -> bool:
        """Reads and sends a chunk of the spool. False if there was nothing."""
        count = 0
        for record in self._reader.records():
            count += 1
            await self._take(record, receiver)
            if count >= CHUNK_RECORDS:
                break
        if count < CHUNK_RECORDS:
            for lane in list(self._waiting.values()):
                await self._send(lane, receiver)
            await self._tell()
        return count > 0

    async def _take(self, record: spool_reader.Record, receiver: asyncio.Future[None]) -> None:
        try:
            parsed = spool_reader.parse(record)
        except (struct.error, ValueError):
            return  # nobody wrote it so; rows that it held will be found missing
        if isinstance(parsed, spool_reader.Row):
            await self._take_row(parsed, receiver)
        elif isinstance(parsed, spool_reader.Schema):
            self._names[parsed.schema] = parsed.names
        elif record.kind == form.HEADER:
            note_sent(self._reader.folder, parsed["segment"])  # before anything else can happen
            self._take_thinned()
            await self._tell()
            # All of the segments before it has been read: what it takes to forget them.
            self._read_segments.append((parsed["segment"], dict(self._next)))
            self._segment_lanes = {int(schema): row for schema, row in parsed["lanes"].items()}
            self._take_header(parsed)
        elif record.kind == form.UPDATE:
            self._take_update(parsed)
        elif record.kind == form.END:
            self._end = parsed

    async def _take_row(self, row: spool_reader.Row, receiver: asyncio.Future[None]) -> None:
        expected = self._next.get(row.schema, 0)
        if row.row < expected or row.schema in self._refused or row.schema not in self._names:
            return
        if row.row > expected:
            await self._drain(receiver)
            raise Gap({**self._gaps_before_segment(), row.schema: row.row})
        lane = self._waiting.get(row.schema)
        if lane is not None and not lane.takes(row):
            await self._send(lane, receiver)
            lane = None
        if lane is None:
            lane = self._waiting[row.schema] = LaneRows(row.schema, row.row)
        lane.add(row)
        self._next[row.schema] = self._seen[row.schema] = row.row + 1

    def _gaps_before_segment(self) -> dict[int, int]:
        """What is missing of all lanes, so that one more Open says it of all."""
        return {
            schema: row
            for schema, row in self._segment_lanes.items()
            if row > self._next.get(schema, 0)
        }

    async def _send(self, lane: LaneRows, receiver: asyncio.Future[None]) -> None:
        del self._waiting[lane.schema]
        if lane.schema in self._refused:
            return
        if lane.schema not in self._declared:
            await self._declare(lane.schema)
        request = message("StreamRequest")(batch=lane.batch())
        size = request.ByteSize()
        while self._in_flight and sum(f[2] for f in self._in_flight) + size > self._credit:
            await self._await_ack(receiver)
        if not self._in_flight:
            self._heard_at = clock.now()
        self._in_flight.append((lane.schema, lane.end_row, size))
        self._sent_at = clock.now()
        await self._call.write(request)

    async def _declare(self, schema: int) -> None:
        metric = message("Metric")
        metrics = [metric(name=name, **self._known(name)) for name in self._names[schema]]
        self._declared.add(schema)
        await self._call.write(
            message("StreamRequest")(schema=message("Schema")(id=schema, metrics=metrics))
        )

    def _known(self, name: str) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for pattern, metadata in self._metrics.items():
            if pattern == name or fnmatch.fnmatchcase(name, pattern):
                known.update(metadata)
        return known

    async def _drain(self, receiver: asyncio.Future[None]) -> None:
        """Sends all rows that wait, and waits until they are durable."""
        for lane in list(self._waiting.values()):
            await self._send(lane, receiver)
        await self._tell()
        while self._in_flight:
            await self._await_ack(receiver)

    async def _await_ack(self, receiver: asyncio.Future[None]) -> None:
        if receiver.done():
            receiver.result()
            raise Ended("the server has ended the call")
        self._stop_if_stalled()
        self._heard.clear()
        try:
            await asyncio.wait_for(self._heard.wait(), 0.2)
        except asyncio.TimeoutError:
            pass

    def _stop_if_stalled(self) -> None:
        if self._in_flight and clock.now() - self._heard_at > STALLED_SECONDS:
            raise Ended(f"no ack for {STALLED_SECONDS} s")

    async def _be_alive(self) -> None:
        self._stop_if_stalled()
        if clock.now() - self._sent_at > HEARTBEAT_SECONDS:
            self._sent_at = clock.now()
            beat = message("Heartbeat")(client_time_ns=time.time_ns())
            await self._call.write(message("StreamRequest")(heartbeat=beat))

    def _trim(self) -> None:
        """Deletes segments of which every row is durable."""
        while self._read_segments:
            next_segment, ends = self._read_segments[0]
            if not all(self._is_acked(schema, row) for schema, row in ends.items()):
                return
            for number in spool_reader.segments(self._reader.folder):
                if number < next_segment:
                    os.unlink(os.path.join(self._reader.folder, form.segment_name(number)))
            del self._read_segments[0]

    # What the trainer said of the run.

    def _take_header(self, header: dict[str, Any]) -> None:
        is_first_header = header is self._header
        for kind in ("params", "tags"):
            if is_first_header and not self._is_first:
                self._told[kind].update(header[kind])  # rank 0 tells it
            self._take_texts(kind, header[kind])
        self._metrics.update(header["metrics"])

    def _take_update(self, update: dict[str, Any]) -> None:
        for kind in ("params", "tags"):
            self._take_texts(kind, update.get(kind, {}))
        if update.get("metrics"):
            self._metrics.update(update["metrics"])
            self._stale |= self._declared

    def _take_texts(self, kind: str, texts: dict[str, str]) -> None:
        for key, text in texts.items():
            if self._told[kind].get(key) != text:
                self._told[kind][key] = self._to_tell[kind][key] = text

    async def _tell(self) -> None:
        while self._stale:
            await self._declare(self._stale.pop())
        params, tags = self._to_tell["params"], self._to_tell["tags"]
        if not params and not tags:
            return
        # Not behind the call: what is said meanwhile is for the next one.
        self._to_tell = {"params": {}, "tags": {}}
        try:
            await self._update(set_params=params, set_tags=tags)
        except grpc.RpcError as error:
            if error.code() not in (
                grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT
            ):  # fmt: skip
                raise
            await self._tell_one_by_one(params, tags)

    async def _tell_one_by_one(self, params: dict[str, str], tags: dict[str, str]) -> None:
        """One of them is refused, for example a param that has another value already."""
        for field, texts in (("set_params", params), ("set_tags", tags)):
            for key, text in texts.items():
                try:
                    await self._update(**{field: {key: text}})
                except grpc.RpcError as error:
                    log(f"{self._reader.folder}: {error.details()}")

    async def _update(self, **changes: Any) -> None:
        request = message("UpdateRunRequest")(run_id=self._joined.run_id, **changes)
        await method(self._channel, "Tracking/UpdateRun")(request)

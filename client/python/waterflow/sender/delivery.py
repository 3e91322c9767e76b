"""Delivers one spool: over and over one session, until everything is durable on the server.

All that is remembered between two sessions lies in the spool and on the server: the reader
begins with the oldest segment that is left, the server says which rows it has.
"""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any, Callable, Optional

import grpc

from waterflow import spool_format, spool_reader
from waterflow.sender import clock
from waterflow.sender.launch import Joined, Refused, join
from waterflow.sender.log import log
from waterflow.sender.notes import REFUSED_FILE, forget
from waterflow.sender.session import Ended, Gap, Session
from waterflow.spool_thinned import THINNED_FILE

FOREVER = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)
BACKOFF_FIRST, BACKOFF_MOST = 0.1, 5.0


class Delivery:
    def __init__(
        self, folder: str, channel_of: Callable[[str], Any], server: Optional[str] = None,
        takes_offline: bool = False, until_caught_up: bool = False,
    ) -> None:  # fmt: skip
        """`server` takes the place of the one that the spool names. `until_caught_up` ends when
        all that there is now is delivered, also when its writer lives."""
        self.folder = folder
        self.is_delivered = False
        self.is_offline = False
        self.unreachable_since: Optional[float] = None
        self._channel_of = channel_of
        self._server = server
        self._takes_offline = takes_offline
        self._until_caught_up = until_caught_up
        self.header: Optional[dict[str, Any]] = None  # the first one that can be read
        self.joined_run: Optional[tuple[str, str]] = None  # server and id, once they are known
        self._held: dict[int, int] = {}
        self._joined: Optional[Joined] = None
        self._has_just_joined = False
        self._damage_told = 0
        self._latest: Optional[Session] = None

    async def run(self) -> None:
        """Returns when the spool is delivered, refused or not for a sender."""
        pause, said = BACKOFF_FIRST, ""
        while os.path.isdir(self.folder):
            self._latest = None
            try:
                await self._session()
                return
            except Refused as error:
                self._refuse(str(error))
                return
            except Gap as gap:
                self._held.update(gap.held)
                log(f"{self.folder}: {gap}")
                continue
            except grpc.RpcError as error:
                if self._is_stale(error):
                    continue
                if error.code() in FOREVER:
                    self._refuse(error.details())
                    return
                why = f"{error.code().name}: {error.details()}"
                if self.unreachable_since is None:
                    self.unreachable_since = clock.now()
            except Exception as error:  # the other spools go on whatever this one has
                why = str(error) if isinstance(error, Ended) else repr(error)
            if self._latest is not None and self._latest.acks:
                pause, said = BACKOFF_FIRST, ""
            if why != said:  # once, or a day without a server fills the disk
                log(f"{self.folder}: {why}")
                said = why
            await clock.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, BACKOFF_MOST)

    def _is_stale(self, error: grpc.RpcError) -> bool:
        """Whether the run that was joined in an earlier session is no longer there, as on a
        server that was restored from a backup: it is made once more. One that was deleted
        cannot be made again, and is refused then."""
        is_gone = error.code() == grpc.StatusCode.NOT_FOUND and not self._has_just_joined
        if is_gone:
            self._joined = None
        return is_gone

    def has_writer(self) -> bool:
        try:
            newest = spool_reader.segments(self.folder)[-1]
            return spool_reader.has_writer(
                os.path.join(self.folder, spool_format.segment_name(newest))
            )
        except (OSError, IndexError):
            return False

    async def _session(self) -> None:
        header = self.header = self._header()
        if header is None:
            return
        reader = spool_reader.SpoolReader(self.folder)
        try:
            server = self._server or header["server"]
            channel = self._channel_of(server)
            self._has_just_joined = self._joined is None
            if self._joined is None:
                self._joined = await join(channel, header)
                self.joined_run = (server, self._joined.run_id)
                log(f"{self.folder}: rank {header['rank']} of run {self._joined.run_id}")
            session = Session(channel, reader, header, self._joined, self._held)
            self._latest = session
            await session.deliver(self._until_caught_up, self._on_open)
            await self._tell_damage(session, reader)
            if reader.is_done:
                await session.tell_end()
                if _remove(self.folder, reader.segment):
                    forget(self.folder)
                log(f"{self.folder}: delivered")
            self.is_delivered = True
        finally:
            reader.close()

    def _on_open(self) -> None:
        self.unreachable_since = None

    def _header(self) -> Optional[dict[str, Any]]:
        """The first one that can be read; None if there is nothing to deliver here (yet)."""
        reader = spool_reader.SpoolReader(self.folder)
        try:
            for record in reader.records():
                if record.kind == spool_format.HEADER:
                    return self._checked(spool_reader.json_of(record))
            if reader.is_done and reader.damaged_bytes:
                raise Refused("no segment has a header that can be read")
            return None
        finally:
            reader.close()

    def _checked(self, header: dict[str, Any]) -> Optional[dict[str, Any]]:
        if header["version"] > spool_format.VERSION:
            raise Refused(
                f"its format is version {header['version']}, this sender knows up to "
                f"{spool_format.VERSION}"
            )
        self.is_offline = header["mode"] == "offline"
        return header if self._takes_offline or not self.is_offline else None

    async def _tell_damage(self, session: Session, reader: spool_reader.SpoolReader) -> None:
        """As a tag of the run, for the rows themselves show as lost ranges."""
        if reader.damaged_bytes > self._damage_told:
            self._damage_told = reader.damaged_bytes
            log(f"{self.folder}: {reader.damaged_bytes} damaged bytes")
            await session.tell_damage(reader.damaged_bytes)

    def _refuse(self, reason: str) -> None:
        log(f"{self.folder}: refused: {reason}")
        try:
            with open(os.path.join(self.folder, REFUSED_FILE), "w") as file:
                file.write(reason + "\n")
        except OSError as error:
            log(f"{self.folder}: {error}")


def _remove(folder: str, last_segment: int) -> bool:
    """Removes a spool of which all up to a segment is delivered. Not one whose writer has come
    back, as one does that a full disk had kept from opening its next segment."""
    names = os.listdir(folder)
    for name in names:
        number = int(name[:8]) if name[:8].isdigit() else 0
        if number > last_segment and (
            name.endswith(".wfs") or spool_reader.has_writer(os.path.join(folder, name))
        ):
            return False
    names.sort(key=lambda name: name == THINNED_FILE)
    noted = b""
    for name in names:
        if name == THINNED_FILE:
            with open(os.path.join(folder, name), "rb") as file:
                noted = file.read()
        os.unlink(os.path.join(folder, name))
    try:
        os.rmdir(folder)
    except OSError:  # it came back just now, and needs what was noted
        if noted:
            with (
                contextlib.suppress(OSError),
                open(os.path.join(folder, THINNED_FILE), "wb") as file,
            ):
                file.write(noted)
        return False
    return True

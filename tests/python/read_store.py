"""A second reader of a whole data directory, written from docs/format.md alone. RocksDB is
left to `waterflowd dump`; all that is in keys and values is read here and in read_chunks."""

import struct

from read_chunks import Bytes, chunk, column


def entries(dump):
    """(family, key, value) of what waterflowd dump wrote."""
    at, parts = 0, []
    while at < len(dump):
        size, = struct.unpack_from("<I", dump, at)
        parts.append(dump[at + 4:at + 4 + size])
        at += 4 + size
    return list(zip((p.decode() for p in parts[::3]), parts[1::3], parts[2::3]))


def body(value):
    return value[:-8]  # the rest is the checksum


def read_axis(value):
    """The strips of a worker block, each with its steps and times."""
    read = Bytes(body(value))
    strips = []
    count, _, tile = read.varint(), read.varint(), read.varint()
    for _ in range(count):
        strip = {"worker": read.varint(), "attempt": read.varint(), "flags": read.u8()}
        strip["first_row"], strip["rows"], strip["step_bytes"] = read.varint(), read.varint(), 0
        if strip["flags"] & 1:
            read.zigzag(), read.zigzag()
            strip["step_bytes"] = read.varint()
        read.zigzag(), read.zigzag()
        strip["time_bytes"] = read.varint()
        strips.append(strip)
    before = []
    for strip in strips:
        steps, rows = Bytes(read.take(strip["step_bytes"])), strip["rows"]
        if strip["flags"] & 1:
            before = before if strip["flags"] & 16 else column(steps, rows)
            strip["steps"] = before
        else:
            strip["steps"] = [None] * rows
        strip["times"] = column(Bytes(read.take(strip["time_bytes"])), rows)
    return tile, strips


def read_block(value, strips):
    """By metric of the tile: for each strip its (row, bits of the value)."""
    read = Bytes(body(value))
    metrics, strip_count = read.varint(), read.varint()
    lengths = [read.varint() for _ in range(metrics * strip_count)]
    tile = []
    for m in range(metrics):
        last, points = [], []
        for strip, length in zip(strips, lengths[m * strip_count:(m + 1) * strip_count]):
            part, rows = Bytes(read.take(length)), range(strip["rows"])
            kind = part.u8() if length else None
            if kind is None:
                last = []
            elif kind == 0:
                last = list(zip(rows, chunk(part, len(rows))))
            elif kind == 1:
                bitmap = part.take((len(rows) + 7) // 8)
                rows = [row for row in rows if bitmap[row // 8] >> row % 8 & 1]
                last = list(zip(rows, chunk(part, len(rows))))
            elif kind != 2:  # 2: that of the strip before
                raise ValueError(f"chunk of kind {kind}")
            points.append(last)
        tile.append(points)
    return tile


UNKNOWN = "unknown"


def read_summary(read):
    """(values, least, greatest), these two of the finite ones; None: no value.
    UNKNOWN: none was made."""
    flags = read.u8()
    if flags == 16:
        return UNKNOWN
    if flags & 1:
        return None

    def number():
        width, form = (4, "<f") if flags & 2 else (8, "<d")
        return struct.unpack(form, read.take(width))[0]

    count, _ = read.varint(), read.varint()
    odd = 0
    if not flags & 4:
        odd = read.varint() + read.varint() + read.varint()
        read.varint()
    first = number()
    if flags & 8:
        return count + odd, first, first
    number()
    if count == 0:
        return odd, None, None
    read.varint(), read.varint()
    least, greatest = number(), number()
    read.take(16)
    return count + odd, least, greatest


def read_summaries(value):
    """By metric of the tile: the summary of each strip."""
    read = Bytes(body(value))
    metrics, strip_count = read.varint(), read.varint()
    lengths = [read.varint() for _ in range(metrics)]
    tile = []
    for length in lengths:
        part, strips = Bytes(read.take(length)), []
        for _ in range(strip_count):
            spans = part.varint()
            if spans == 0:  # as the strip before
                strips.append(strips[-1])
                continue
            strips.append(read_summary(part))
            for _ in range(spans - 1):
                read_summary(part)
        if part.rest():
            raise ValueError("more than the summaries")
        tile.append(strips)
    return tile


class Store:
    """What is sealed, of a store without records in its log."""

    def __init__(self, dump):
        families = {}
        for family, key, value in entries(dump):
            families.setdefault(family, {})[key] = value
        catalog = families["catalog"]
        of_kind = {kind: {struct.unpack(f">{len(key) // 4}I", key[1:]): value
                          for key, value in catalog.items() if key[:1] == kind}
                   for kind in (b"M", b"R", b"S", b"W")}
        self.metrics = {key[0]: value.decode() for key, value in of_kind[b"M"].items()}
        self.runs = {key[0]: self._run_name(value) for key, value in of_kind[b"R"].items()}
        self.ranks = {key: self._rank(value) for key, value in of_kind[b"W"].items()}
        self.schemas = {key: self._schema(value) for key, value in of_kind[b"S"].items()}
        generations = {key[-4:] for key in families["meta"] if key.startswith(b"generation")}
        self._axes = {key: value for key, value in families["axis"].items()
                      if key[:4] in generations}
        self._blocks = families["blocks"]
        self._summaries = {key: value for key, value in families["summaries"].items()
                           if key[:4] in generations}

    @staticmethod
    def _run_name(value):
        read = Bytes(value)
        read.take(16), read.varint()
        return read.string()

    @staticmethod
    def _rank(value):
        read = Bytes(value)
        read.string()
        return read.varint()

    @staticmethod
    def _schema(value):
        read = Bytes(value)
        return [read.varint() for _ in range(read.varint())]

    def summaries(self):
        """{(run, metric): [(values, least, greatest), ...]}, without strips of no value
        and without metrics that have strips too short to be summarised."""
        found = {}
        for key, value in self._summaries.items():
            _, run, schema, _, first = struct.unpack(">5I", key)
            for metric, strips in enumerate(read_summaries(value), first):
                name = self.runs[run], self.metrics[self.schemas[run, schema][metric]]
                found.setdefault(name, []).extend(s for s in strips if s)
        return {name: strips for name, strips in found.items() if UNKNOWN not in strips}

    def series(self):
        """{(run, rank, metric): [(step, time, bits of the value), ...]}, in row order."""
        found = {}
        for key in sorted(self._axes):
            _, run, schema, _ = struct.unpack(">4I", key)
            tile, strips = read_axis(self._axes[key])
            names = self.schemas[run, schema]
            for first in range(0, len(names), tile):
                block = self._blocks[key + struct.pack(">I", first)]
                for m, points in enumerate(read_block(block, strips), first):
                    for strip, rows in zip(strips, points):
                        rank = self.ranks[run, strip["worker"]]
                        found.setdefault((self.runs[run], rank, self.metrics[names[m]]), []).extend(
                            (schema, strip["first_row"] + row,
                             strip["steps"][row], strip["times"][row], bits) for row, bits in rows)
        return {name: [point[2:] for point in sorted(points)] for name, points in found.items()}

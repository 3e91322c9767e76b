"""A second decoder of summaries, written from docs/format.md alone."""

from types import SimpleNamespace

from read_blocks import Bytes, checked, widened


def summary(read):
    """Values are bits of float64s. None: none was made."""
    flags = read.u8()
    if flags & 17:
        return None if flags == 16 else SimpleNamespace(values=0)

    def number():
        return widened(read.array("<i4", 1))[0] if flags & 2 else read.array("<i8", 1)[0]

    s = SimpleNamespace(count=read.varint(), first_row=read.varint(), odd=[0, 0, 0])
    s.last_row = s.first_row + s.count - 1
    if not flags & 4:
        *s.odd, s.last_row = read.varints(4)
    s.values = s.count + sum(s.odd)
    s.first = s.last = s.min = s.max = number()
    s.min_row, s.max_row, s.mean, s.m2 = s.first_row, s.first_row, s.first.view("f8"), 0.0
    if not flags & 8:
        s.last = number()
        if s.count:
            s.min_row, s.max_row, s.min, s.max = *read.varints(2), number(), number()
            s.mean, s.m2 = read.array("<f8", 2)
    return s


def summaries(value, spans_value):
    """By metric of the tile, for each strip: the summary of all its rows and those of its spans."""
    read, tile = checked(value), []
    apart = value[0] == 0
    metrics, strip_count = read.varints(3)[1:] if apart else read.varints(2)
    lengths = read.varints(2 * metrics if apart else metrics)[::2 if apart else 1]
    spans = checked(spans_value) if apart else None
    for length in lengths:
        part, strips = Bytes(read.take(length)), []
        for _ in range(strip_count):
            count = part.varint()
            if not count:
                strips.append(strips[-1])
                continue
            whole = summary(part)
            strips.append([whole] + [summary(spans if apart else part) for _ in range(count - 1)])
        tile.append(strips)
    return tile

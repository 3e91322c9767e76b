"""A second decoder of axes and blocks, written from docs/format.md alone: a function per term of
that document, no code of ours."""

from types import SimpleNamespace

import numpy as np
import xxhash


class Bytes:
    """Takes numbers from the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        if self.at > len(self.data):
            raise ValueError("truncated")
        return self.data[self.at - count:self.at]

    def array(self, form, count):
        return np.frombuffer(self.take(count * np.dtype(form).itemsize), form)

    def u8(self):
        return self.take(1)[0]

    def varint(self):
        byte = self.u8()
        return byte if byte < 128 else byte - 128 + (self.varint() << 7)

    def varints(self, count):
        return [self.varint() for _ in range(count)]

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def string(self):
        return self.take(self.varint()).decode()


def checked(value):
    if xxhash.xxh3_64_intdigest(value[:-8]) != int.from_bytes(value[-8:], "little"):
        raise ValueError("the checksum does not match")
    return Bytes(value[:-8])


# Chunks of values and int64 columns. Integers are int64, whose arithmetic wraps; those of 32
# bits are cut at the end.

def stream(read, width, count):
    bits = np.unpackbits(read.array("u1", (count * width + 7) // 8), bitorder="little")
    return bits[:count * width].reshape(count, width) @ (1 << np.arange(width))


def lanes(read, width):
    words = read.array("<u4", 4 * width).reshape(width, 4)
    return stream(Bytes(words.T.tobytes()), width, 128).reshape(4, 32).T.ravel()


def residuals(read, width, count):
    if count < 128:
        return stream(read, width, count)
    low = lanes(read, min(width, 32))
    return low | lanes(read, width - 32) << 32 if width > 32 else low


def packed(read, count):
    numbers, base = np.zeros(count, "i8"), np.zeros(1, "i8")
    for first in range(0, count, 128):
        group, head = numbers[first:first + 128], read.u8()
        base += read.zigzag()
        if head > 127:
            exceptions, high_width = read.u8() + 1, read.u8()
            places = stream(read, 7, exceptions)
            highs = stream(read, high_width, exceptions)
            group[places] = (highs.view("u8") >> 1).view("i8") ^ -(highs & 1)
            group <<= head & 127
        group += base + residuals(read, head & 127, len(group))
    return numbers


def sequence(read, count, bits):
    head, numbers = read.u8(), np.zeros(count, "i8")
    order, shift, even = head & 1, head >> 1 & 63, head >> 7
    if order:
        numbers[0] = read.zigzag()
    numbers[order:] = read.zigzag() if even else packed(read, count - order)
    return ((np.cumsum(numbers) if order else numbers) << shift).astype(f"i{bits // 8}")


def ordered(numbers):
    return numbers ^ (numbers >> 8 * numbers.itemsize - 1 & np.iinfo(numbers.dtype).max)


def widened(bits):
    floats, bits = bits.view("f4"), bits.astype("i8")
    by_bits = bits >> 31 << 63 | 0x7ff << 52 | (bits & 0x7fffff) << 29
    return np.where(np.isnan(floats), by_bits, floats.astype("f8").view("i8"))


def clock(read, count):
    power, scale = 10.0**read.u8(), 2.0**read.u8()
    digits, steps = sequence(read, count, 64), packed(read, count).astype("i4")
    return ((np.rint(digits * (scale / power)) + steps) / scale).view("i8")


def mixed(read, count):
    stretches = []
    while sum(stretches) < count:
        stretches.append(read.varint())
    odd = np.repeat(np.arange(len(stretches)) % 2 == 1, stretches)
    patterns, values = read.array("<i8", read.u8()), np.zeros(count, "i8")
    values[odd] = patterns[packed(read, odd.sum())]
    if not odd.all():
        values[~odd] = chunk(read, count - odd.sum())
    return values


def divided(read, count, base):
    divisor = base**read.u8()
    return (sequence(read, count, 64) / divisor).view("i8")


CHUNKS = {
    0: lambda read, count: read.array("<i8", count),
    1: lambda read, count: read.array("<i8", 1).repeat(count),
    2: lambda read, count: widened(ordered(sequence(read, count, 32))),
    3: lambda read, count: divided(read, count, 2.0),
    4: lambda read, count: ordered(sequence(read, count, 64)),
    5: lambda read, count: divided(read, count, 10.0),
    6: clock,
    7: mixed,
}
COLUMNS = {
    0: lambda read, count: read.array("<i8", count),
    1: lambda read, count: sequence(read, count, 64),
}


def chunk(read, count):
    """The values as the bits of float64s, for there are many NaNs."""
    return CHUNKS[read.u8()](read, count)


def column(read, count):
    return COLUMNS[read.u8()](read, count)


# Axes and blocks.

def axis(value, times_value):
    """(metrics per tile, strips)"""
    read, strips = checked(value), []
    apart = value[0] == 0
    times = checked(times_value) if apart else read
    count, _, metrics_per_tile = read.varints(4)[1:] if apart else read.varints(3)
    for _ in range(count):
        strip = SimpleNamespace(worker=read.varint(), attempt=read.varint(), flags=read.u8(),
                                first_row=read.varint(), rows=read.varint())
        strip.step_bytes = read.varints(3)[2] if strip.flags & 1 else 0  # behind min and max
        strip.time_bytes = read.varints(3)[2]
        strips.append(strip)
    steps = None
    for strip in strips:
        part = Bytes(read.take(strip.step_bytes))
        if not strip.flags & 16:
            steps = column(part, strip.rows) if strip.flags & 1 else np.zeros(strip.rows, "i8")
        strip.steps = steps
        strip.times = column(Bytes(times.take(strip.time_bytes)), strip.rows)
    return metrics_per_tile, strips


def block(value, strips):
    """By metric of the tile, for each strip: the rows that have a value, and their bits."""
    read = checked(value)
    metrics, strip_count = read.varints(2)
    lengths, tile = read.varints(metrics * strip_count), []
    for metric in range(metrics):
        chunks = []
        for strip, length in zip(strips, lengths[metric * strip_count:]):
            part, rows = Bytes(read.take(length)), np.arange(strip.rows)
            kind = part.u8() if length else None
            if kind == 1:
                bitmap = part.array("u1", (strip.rows + 7) // 8)
                rows = rows[np.unpackbits(bitmap, bitorder="little")[:strip.rows] == 1]
            if kind == 2:
                chunks.append(chunks[-1])
            elif kind is None:
                chunks.append((rows[:0], rows[:0]))
            else:
                chunks.append((rows, chunk(part, len(rows))))
        tile.append(chunks)
    return tile

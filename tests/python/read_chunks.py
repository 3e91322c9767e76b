"""A second decoder of chunks, int64 columns, axes and blocks, written from docs/format.md
alone: plain Python, no code of ours, one function per term of that document."""

import math
import struct


class Bytes:
    """Takes numbers from the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("truncated")
        self.at += count
        return self.data[self.at - count:self.at]

    def u8(self):
        return self.take(1)[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def string(self):
        return self.take(self.varint()).decode()

    def rest(self):
        return self.take(len(self.data) - self.at)


def wrap(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def stream(data, width, count):
    number = int.from_bytes(data, "little")
    return [number >> i * width & (1 << width) - 1 for i in range(count)]


def lanes(data, width):
    words = struct.unpack(f"<{4 * width}I", data)
    numbers = [sum(words[4 * j + lane] << 32 * j for j in range(width)) for lane in range(4)]
    return [numbers[i % 4] >> i // 4 * width & (1 << width) - 1 for i in range(128)]


def residuals(read, width, count):
    data = read.take((count * width + 7) // 8)
    if count < 128:
        return stream(data, width, count)
    low = min(width, 32)
    numbers = lanes(data[:16 * low], low)
    if width > 32:
        numbers = [a | b << 32 for a, b in zip(numbers, lanes(data[16 * low:], width - 32))]
    return numbers


def packed(read, count, bits):
    numbers, base = [], 0
    for first in range(0, count, 128):
        in_group = min(128, count - first)
        head = read.u8()
        width, places, highs = head & 127, [], []
        base = wrap(base + read.zigzag(), bits)
        if head & 128:
            exceptions, high_width = read.u8() + 1, read.u8()
            places = stream(read.take((exceptions * 7 + 7) // 8), 7, exceptions)
            highs = stream(read.take((exceptions * high_width + 7) // 8), high_width, exceptions)
        group = [base + residual for residual in residuals(read, width, in_group)]
        for place, high in zip(places, highs):
            group[place] += (high >> 1 ^ -(high & 1)) << width
        numbers += [wrap(number, bits) for number in group]
    return numbers


def sequence(read, count, bits):
    head = read.u8()
    order, shift, even = head & 1, head >> 1 & 63, head >> 7
    numbers = [read.zigzag()] if order else []
    rest = count - order
    for number in [read.zigzag()] * rest if even else packed(read, rest, bits):
        numbers.append(wrap(numbers[-1] + number, bits) if order else number)
    return [wrap(number << shift, bits) for number in numbers]


def ordered(number, bits):
    return (number ^ (number >> bits - 1 & (1 << bits - 1) - 1)) & (1 << bits) - 1


def double_bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def widened(bits):
    if bits >> 23 & 255 == 255:  # NaN and infinities by their bits
        return bits >> 31 << 63 | 0x7ff << 52 | (bits & 0x7fffff) << 29
    return double_bits(struct.unpack("<f", struct.pack("<I", bits))[0])


def chunk(read, count):
    """The values as the bits of doubles, for a NaN has many."""
    codec = read.u8()
    if codec == 0:
        return list(struct.unpack(f"<{count}Q", read.take(8 * count)))
    if codec == 1:
        return list(struct.unpack("<Q", read.take(8))) * count
    if codec == 2:
        return [widened(ordered(number, 32)) for number in sequence(read, count, 32)]
    if codec == 3:
        scale = read.u8()
        return [double_bits(math.ldexp(n, -scale)) for n in sequence(read, count, 64)]
    if codec == 4:
        return [ordered(number, 64) for number in sequence(read, count, 64)]
    if codec == 5:
        power = float(10**read.u8())
        return [double_bits(digits / power) for digits in sequence(read, count, 64)]
    if codec == 6:
        power, scale = float(10**read.u8()), read.u8()
        factor = 2.0**scale / power
        digits, steps = sequence(read, count, 64), packed(read, count, 32)
        return [double_bits((float(round(d * factor)) + s) / 2.0**scale)
                for d, s in zip(digits, steps)]
    if codec == 7:
        return mixed(read, count)
    raise ValueError(f"codec {codec}")


def mixed(read, count):
    stretches = []
    while sum(stretches) < count:
        stretches.append(read.varint())
    finite, odd = sum(stretches[::2]), sum(stretches[1::2])
    patterns = struct.unpack(f"<{(n := read.u8())}Q", read.take(8 * n))
    odd_values = [patterns[which] for which in packed(read, odd, 32)]
    values = chunk(read, finite) if finite else []
    bits = []
    for place, length in enumerate(stretches):
        source = odd_values if place % 2 else values
        bits += source[:length]
        del source[:length]
    return bits


def column(read, count):
    codec = read.u8()
    if codec == 0:
        return list(struct.unpack(f"<{count}q", read.take(8 * count)))
    if codec == 1:
        return sequence(read, count, 64)
    raise ValueError(f"codec {codec}")

"""A second reader of what is sealed in a data directory, written from docs/format.md alone.
RocksDB is left to `waterflowd dump`; read_blocks and read_summaries decode the values of its keys."""

import struct

import numpy as np

from read_blocks import Bytes, axis, block
from read_summaries import summaries


class Store:
    """What generations and catalog hold."""

    def __init__(self, dump):
        read, self.families = Bytes(dump), {}
        while read.at < len(dump):
            family, key, value = (read.take(int.from_bytes(read.take(4), "little"))
                                  for _ in range(3))
            self.families.setdefault(family.decode(), {})[key] = value

    def catalog(self, letter):
        """{(ids): value}"""
        return {struct.unpack(f">{len(key) // 4}I", key[1:]): Bytes(value)
                for key, value in self.families["catalog"].items() if key[:1] == letter}

    def tiles(self):
        """(run, schema, first metric, strips, block, summaries if any) of runs that live."""
        runs, schemas = self.catalog(b"R"), self.catalog(b"S")
        for key, value in self.families["axis"].items():
            _, run, schema, _ = struct.unpack(">4I", key)
            if b"generation" + key[:4] not in self.families["meta"] or (run,) not in runs:
                continue
            blocks = self.families["blocks"]
            metrics_per_tile, strips = axis(value, blocks.get(key + b"\xff\xff\xff\xff"))
            metrics = Bytes(schemas[run, schema].data).varint()
            for first in range(0, metrics, metrics_per_tile):
                tile = key + struct.pack(">I", first)
                summed = self.families["summaries"].get(tile)
                yield (run, schema, first, strips, block(blocks[tile], strips),
                       summed and summaries(summed, blocks.get(tile + b"\1")))

    def runs(self):
        """{(run,): (name, (parent, attempt, step) of a fork or nothing)}"""
        runs = {}
        for run, value in self.catalog(b"R").items():
            value.take(16), value.varint()
            name, _ = value.string(), value.string()
            value.take(2), [value.zigzag() for _ in range(4)]
            for _ in range(2):
                [value.string() for _ in range(2 * value.varint())]
            is_fork = value.at < len(value.data)
            fork = is_fork and (value.varint(), value.varint(), value.zigzag())
            runs[run] = (name, fork)
        return runs

    def readers(self, runs):
        """{run: [(who reads it, last attempt, end step)]}: itself, and forks of it."""
        readers = {}
        for (run,), (name, fork) in runs.items():
            readers.setdefault(run, []).append((name, None, None))
            end = None
            while fork:
                parent, attempt, step = fork
                end = step if end is None else min(end, step)
                readers.setdefault(parent, []).append((name, attempt, end))
                fork = runs[parent,][1]
        return readers

    def hiding_steps(self):
        """{(run, attempt): the step from which on it hides rows of lower attempts}"""
        steps = {}
        for attempt, value in self.catalog(b"A").items():
            given, resume_step, known, first_step = (
                value.u8(), value.zigzag(), value.u8(), value.zigzag())
            if given or known:
                steps[attempt] = resume_step if given else first_step
        return steps

    def series(self):
        """{(run, role, rank, metric): (steps, times, bits)}, in order of run, schema and row."""
        metrics = {key: value.data.decode() for key, value in self.catalog(b"M").items()}
        schemas = {key: value.varints(value.varint())
                   for key, value in self.catalog(b"S").items()}
        workers = {key: (value.string(), value.varint())
                   for key, value in self.catalog(b"W").items()}
        readers, hiding, parts = self.readers(self.runs()), self.hiding_steps(), {}
        for run, schema, first, strips, tile, _ in self.tiles():
            for metric, chunks in zip(schemas[run, schema][first:], tile):
                for strip, (rows, bits) in zip(strips, chunks):
                    for reader, last_attempt, end in readers[run]:
                        hidden_from = [step for (of, attempt), step in hiding.items() if of == run
                                       and strip.attempt < attempt <= (last_attempt or attempt)]
                        shown = self._shown(strip, rows, last_attempt, end, hidden_from)
                        if shown.any():
                            name = (reader, *workers[run, strip.worker], metrics[metric,])
                            parts.setdefault(name, {})[run, schema, strip.first_row] = (
                                strip.steps[rows][shown], strip.times[rows][shown], bits[shown])
        return {name: [np.concatenate(arrays) for arrays in zip(*(of[k] for k in sorted(of)))]
                for name, of in parts.items()}

    @staticmethod
    def _shown(strip, rows, last_attempt, end, hidden_from):
        """Which of a strip's values somebody reads; a fork has a last attempt and an end."""
        has_step = strip.flags & 1
        if last_attempt:
            if strip.attempt > last_attempt or not has_step:
                return np.full(len(rows), False)
            hidden_from = [end, *hidden_from]
        if not has_step or not hidden_from:
            return np.full(len(rows), True)
        return strip.steps[rows] < min(hidden_from)

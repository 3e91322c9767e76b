"""The messages and methods of proto/waterflow/v1, without generated code.

`descriptors.binpb` is what protoc makes of the .proto files (a FileDescriptorSet). Generated
Python is tied to the protobuf version that made it; a descriptor is data, and every protobuf
from 3.20 on builds the same classes of it. They live in a pool of their own, so that stubs
that a program generates itself do not clash with them.
"""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# A message of rows may be as large as the server takes, an answer larger than gRPC's 4 MiB.
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Channels share what they know of an address, also that nothing answered there.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 5000),
]


@functools.lru_cache(maxsize=None)
def _pool() -> Any:
    descriptors = descriptor_pb2.FileDescriptorSet()
    data = importlib.resources.files("waterflow").joinpath("descriptors.binpb").read_bytes()
    descriptors.ParseFromString(data)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@functools.lru_cache(maxsize=None)
def message(name: str) -> Any:
    """The class of a message, such as message("StreamRequest")."""
    descriptor = _pool().FindMessageTypeByName(f"waterflow.v1.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    factory: Any = message_factory.MessageFactory(_pool())  # before 4.22
    return factory.GetPrototype(descriptor)


@functools.lru_cache(maxsize=None)
def enum(name: str) -> dict[str, int]:
    """The numbers of an enum by name."""
    descriptor = _pool().FindEnumTypeByName(f"waterflow.v1.{name}")
    return {value.name: value.number for value in descriptor.values}


def method(channel: Any, path: str) -> Any:
    """The callable of a method, such as method(channel, "Ingest/Stream"), of a channel of grpc or
    of grpc.aio."""
    service, name = path.split("/")
    descriptor = _pool().FindServiceByName(f"waterflow.v1.{service}").methods_by_name[name]
    request = message(descriptor.input_type.name)
    answer = message(descriptor.output_type.name)
    kind = {"Stream": channel.stream_stream, "Read": channel.unary_stream}.get(
        name, channel.unary_unary
    )
    return kind(
        f"/waterflow.v1.{path}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )


def open_channel(server: str) -> Any:
    """A blocking channel to `host:port`."""
    return grpc.insecure_channel(server, options=CHANNEL_OPTIONS)

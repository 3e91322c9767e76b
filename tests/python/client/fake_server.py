"""A server that answers with errors: each call goes as far as its turn says and then fails."""

import concurrent.futures
import itertools

import grpc

from waterflow.api import message

# Where a call fails. What is "sent" was taken, and the sender is not told.
STAGES = ("at once", "after Opened", "after a batch")
CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN,
         grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED,
         grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.DEADLINE_EXCEEDED,
         grpc.StatusCode.ABORTED)


class FailingServer:
    """Every method of every service, on a port of 127.0.0.1. `failed`: how many calls did."""

    def __init__(self, port):
        self.failed = 0
        self._turns = itertools.cycle(itertools.product(CODES, STAGES))
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers([self])
        self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self):
        self._server.stop(0).wait()

    def service(self, call):
        """grpc.GenericRpcHandler."""
        handler = grpc.unary_unary_rpc_method_handler
        if call.method.endswith("Ingest/Stream"):
            return grpc.stream_stream_rpc_method_handler(
                self._stream, message("StreamRequest").FromString,
                message("StreamResponse").SerializeToString)
        return handler(self._fail)

    def _fail(self, _, context):
        code, _ = next(self._turns)
        self.failed += 1
        context.abort(code, "the server has a bad day")

    def _stream(self, requests, context):
        code, stage = next(self._turns)
        self.failed += 1
        if stage != STAGES[0]:
            next(requests)
            yield message("StreamResponse")(opened={"credit_bytes": 1 << 20})
        if stage == STAGES[2]:
            for request in requests:
                if request.HasField("batch"):
                    break
        context.abort(code, "the server has a bad day")

# Logs a training run and reads it back, with nothing but stubs generated from
# proto/. README.md shows the code below and how to run it.
import os

import grpc
from waterflow.v1 import ingest_pb2, ingest_pb2_grpc, query_pb2, query_pb2_grpc
from waterflow.v1 import tracking_pb2, tracking_pb2_grpc

channel = grpc.insecure_channel(os.environ.get("WATERFLOW_SERVER", "127.0.0.1:7070"))
run = tracking_pb2_grpc.TrackingStub(channel).CreateRun(
    tracking_pb2.CreateRunRequest(project="readme", params={"lr": "0.01"})).run

ingest = ingest_pb2_grpc.IngestStub(channel)
for step in range(100):
    loss = ingest_pb2.Point(metric="train/loss", step=step, value=2.5 * 0.97**step)
    ingest.Write(ingest_pb2.WriteRequest(run_id=run.id, points=[loss]))

query = query_pb2.ReadRequest(run_ids=[run.id], metrics=["train/loss"], max_points=5)
for answer in query_pb2_grpc.QueryStub(channel).Read(query):
    for part in answer.parts:
        for step, mean in zip(part.buckets.first_position, part.buckets.value):
            print(f"from step {step:2}: loss {mean:.4f}")

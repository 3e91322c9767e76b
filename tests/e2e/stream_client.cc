#include "tests/e2e/stream_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <bit>
#include <cstring>
#include <numeric>

namespace waterflow::testing {
namespace {

constexpr char kMethod[] = "/waterflow.v1.Ingest/Stream";

template <typename T>
std::string Pack(const std::vector<T>& values) {
  static_assert(std::endian::native == std::endian::little);
  if (values.empty()) return "";
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

std::shared_ptr<grpc::Channel> ConnectAlone(const std::string& address,
                                            grpc::ChannelArguments arguments) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

StreamClient::StreamClient(const std::shared_ptr<grpc::Channel>& channel,
                           std::chrono::milliseconds deadline,
                           grpc_compression_algorithm compression)
    : stub_(channel) {
  context_.set_compression_algorithm(compression);
  if (deadline.count() > 0) {
    context_.set_deadline(std::chrono::system_clock::now() + deadline);
  }
  call_ = stub_.PrepareCall(&context_, kMethod, &queue_);
  call_->StartCall(this);
  Wait();
}

StreamClient::~StreamClient() {
  if (!finished_) {
    context_.TryCancel();
    Finish();
  }
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool StreamClient::Wait() {
  void* tag;
  bool ok = false;
  return queue_.Next(&tag, &ok) && ok;
}

bool StreamClient::Send(const v1::StreamRequest& request) {
  return SendRaw(request.SerializeAsString());
}

bool StreamClient::SendRaw(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  call_->Write(grpc::ByteBuffer(&slice, 1), this);
  return Wait();
}

bool StreamClient::SendOpen(const v1::Open& open) {
  v1::StreamRequest request;
  *request.mutable_open() = open;
  return Send(request);
}

bool StreamClient::SendSchema(uint32_t id,
                              const std::vector<std::string>& names) {
  v1::StreamRequest request;
  request.mutable_schema()->set_id(id);
  for (const std::string& name : names) {
    request.mutable_schema()->add_metrics()->set_name(name);
  }
  return Send(request);
}

bool StreamClient::SendBatch(const v1::Batch& batch) {
  v1::StreamRequest request;
  *request.mutable_batch() = batch;
  return Send(request);
}

bool StreamClient::SendClose() {
  v1::StreamRequest request;
  request.mutable_close();
  return Send(request);
}

std::optional<v1::StreamResponse> StreamClient::Receive() {
  grpc::ByteBuffer bytes;
  call_->Read(&bytes, this);
  if (!Wait()) return std::nullopt;
  v1::StreamResponse response;
  grpc::ProtoBufferReader reader(&bytes);
  if (!response.ParseFromZeroCopyStream(&reader)) return std::nullopt;
  if (response.has_ack()) last_ack_ = response.ack();
  if (response.has_rejected()) last_rejected_ = response.rejected();
  return response;
}

bool StreamClient::ReceiveAck(uint32_t schema_id, uint64_t next_row) {
  while (const std::optional<v1::StreamResponse> response = Receive()) {
    if (response->has_rejected()) return false;
    for (const v1::Lane& lane : response->ack().lanes()) {
      if (lane.schema_id() == schema_id && lane.next_row() >= next_row) {
        return true;
      }
    }
  }
  return false;
}

void StreamClient::HalfClose() {
  call_->WritesDone(this);
  Wait();
}

grpc::Status StreamClient::Finish() {
  while (Receive().has_value()) {
  }
  grpc::Status status;
  call_->Finish(&status, this);
  Wait();
  finished_ = true;
  return status;
}

std::string PackDoubles(const std::vector<double>& values) {
  return Pack(values);
}
std::string PackFloats(const std::vector<float>& values) {
  return Pack(values);
}
std::string PackInts(const std::vector<int64_t>& values) {
  return Pack(values);
}

v1::Batch DenseBatch(uint32_t schema_id, uint64_t first_row,
                     const std::vector<std::vector<double>>& values,
                     int64_t step) {
  const size_t rows = values.at(0).size();
  std::vector<int64_t> steps(rows);
  std::iota(steps.begin(), steps.end(), step);
  std::vector<int64_t> times;
  for (const int64_t s : steps) times.push_back(1'000'000'000 * s);
  v1::Batch batch;
  batch.set_schema_id(schema_id);
  batch.set_first_row(first_row);
  batch.set_rows(static_cast<uint32_t>(rows));
  batch.set_steps(PackInts(steps));
  batch.set_times(PackInts(times));
  for (size_t m = 0; m < values.size(); ++m) {
    v1::Column* column = batch.add_columns();
    column->set_metric(static_cast<uint32_t>(m));
    column->set_type(v1::VALUE_TYPE_FLOAT64);
    column->set_values(PackDoubles(values[m]));
  }
  return batch;
}

}  // namespace waterflow::testing

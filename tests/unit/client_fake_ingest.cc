#include "tests/unit/client_fake_ingest.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace waterflow::client {
namespace {

uint64_t LoadAt(const std::string& bytes, size_t index, size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + index * width, width);
  return value;
}

// By bits, as ingest.proto demands: a signalling NaN stays one.
uint64_t Widen(uint32_t f) {
  const uint64_t sign = uint64_t{f >> 31} << 63;
  if (((f >> 23) & 0xff) == 0xff) {
    return sign | (uint64_t{0x7ff} << 52) | (uint64_t{f & 0x7fffff} << 29);
  }
  return std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(f)));
}

std::vector<StoredRow> Decode(const v1::Batch& batch) {
  std::vector<StoredRow> rows(batch.rows());
  for (size_t r = 0; r < rows.size(); ++r) {
    if (!batch.steps().empty()) {
      rows[r].step = static_cast<int64_t>(LoadAt(batch.steps(), r, 8));
    }
    if (!batch.times().empty()) {
      rows[r].time_ns = static_cast<int64_t>(LoadAt(batch.times(), r, 8));
    }
  }
  for (const v1::Column& column : batch.columns()) {
    const size_t width = column.type() == v1::VALUE_TYPE_FLOAT32 ? 4 : 8;
    size_t at = 0;
    for (uint32_t m = 0; m < std::max(column.span(), 1u); ++m) {
      for (size_t r = 0; r < rows.size(); ++r) {
        if (!column.present().empty() &&
            (column.present()[r / 8] >> (r % 8) & 1) == 0) {
          continue;
        }
        const uint64_t raw = LoadAt(column.values(), at++, width);
        rows[r].bits[column.metric() + m] =
            width == 4 ? Widen(static_cast<uint32_t>(raw)) : raw;
      }
    }
  }
  return rows;
}

v1::StreamResponse AckOf(const std::map<uint32_t, uint64_t>& lanes,
                         uint64_t credit) {
  v1::StreamResponse response;
  for (const auto& [schema, next_row] : lanes) {
    v1::Lane* lane = response.mutable_ack()->add_lanes();
    lane->set_schema_id(schema);
    lane->set_next_row(next_row);
  }
  response.mutable_ack()->set_token("token");
  response.mutable_ack()->set_credit_bytes(credit);
  return response;
}

v1::StreamResponse Refusal(uint32_t schema, uint64_t first_row, uint32_t rows) {
  v1::StreamResponse response;
  v1::Rejected* rejected = response.mutable_rejected();
  rejected->set_schema_id(schema);
  rejected->set_first_row(first_row);
  rejected->set_rows(rows);
  rejected->set_code(3);
  rejected->set_message("refused by the script");
  return response;
}

}  // namespace

FakeIngest::FakeIngest() { Listen(0); }

FakeIngest::~FakeIngest() { Stop(); }

void FakeIngest::Listen(int port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port),
                           grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

void FakeIngest::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void FakeIngest::Restart() { Listen(port_); }

std::string FakeIngest::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

void FakeIngest::AddSession(SessionScript script) {
  std::lock_guard<std::mutex> lock(mu_);
  scripts_.push_back(std::move(script));
}

SessionScript FakeIngest::NextScript() {
  std::lock_guard<std::mutex> lock(mu_);
  if (scripts_.empty()) return {};
  SessionScript script = scripts_.front();
  scripts_.pop_front();
  return script;
}

std::vector<StoredRow> FakeIngest::rows(uint32_t schema) const {
  std::lock_guard<std::mutex> lock(mu_);
  auto lane = lanes_.find(schema);
  return lane == lanes_.end() ? std::vector<StoredRow>() : lane->second;
}

std::vector<v1::Batch> FakeIngest::batches() const {
  std::lock_guard<std::mutex> lock(mu_);
  return batches_;
}

std::vector<v1::Open> FakeIngest::opens() const {
  std::lock_guard<std::mutex> lock(mu_);
  return opens_;
}

uint64_t FakeIngest::most_in_flight() const {
  std::lock_guard<std::mutex> lock(mu_);
  return most_in_flight_;
}

void FakeIngest::SetStored(uint32_t schema, uint64_t next_row) {
  std::lock_guard<std::mutex> lock(mu_);
  lanes_[schema].resize(next_row);
}

uint64_t FakeIngest::Store(const v1::Batch& batch, uint64_t most) {
  const std::vector<StoredRow> rows = Decode(batch);
  std::lock_guard<std::mutex> lock(mu_);
  batches_.push_back(batch);
  auto& lane = lanes_[batch.schema_id()];
  for (size_t r = 0; r < std::min<size_t>(rows.size(), most); ++r) {
    if (batch.first_row() + r == lane.size()) lane.push_back(rows[r]);
  }
  return lane.size();
}

grpc::Status FakeIngest::Stream(grpc::ServerContext*, Call* stream) {
  const SessionScript script = NextScript();
  v1::StreamRequest request;
  if (!stream->Read(&request) || !request.has_open()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "Open comes first"};
  }
  v1::StreamResponse opened;
  {
    std::lock_guard<std::mutex> lock(mu_);
    opens_.push_back(request.open());
    for (const auto& [schema, rows] : lanes_) {
      v1::Lane* lane = opened.mutable_opened()->add_lanes();
      lane->set_schema_id(schema);
      lane->set_next_row(rows.size());
    }
  }
  if (script.refuse_open) return {*script.refuse_open, "refused by the script"};
  opened.mutable_opened()->set_credit_bytes(script.credit_bytes);
  stream->Write(opened);

  std::map<uint32_t, uint64_t> unacked;
  std::set<uint32_t> declared;
  uint64_t in_flight = 0;
  int waiting = 0;
  int batches = 0;
  while (stream->Read(&request)) {
    if (request.has_schema()) {
      const uint32_t id = request.schema().id();
      declared.insert(id);
      if (std::count(script.refuse_schemas.begin(), script.refuse_schemas.end(),
                     id) > 0) {
        stream->Write(Refusal(id, 0, 0));
      }
      continue;
    }
    if (!request.has_batch()) continue;
    const v1::Batch& batch = request.batch();
    if (declared.count(batch.schema_id()) == 0) {
      return {grpc::StatusCode::INTERNAL, "batch before its schema"};
    }
    in_flight += batch.ByteSizeLong();
    {
      std::lock_guard<std::mutex> lock(mu_);
      most_in_flight_ = std::max(most_in_flight_, in_flight);
    }
    const bool last = script.break_after_batches == ++batches;
    unacked[batch.schema_id()] =
        Store(batch, last ? script.store_rows_of_last.value_or(batch.rows())
                          : batch.rows());
    if (std::count(script.refuse_batches.begin(), script.refuse_batches.end(),
                   batch.first_row()) > 0) {
      stream->Write(
          Refusal(batch.schema_id(), batch.first_row(), batch.rows()));
    }
    if (last) return {grpc::StatusCode::UNAVAILABLE, "broken by the script"};
    if (script.send_acks && ++waiting >= script.batches_per_ack) {
      stream->Write(AckOf(unacked, script.credit_bytes));
      unacked.clear();
      waiting = 0;
      in_flight = 0;
    }
  }
  stream->Write(AckOf(unacked, script.credit_bytes));
  return grpc::Status::OK;
}

}  // namespace waterflow::client

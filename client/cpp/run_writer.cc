#include "client/cpp/run_writer.h"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/event_queue.h"
#include "client/cpp/sender.h"

namespace waterflow::client {
namespace {

std::string RandomStreamId() {
  std::random_device random;
  std::string id;
  while (id.size() < 16) id.push_back(static_cast<char>(random() & 0xff));
  return id;
}

// Memory that runs out is a status like any other here.
absl::Status OutOfMemory(const std::exception& e) {
  return absl::ResourceExhaustedError(absl::StrCat("no memory: ", e.what()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunWriter>> RunWriter::Open(
    std::shared_ptr<grpc::Channel> channel, std::string run_id,
    WorkerName worker, RunWriterOptions options) {
  try {
    if (options.stream_id.empty()) options.stream_id = RandomStreamId();
    if (options.stream_id.size() != 16) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a stream id has 16 bytes, not ", options.stream_id.size()));
    }
    v1::Open open;
    open.set_run_id(std::move(run_id));
    open.mutable_worker()->set_role(std::move(worker.role));
    open.mutable_worker()->set_rank(worker.rank);
    open.set_stream_id(options.stream_id);
    open.set_attempt(options.attempt);
    if (options.resume_step) open.set_resume_step(*options.resume_step);
    open.set_world_size(options.world_size);

    auto events = std::make_shared<EventQueue>();
    auto buffer = std::make_shared<RowBuffer>(options.buffer,
                                              [events] { events->Notify(); });
    auto sender = std::make_unique<Sender>(std::move(channel), std::move(open),
                                           options, buffer, std::move(events));
    if (absl::Status status = sender->Start(); !status.ok()) return status;
    return std::unique_ptr<RunWriter>(new RunWriter(
        std::move(options), std::move(buffer), std::move(sender)));
  } catch (const std::exception& e) {
    return OutOfMemory(e);
  }
}

RunWriter::RunWriter(RunWriterOptions options,
                     std::shared_ptr<RowBuffer> buffer,
                     std::unique_ptr<Sender> sender)
    : options_(std::move(options)),
      buffer_(std::move(buffer)),
      sender_(std::move(sender)) {}

RunWriter::~RunWriter() { (void)Close(options_.destructor_timeout); }

absl::StatusOr<SchemaHandle> RunWriter::DeclareSchema(
    std::vector<v1::Metric> metrics) {
  try {
    absl::StatusOr<uint32_t> id = buffer_->Declare(std::move(metrics));
    if (!id.ok()) return id.status();
    return SchemaHandle{*id};
  } catch (const std::exception& e) {
    return OutOfMemory(e);
  }
}

absl::StatusOr<SchemaHandle> RunWriter::DeclareSchema(
    std::initializer_list<absl::string_view> names) {
  try {
    std::vector<v1::Metric> metrics;
    for (const absl::string_view name : names) {
      metrics.emplace_back().set_name(std::string(name));
    }
    return DeclareSchema(std::move(metrics));
  } catch (const std::exception& e) {
    return OutOfMemory(e);
  }
}

absl::Status RunWriter::Append(SchemaHandle schema, const Row& row) {
  try {
    return buffer_->Append(schema.id, row, options_.append_patience);
  } catch (const std::exception& e) {
    return OutOfMemory(e);
  }
}

absl::Status RunWriter::Append(SchemaHandle schema, int64_t step,
                               int64_t time_ns,
                               absl::Span<const double> values) {
  return Append(schema, Row{step, time_ns, values, {}});
}

absl::Status RunWriter::Append(SchemaHandle schema, int64_t step,
                               int64_t time_ns,
                               std::initializer_list<double> values) {
  return Append(schema, step, time_ns,
                absl::MakeConstSpan(values.begin(), values.size()));
}

absl::Status RunWriter::AppendColumns(SchemaHandle schema,
                                      const Columns& columns) {
  if (columns.values.empty()) return absl::OkStatus();
  const size_t rows = columns.values.front().size();
  const auto fits = [rows](size_t size) { return size == 0 || size == rows; };
  if (!fits(columns.steps.size()) || !fits(columns.times_ns.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(rows, " rows have ", columns.steps.size(), " steps and ",
                     columns.times_ns.size(), " times"));
  }
  for (const auto& column : columns.values) {
    if (column.size() != rows) {
      return absl::InvalidArgumentError(absl::StrCat(
          "one column has ", rows, " values, another ", column.size()));
    }
  }
  try {
    std::vector<double> values(columns.values.size());
    for (size_t r = 0; r < rows; ++r) {
      for (size_t m = 0; m < values.size(); ++m)
        values[m] = columns.values[m][r];
      Row row{std::nullopt, std::nullopt, values, {}};
      if (!columns.steps.empty()) row.step = columns.steps[r];
      if (!columns.times_ns.empty()) row.time_ns = columns.times_ns[r];
      if (absl::Status status = Append(schema, row); !status.ok())
        return status;
    }
  } catch (const std::exception& e) {
    return OutOfMemory(e);
  }
  return absl::OkStatus();
}

absl::Status RunWriter::Flush(absl::Duration timeout) {
  try {
    return buffer_->WaitDrained(timeout);
  } catch (const std::exception& e) {
    return OutOfMemory(e);
  }
}

absl::Status RunWriter::Close(absl::Duration timeout) {
  std::lock_guard<std::mutex> lock(close_mu_);
  if (closed_) return close_status_;
  closed_ = true;
  const auto began = Clock::now();
  close_status_ = Flush(timeout);
  const absl::Duration left = timeout - absl::FromChrono(Clock::now() - began);
  // With rows unacked there is nothing to wait for: the call is cancelled.
  sender_->Finish(close_status_.ok() ? std::max(left, absl::Seconds(1))
                                     : absl::ZeroDuration());
  return close_status_;
}

std::vector<Rejection> RunWriter::rejections() const {
  return sender_->rejections();
}

WriterStats RunWriter::stats() const {
  WriterStats stats;
  static_cast<BufferCounts&>(stats) = buffer_->counts();
  static_cast<SenderCounts&>(stats) = sender_->counts();
  return stats;
}

std::string RunWriter::token() const { return sender_->token(); }

}  // namespace waterflow::client

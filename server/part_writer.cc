#include "server/part_writer.h"

#include <algorithm>

#include "server/convert.h"

namespace waterflow::server {
namespace {

constexpr size_t kMessageBytes = 256 << 10;
// About what they take; to count costs as much as to send.
constexpr size_t kPointBytes = 26;
constexpr size_t kBucketBytes = 120;
constexpr size_t kWorkerBytes = 12;
constexpr size_t kHeadBytes = 80;  // names
constexpr size_t kMessagePoints = kMessageBytes / kPointBytes;
constexpr size_t kMessageBuckets = kMessageBytes / kBucketBytes;

}  // namespace

absl::Status PartWriter::Add(const storage::SeriesPart& part) {
  const bool points = part.buckets.empty();
  const size_t size = points ? part.points.size() : part.buckets.size();
  const size_t step = points ? kMessagePoints : kMessageBuckets;
  for (size_t from = 0; from == 0 || from < size; from += step) {
    v1::SeriesPart* const added = message_.add_parts();
    ToProto(part, from, std::min(size, from + step), added);
    bytes_ += (std::min(size, from + step) - from) *
                  (points ? kPointBytes : kBucketBytes) +
              part.workers.size() * kWorkerBytes + kHeadBytes;
    if (bytes_ < kMessageBytes) continue;
    if (!out_.Write(message_)) return absl::CancelledError("the client left");
    message_.Clear();
    bytes_ = 0;
  }
  return absl::OkStatus();
}

void PartWriter::Finish(const storage::ReadSummary& summary) {
  ToProto(summary, message_.mutable_summary());
  // Goes out with the status.
  out_.WriteLast(message_, grpc::WriteOptions());
}

}  // namespace waterflow::server

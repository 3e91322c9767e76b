#include "server/part_writer.h"

#include <algorithm>

#include "server/convert.h"

namespace waterflow::server {
namespace {

constexpr size_t kMessageBytes = 256 << 10;
// So many of one series are a message: a point takes up to 26 bytes, a bucket
// up to 150.
constexpr size_t kMessagePoints = 10'000;
constexpr size_t kMessageBuckets = 1800;

}  // namespace

absl::Status PartWriter::Add(const storage::SeriesPart& part) {
  const bool points = part.buckets.empty();
  const size_t size = points ? part.points.size() : part.buckets.size();
  const size_t step = points ? kMessagePoints : kMessageBuckets;
  for (size_t from = 0; from == 0 || from < size; from += step) {
    v1::SeriesPart* const added = message_.add_parts();
    ToProto(part, from, std::min(size, from + step), added);
    bytes_ += added->ByteSizeLong();
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

#include "storage/relay/relay_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"

namespace waterflow::storage {
void RelayLane::SetMetrics(std::vector<Metric> all) {
  auto all_names = std::make_shared<std::vector<std::string>>();
  all_names->reserve(all.size());
  for (const Metric& metric : all) all_names->push_back(metric.name);
  names = std::move(all_names);
  metrics = std::make_shared<const std::vector<Metric>>(std::move(all));
}

absl::Status RelayState::Load(const Database& database) {
  MutexLock lock(&mutex);
  // Streams first: the other keys are about them.
  const auto it = database.IterateOnce(Family::kCatalog);
  const std::string first(1, static_cast<char>(RelayKey::kStream));
  for (const bool identities : {true, false}) {
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const absl::string_view key = ToView(it->key());
      if (absl::StartsWith(key, first) != identities) continue;
      if (absl::Status s = LoadKey(key, ToView(it->value())); !s.ok()) {
        return absl::DataLossError(absl::StrCat(
            "catalog ", absl::BytesToHexString(key), ": ", s.message()));
      }
    }
    if (!it->status().ok()) return ToStatus(it->status(), "read the catalog");
  }
  uint64_t bytes = 0;
  for (const auto& [number, stream] : by_number) {
    bytes += stream->waiting_bytes();
    news.insert(number);
  }
  waiting_bytes.store(bytes);
  return absl::OkStatus();
}

absl::Status RelayState::LoadKey(absl::string_view key,
                                 absl::string_view value) {
  ByteReader reader(key);
  const auto kind = static_cast<RelayKey>(reader.Fixed<char>());
  const auto number = reader.BigEndian<uint32_t>();
  if (kind == RelayKey::kStream) {
    absl::StatusOr<RelayIdentity> identity = DecodeRelayIdentity(value);
    if (!identity.ok()) return identity.status();
    auto stream = std::make_shared<RelayStream>(number, *std::move(identity));
    stream->stored = true;
    streams[stream->identity] = stream;
    by_number[number] = std::move(stream);
    next_number = std::max(next_number, number + 1);
    return absl::OkStatus();
  }
  const auto found = by_number.find(number);
  if (found == by_number.end()) return absl::DataLossError("no such stream");
  RelayStream& stream = *found->second;
  if (kind == RelayKey::kAppended || kind == RelayKey::kTrimmed) {
    const absl::StatusOr<RelayMark> mark = DecodeRelayMark(value);
    if (!mark.ok()) return mark.status();
    (kind == RelayKey::kAppended ? stream.appended : stream.trimmed) = *mark;
    return absl::OkStatus();
  }
  const auto schema = reader.BigEndian<uint32_t>();
  if (!reader.done()) return absl::DataLossError("the key is malformed");
  RelayLane& lane = stream.lanes[schema];
  if (kind == RelayKey::kMetrics) {
    absl::StatusOr<std::vector<Metric>> metrics = DecodeRelayMetrics(value);
    if (!metrics.ok()) return metrics.status();
    lane.SetMetrics(*std::move(metrics));
    lane.stored = true;
    return absl::OkStatus();
  }
  const absl::StatusOr<uint64_t> row = DecodeRelayRow(value);
  if (!row.ok()) return row.status();
  if (kind == RelayKey::kNextRow) {
    lane.next_row = *row;
  } else if (kind == RelayKey::kForwardedRow) {
    lane.forwarded_row = *row;
  } else {
    return absl::DataLossError("of an unknown kind");
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage

// A resume token:
//
//   version u8 = 1, question u64 (TailQuestion), run*, checksum as of blocks
//   run   := id 16 bytes, lane_count varint, lane*
//   lane  := schema varint, worker varint, next_row varint
//
// Lanes ascend by (schema, worker); schema is the difference to the lane
// before, worker too where the schema is the same. The checksum keeps out what
// was cut or mistyped. It is no secret: who forges a token gets points that he
// may read anyway.
#include "storage/query/tail_token.h"

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

constexpr uint8_t kVersion = 1;

absl::Status Foreign(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("resume_token: ", what));
}

void AppendTexts(const std::vector<std::string>& texts, std::string* out) {
  AppendVarint(texts.size(), out);
  for (const std::string& text : texts) AppendString(text, out);
}

bool DecodeRun(ByteReader* in, TailCursor* cursor) {
  const absl::StatusOr<Uuid> run = Uuid::FromBytes(in->Bytes(sizeof(Uuid)));
  if (!run.ok()) return false;
  cursor->run = *run;
  const uint64_t lanes = in->Varint();
  if (lanes > kMaxTailLanes) return false;
  SchemaId schema{0};
  WorkerId worker{0};
  for (uint64_t i = 0; i < lanes && in->ok(); ++i) {
    const uint32_t schemas_on = in->Varint32();
    if (schemas_on > 0) worker.value = 0;
    schema.value += schemas_on;
    worker.value += in->Varint32();
    cursor->next_rows[{schema, worker}] = in->Varint();
  }
  return in->ok() && cursor->next_rows.size() == lanes;
}

}  // namespace

uint64_t TailQuestion(const Selection& selection) {
  std::string bytes;
  AppendVarint(selection.runs.size(), &bytes);
  for (const Uuid& run : selection.runs) {
    bytes.append(run.raw().data(), run.raw().size());
  }
  AppendFixed(static_cast<uint8_t>(selection.run_filter.has_value()), &bytes);
  if (selection.run_filter.has_value()) {
    const RunFilter& filter = *selection.run_filter;
    AppendString(filter.filter, &bytes);
    AppendTexts(filter.projects, &bytes);
    AppendTexts(filter.order_by, &bytes);
    AppendVarint(filter.limit, &bytes);
  }
  AppendTexts(selection.metrics, &bytes);
  AppendTexts(selection.metric_patterns.globs, &bytes);
  AppendTexts(selection.metric_patterns.regexes, &bytes);
  AppendFixed(static_cast<uint8_t>(selection.workers.has_value()), &bytes);
  if (selection.workers.has_value()) {
    AppendVarint(selection.workers->size(), &bytes);
    for (const Worker& worker : *selection.workers) {
      AppendString(worker.role, &bytes);
      AppendVarint(worker.rank, &bytes);
    }
  }
  AppendVarint(selection.worker_filter.ranks.size(), &bytes);
  for (const RankRange& range : selection.worker_filter.ranks) {
    AppendVarint(range.first, &bytes);
    AppendVarint(range.last, &bytes);
  }
  AppendTexts(selection.worker_filter.roles, &bytes);
  return ChecksumOf(bytes);
}

TailTokenBuilder::TailTokenBuilder(uint64_t question) {
  AppendFixed(kVersion, &bytes_);
  AppendFixed(question, &bytes_);
}

void TailTokenBuilder::Add(const Uuid& run,
                           const TailCursor::NextRows& next_rows) {
  bytes_.append(run.raw().data(), run.raw().size());
  AppendVarint(next_rows.size(), &bytes_);
  SchemaId schema{0};
  WorkerId worker{0};
  for (const auto& [lane, next_row] : next_rows) {
    if (lane.first != schema) worker.value = 0;
    AppendVarint(lane.first.value - schema.value, &bytes_);
    AppendVarint(lane.second.value - worker.value, &bytes_);
    AppendVarint(next_row, &bytes_);
    schema = lane.first;
    worker = lane.second;
  }
}

std::string TailTokenBuilder::Build() && {
  AppendChecksum(&bytes_);
  return std::move(bytes_);
}

absl::StatusOr<std::vector<TailCursor>> DecodeTailToken(absl::string_view token,
                                                        uint64_t question) {
  if (token.size() > kMaxTailTokenBytes) {
    return Foreign(absl::StrCat("has ", token.size(), " bytes, at most ",
                                kMaxTailTokenBytes));
  }
  const absl::StatusOr<absl::string_view> checked = VerifyChecksum(token);
  if (!checked.ok()) return Foreign("is none that was given out");
  ByteReader in(*checked);
  const uint8_t version = in.Fixed<uint8_t>();
  if (version != kVersion) {
    return Foreign(absl::StrCat("has version ", version, ", this server reads ",
                                kVersion));
  }
  if (in.Fixed<uint64_t>() != question) {
    return Foreign("was given out for other runs, metrics or workers");
  }
  std::vector<TailCursor> cursors;
  while (in.ok() && !in.rest().empty()) {
    if (cursors.size() == kMaxReadRuns ||
        !DecodeRun(&in, &cursors.emplace_back())) {
      return Foreign("is none that was given out");
    }
  }
  if (!in.done() || cursors.empty()) {
    return Foreign("is none that was given out");
  }
  return cursors;
}

}  // namespace waterflow::storage

#include "storage/keep/catalog_check.h"

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"

namespace waterflow::storage {
namespace {

constexpr char kMalformed[] = "cannot be decoded";

template <typename Value>
std::optional<std::string> Decodes(absl::string_view bytes) {
  Value value;
  if (DecodeValue(bytes, &value)) return std::nullopt;
  return kMalformed;
}

}  // namespace

void CatalogCheck::Load(VerifyRun* run) {
  // What others point to first: kinds are letters in no helpful order.
  constexpr absl::string_view kOrder = "PMRWSDALCXTQ";
  auto it = run->Iterate(Family::kCatalog);
  for (const char kind : kOrder) {
    const std::string prefix(1, kind);
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix);
         it->Next()) {
      const absl::string_view key = ToView(it->key());
      run->Read(key.size() + it->value().size());
      if (auto wrong = Set(key, ToView(it->value())); wrong.has_value()) {
        run->Problem(Family::kCatalog, key, *wrong);
      }
      if (!run->cancelled().ok()) return;
    }
    if (!it->status().ok()) {
      run->Problem(Family::kCatalog, prefix, it->status().ToString());
    }
  }
  for (it->SeekToFirst(); it->Valid();) {
    const absl::string_view key = ToView(it->key());
    const std::string kind(key.substr(0, 1));
    if (kOrder.find(kind) == absl::string_view::npos) {
      run->Problem(Family::kCatalog, key, "is of no known kind");
    }
    it->Seek(PrefixEnd(kind));
  }
  run->report().runs = runs_.size();
}

CatalogCheck::RunEntry* CatalogCheck::FindRun(RunId run) {
  const auto it = runs_.find(run);
  return it == runs_.end() ? nullptr : &it->second;
}

std::optional<std::string> CatalogCheck::Set(absl::string_view key,
                                             absl::string_view value) {
  ByteReader in(key);
  const auto kind = static_cast<CatalogKind>(in.Fixed<char>());
  switch (kind) {
    case CatalogKind::kTombstone:
      return in.rest().size() == 16 ? Decodes<TombstoneValue>(value)
                                    : kMalformed;
    case CatalogKind::kRequest:
      return Decodes<RequestValue>(value);
    case CatalogKind::kProject:
      projects_.insert(in.BigEndian<uint32_t>());
      return in.done() ? Decodes<ProjectValue>(value) : kMalformed;
    case CatalogKind::kMetricName:
      metrics_[in.BigEndian<uint32_t>()] = std::string(value);
      return in.done() ? std::nullopt : std::optional<std::string>(kMalformed);
    case CatalogKind::kRun: {
      // Known even when damaged, so that what belongs to it is no problem of
      // its own.
      runs_[RunId{in.BigEndian<uint32_t>()}];
      RunValue run;
      if (!in.done() || !DecodeValue(value, &run)) return kMalformed;
      if (!projects_.contains(run.project.value)) {
        return absl::StrCat("project ", run.project.value, " is not there");
      }
      if (run.fork.has_value() && FindRun(run.fork->parent) == nullptr) {
        return absl::StrCat("run ", run.fork->parent.value,
                            ", which it was forked from, is not there");
      }
      return std::nullopt;
    }
    default:
      return SetOfRun(kind, key, value);
  }
}

std::optional<std::string> CatalogCheck::SetOfRun(CatalogKind kind,
                                                  absl::string_view key,
                                                  absl::string_view value) {
  ByteReader in(key.substr(1));
  const RunId run_id{in.BigEndian<uint32_t>()};
  const uint32_t id = in.BigEndian<uint32_t>();
  if (!in.ok()) return kMalformed;
  RunEntry* const run = FindRun(run_id);
  if (run == nullptr)
    return absl::StrCat("run ", run_id.value, " is not there");
  switch (kind) {
    case CatalogKind::kWorker:
      run->workers.insert(id);
      return Decodes<WorkerValue>(value);
    case CatalogKind::kSchema: {
      SchemaValue schema;
      std::vector<std::string>& names = run->schemas[SchemaId{id}];
      if (!in.done() || !DecodeValue(value, &schema)) return kMalformed;
      for (const MetricId metric : schema.metrics) {
        const auto name = metrics_.find(metric.value);
        if (name == metrics_.end()) {
          return absl::StrCat("metric ", metric.value, " is not there");
        }
        names.push_back(name->second);
      }
      return std::nullopt;
    }
    case CatalogKind::kMetadata:
      if (!metrics_.contains(id)) {
        return absl::StrCat("metric ", id, " is not there");
      }
      return Decodes<MetadataValue>(value);
    case CatalogKind::kAttempt:
      return Decodes<AttemptValue>(value);
    case CatalogKind::kLost:
      return Decodes<LostValue>(value);
    case CatalogKind::kLane: {
      LaneValue lane;
      if (in.Bytes(16 + 4).empty() || !in.done() ||
          !DecodeValue(value, &lane)) {
        return kMalformed;
      }
      run->lanes[std::string(key)] = lane;
      if (!run->workers.contains(id)) {
        return absl::StrCat("worker ", id, " is not there");
      }
      if (!run->schemas.contains(lane.schema)) {
        return absl::StrCat("schema ", lane.schema.value, " is not there");
      }
      return std::nullopt;
    }
    case CatalogKind::kRowCount: {
      const uint32_t worker = in.BigEndian<uint32_t>();
      RowCountValue count;
      if (!in.done() || !DecodeValue(value, &count)) return kMalformed;
      run->counts[{SchemaId{id}, WorkerId{worker}}] = count;
      if (!run->workers.contains(worker)) {
        return absl::StrCat("worker ", worker, " is not there");
      }
      if (!run->schemas.contains(SchemaId{id})) {
        return absl::StrCat("schema ", id, " is not there");
      }
      return std::nullopt;
    }
    default:
      return "is of no known kind";
  }
}

void CatalogCheck::Erase(absl::string_view key) {
  ByteReader in(key);
  if (static_cast<CatalogKind>(in.Fixed<char>()) == CatalogKind::kProject) {
    projects_.erase(in.BigEndian<uint32_t>());
  }
}

}  // namespace waterflow::storage

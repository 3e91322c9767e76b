#include "storage/ingest/recovery.h"

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/format/batch.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/format/log_record.h"

namespace waterflow::storage {
namespace {

absl::StatusOr<Position> ReadSealedPosition(const Database& database) {
  absl::StatusOr<std::string> stored =
      database.Get(Family::kMeta, kMetaSealedPosition);
  if (absl::IsNotFound(stored.status())) return Position{0};
  if (!stored.ok()) return stored.status();
  if (stored->size() != sizeof(uint64_t)) {
    return absl::DataLossError("meta: sealed_position is malformed");
  }
  return Position{LoadFixed<uint64_t>(stored->data())};
}

absl::StatusOr<absl::btree_set<GenerationId>> LoadGenerations(
    const Database& database, LiveState* state) {
  absl::btree_set<GenerationId> committed;
  auto it = database.Iterate(Family::kMeta);
  for (it->Seek(ToSlice(kMetaGeneration));
       it->Valid() && it->key().starts_with(ToSlice(kMetaGeneration));
       it->Next()) {
    ByteReader key(ToView(it->key()).substr(kMetaGeneration.size()));
    Generation generation;
    generation.id.value = key.BigEndian<uint32_t>();
    if (!key.done() || !Generation::Decode(ToView(it->value()), &generation)) {
      return absl::DataLossError("meta: a generation is malformed");
    }
    committed.insert(generation.id);
    state->AddGeneration(std::move(generation));
  }
  if (!it->status().ok()) return ToStatus(it->status(), "read generations");
  return committed;
}

// A seal or merge that died after it ingested its files and before its commit,
// and generations that a merge replaced whose files were not dropped any more.
absl::Status DropUncommitted(Database* database,
                             const absl::btree_set<GenerationId>& committed,
                             GenerationId* highest) {
  for (const Family family : kGenerationFamilies) {
    auto it = database->Iterate(family);
    it->SeekToFirst();
    while (it->Valid()) {
      ByteReader key(ToView(it->key()));
      const GenerationId generation{key.BigEndian<uint32_t>()};
      if (!key.ok()) return absl::DataLossError("a block's key is malformed");
      *highest = std::max(*highest, generation);
      const std::string begin = GenerationPrefix(generation);
      const std::string end = PrefixEnd(begin);
      if (!committed.contains(generation)) {
        if (absl::Status s = database->DropFiles(family, begin, end); !s.ok()) {
          return s;
        }
        const rocksdb::Status s = database->db()->DeleteRange(
            rocksdb::WriteOptions(), database->family(family), begin, end);
        if (!s.ok()) return ToStatus(s, "drop an uncommitted generation");
      }
      it->Seek(end);
    }
    if (!it->status().ok()) return ToStatus(it->status(), "read generations");
  }
  return absl::OkStatus();
}

// Files of a seal or merge that died before they were ingested.
absl::Status RemoveUnfinishedFiles(const Database& database) {
  rocksdb::Env* const env = database.db()->GetEnv();
  std::vector<std::string> files;
  rocksdb::Status s = env->GetChildren(database.path(), &files);
  for (const std::string& file : files) {
    if (!s.ok()) break;
    if (absl::EndsWith(file, ".tmp")) {
      s = env->DeleteFile(absl::StrCat(database.path(), "/", file));
    }
  }
  return ToStatus(s, "remove unfinished files");
}

// Generations still list runs that were deleted before the sealed position.
// The catalog knows nothing of these, and must not give their ids out again.
void NoteDeletedRuns(Catalog* catalog, LiveState* state) {
  for (const auto& generation : state->generations()) {
    for (const auto& [run, rows] : generation->runs) {
      if (catalog->FindRun(run) != nullptr) continue;
      catalog->NeverGiveOut(run);
      state->NoteDeleted(run);
    }
  }
}

absl::Status LoadCatalog(const Database& database, Catalog* catalog,
                         LiveState* state) {
  // Names before schemas and runs before what belongs to them: kinds are
  // letters in no helpful order.
  constexpr CatalogKind kOrder[] = {
      CatalogKind::kProject, CatalogKind::kMetricName, CatalogKind::kRun,
      CatalogKind::kWorker,  CatalogKind::kSchema,     CatalogKind::kMetadata,
      CatalogKind::kAttempt, CatalogKind::kLost,       CatalogKind::kTombstone,
      CatalogKind::kRequest, CatalogKind::kRowCount};
  for (const CatalogKind kind : kOrder) {
    const std::string prefix(1, static_cast<char>(kind));
    auto it = database.Iterate(Family::kCatalog);
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix);
         it->Next()) {
      const absl::string_view key = ToView(it->key());
      const absl::string_view value = ToView(it->value());
      if (kind != CatalogKind::kRowCount) {
        if (absl::Status s = catalog->Apply(key, value); !s.ok()) return s;
        continue;
      }
      ByteReader in(key.substr(1));
      const RunId run{in.BigEndian<uint32_t>()};
      const SchemaId schema{in.BigEndian<uint32_t>()};
      const WorkerId worker{in.BigEndian<uint32_t>()};
      RowCountValue count;
      if (!in.done() || !DecodeValue(value, &count)) {
        return absl::DataLossError("catalog: a row count is malformed");
      }
      state->RestoreCount(run, schema, worker, count);
    }
    if (!it->status().ok()) return ToStatus(it->status(), "read the catalog");
  }
  return absl::OkStatus();
}

// Applies the records of one group to catalog and live state.
class Replayer {
 public:
  Replayer(Catalog* catalog, LiveState* state)
      : catalog_(catalog), state_(state) {}

  absl::Status Group(Position position, absl::string_view group) {
    position_ = position;
    while (!group.empty()) {
      absl::StatusOr<LogRecord> record = TakeRecord(&group);
      if (!record.ok()) return record.status();
      if (absl::Status s = std::visit(*this, *record); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const BatchRecord& r) {
    absl::StatusOr<std::shared_ptr<Lane>> lane = FindLane(r.lane, r.schema);
    if (!lane.ok() || *lane == nullptr) return lane.status();
    BatchView view;
    if (absl::Status s = ParseBatch(r.body, &view); !s.ok()) {
      return absl::DataLossError(s.message());
    }
    uint64_t values = 0;
    if (absl::Status s = CheckBatch(view, (*lane)->schema->names, &values);
        !s.ok() || view.rows != r.rows) {
      return absl::DataLossError(
          absl::StrCat("a batch in the log: ", s.message()));
    }
    (*lane)->assigned_row = r.first_row + r.rows;
    LiveState::Applier(state_, position_)
        .Batch(**lane,
               HeadBatch{.body = BatchBody::Copy(r.body),
                         .received_ns = r.received_ns,
                         .rows = r.rows,
                         .skip = r.skip,
                         .attempt = r.attempt,
                         .has_step = !view.steps.empty(),
                         .has_time = !view.times.empty()},
               r.first_row + r.rows, CountValues(view, r.skip));
    rows_ += r.rows - r.skip;
    return absl::OkStatus();
  }
  absl::Status operator()(const VoidRecord& r) {
    absl::StatusOr<std::shared_ptr<Lane>> lane = FindLane(r.lane, r.schema);
    if (!lane.ok() || *lane == nullptr) return lane.status();
    (*lane)->assigned_row = r.first_row + r.rows;
    LiveState::Applier(state_, position_).Void(**lane, r.first_row + r.rows);
    return absl::OkStatus();
  }
  absl::Status operator()(const CatalogRecord& r) {
    if (absl::Status s = catalog_->Apply(r.key, r.value); !s.ok()) return s;
    LiveState::Applier(state_, position_).Change(r.key, std::string(r.value));
    return absl::OkStatus();
  }
  absl::Status operator()(const EraseRecord& r) {
    catalog_->ApplyErase(r.key);
    LiveState::Applier(state_, position_).Change(r.key, std::nullopt);
    return absl::OkStatus();
  }
  absl::Status operator()(const DeleteRecord& r) {
    catalog_->ApplyDelete(r.run);
    LiveState::Applier(state_, position_).Delete(r.run);
    return absl::OkStatus();
  }

  uint64_t rows() const { return rows_; }

 private:
  // Null for a run that is gone: its rows were dropped with it.
  absl::StatusOr<std::shared_ptr<Lane>> FindLane(const LaneName& name,
                                                 SchemaId schema) {
    const RunState* run = catalog_->FindRun(name.run);
    if (run == nullptr) return std::shared_ptr<Lane>();
    if (schema.value >= run->schemas.size() ||
        run->schemas[schema.value] == nullptr) {
      return absl::DataLossError(absl::StrCat(
          "log: run ", run->value.id.ToHex(), " has no schema ", schema.value));
    }
    return state_->LaneForReplay(name, run->schemas[schema.value]);
  }

  Catalog* const catalog_;
  LiveState* const state_;
  Position position_;
  uint64_t rows_ = 0;
};

}  // namespace

absl::StatusOr<Recovered> Recover(Database* database, Log* log,
                                  Catalog* catalog, LiveState* state) {
  Recovered recovered;
  absl::StatusOr<Position> sealed = ReadSealedPosition(*database);
  if (!sealed.ok()) return sealed.status();
  absl::StatusOr<absl::btree_set<GenerationId>> committed =
      LoadGenerations(*database, state);
  if (!committed.ok()) return committed.status();
  GenerationId highest;
  if (!committed->empty()) highest = *committed->rbegin();
  database->Reach("recover:before_drop");
  if (absl::Status s = DropUncommitted(database, *committed, &highest);
      !s.ok()) {
    return s;
  }
  if (absl::Status s = RemoveUnfinishedFiles(*database); !s.ok()) return s;
  state->SetNextGeneration({highest.value + 1});
  if (absl::Status s = LoadCatalog(*database, catalog, state); !s.ok()) {
    return s;
  }

  NoteDeletedRuns(catalog, state);

  state->SetPosition(*sealed);
  Replayer replayer(catalog, state);
  absl::StatusOr<Position> last =
      log->Replay(*sealed, [&](Position position, absl::string_view group) {
        database->Reach("recover:in_replay");
        return replayer.Group(position, group);
      });
  if (!last.ok()) return last.status();
  recovered.last = *last;
  database->Reach("recover:after_replay");
  recovered.replayed_rows = replayer.rows();
  return recovered;
}

}  // namespace waterflow::storage

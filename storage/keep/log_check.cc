#include "storage/keep/log_check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/batch.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/format/log_record.h"

namespace waterflow::storage {
namespace {

// One record after the other; each call says what is wrong, or nothing.
class RecordCheck {
 public:
  using Wrong = std::optional<std::string>;

  explicit RecordCheck(CatalogCheck* catalog) : catalog_(catalog) {}

  Wrong operator()(const BatchRecord& r) {
    CatalogCheck::RunEntry* const run = catalog_->FindRun(r.lane.run);
    if (run == nullptr) return std::nullopt;  // deleted
    const auto schema = run->schemas.find(r.schema);
    if (schema == run->schemas.end()) {
      return absl::StrCat("batch: schema ", r.schema.value, " is not there");
    }
    if (absl::Status s = ParseBatch(r.body, &view_); !s.ok()) {
      return std::string(s.message());
    }
    uint64_t values = 0;
    if (absl::Status s = CheckBatch(view_, schema->second, &values); !s.ok()) {
      return std::string(s.message());
    }
    if (view_.rows != r.rows || r.skip > r.rows) {
      return absl::StrCat("batch: ", r.rows, " rows, skip ", r.skip,
                          ", its body has ", view_.rows);
    }
    return MoveLane(run, r.lane, r.schema, r.first_row + r.skip,
                    r.first_row + r.rows);
  }
  Wrong operator()(const VoidRecord& r) {
    CatalogCheck::RunEntry* const run = catalog_->FindRun(r.lane.run);
    if (run == nullptr) return std::nullopt;
    return MoveLane(run, r.lane, r.schema, r.first_row, r.first_row + r.rows);
  }
  Wrong operator()(const CatalogRecord& r) {
    Wrong wrong = catalog_->Set(r.key, r.value);
    if (!wrong.has_value()) return wrong;
    return absl::StrCat("catalog ", absl::BytesToHexString(r.key), ": ",
                        *wrong);
  }
  Wrong operator()(const EraseRecord& r) {
    catalog_->Erase(r.key);
    return std::nullopt;
  }
  Wrong operator()(const DeleteRecord& r) {
    catalog_->DeleteRun(r.run);
    deleted_.insert(r.run);
    return std::nullopt;
  }

  const absl::btree_set<RunId>& deleted() const { return deleted_; }

 private:
  static Wrong MoveLane(CatalogCheck::RunEntry* run, const LaneName& name,
                        SchemaId schema, uint64_t first_row,
                        uint64_t next_row) {
    LaneValue& lane =
        run->lanes[LaneKey(name.run, name.worker, name.stream, name.number)];
    const uint64_t expected = lane.next_row;
    lane = {.schema = schema, .next_row = std::max(expected, next_row)};
    if (first_row == expected) return std::nullopt;
    return absl::StrCat("stream ", name.stream.ToHex(), ", schema ",
                        name.number, ": row ", first_row, ", expected ",
                        expected);
  }

  CatalogCheck* const catalog_;
  absl::btree_set<RunId> deleted_;
  BatchView view_;
};

}  // namespace

absl::btree_set<RunId> CheckLog(Position sealed, CatalogCheck catalog,
                                VerifyRun* run) {
  RecordCheck check(&catalog);
  Position last = sealed;
  rocksdb::Iterator* const it = &run->log();
  for (it->Seek(LogKey(Position{sealed.value + 1}));
       it->Valid() && run->cancelled().ok(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    absl::string_view group = ToView(it->value());
    run->Read(key.size() + group.size());
    ++run->report().log_groups;
    ByteReader in(key);
    const Position position{in.BigEndian<uint64_t>()};
    if (!in.done()) {
      run->Problem(Family::kLog, key, "key is malformed");
      continue;
    }
    if (position.value != last.value + 1) {
      run->Problem(Family::kLog, key,
                   absl::StrCat("position ", position.value, ", expected ",
                                last.value + 1));
    }
    last = position;
    while (!group.empty()) {
      absl::StatusOr<LogRecord> record = TakeRecord(&group);
      if (!record.ok()) {
        run->Problem(Family::kLog, key, record.status().message());
        break;
      }
      if (auto wrong = std::visit(check, *record); wrong.has_value()) {
        run->Problem(Family::kLog, key, *wrong);
      }
    }
  }
  if (!it->status().ok()) {
    run->Problem(Family::kLog, LogKey(Position{last.value + 1}),
                 it->status().ToString());
  }
  return check.deleted();
}

}  // namespace waterflow::storage

#include "storage/keep/generation_check.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "storage/format/axis.h"
#include "storage/format/block.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/format/summary.h"

namespace waterflow::storage {
namespace {

// By their ids.
using Committed = absl::btree_map<GenerationId, const Generation*>;

// A walk over a family of generations. A key that nothing in catalog and axes
// asks for is a problem, unless its generation was never committed, or its run
// was deleted and no merge has left it out yet.
class GenerationWalk : public FamilyWalk {
 public:
  GenerationWalk(VerifyRun* run, Family family, const Committed* committed,
                 const CatalogCheck* catalog)
      : FamilyWalk(run, family), committed_(committed), catalog_(catalog) {}

 private:
  std::string Skipped(absl::string_view key) override {
    ByteReader in(key);
    const GenerationId generation{in.BigEndian<uint32_t>()};
    const auto found = committed_->find(generation);
    if (in.ok() && found == committed_->end()) {
      return PrefixEnd(GenerationPrefix(generation));
    }
    const auto run = RunId{in.BigEndian<uint32_t>()};
    if (in.ok() && found->second->runs.contains(run) &&
        !catalog_->runs().contains(run)) {
      return PrefixEnd(RunPrefix(generation, run));
    }
    // Behind a damaged axis there are values that it would have named.
    const auto schema = SchemaId{in.BigEndian<uint32_t>()};
    if (!in.ok() || damaged != SchemaPrefix(generation, run, schema)) {
      run_->Problem(family_, key, "belongs to nothing that is known");
    }
    return "";
  }

  const Committed* const committed_;
  const CatalogCheck* const catalog_;

 public:
  std::string damaged;  // prefix of the schema whose axes could not be read
};

// One schema of one run in one generation.
struct Place {
  GenerationId generation;
  RunId run;
  SchemaId schema;
  uint32_t metrics = 0;
};

bool SameBits(double a, double b) { return std::memcmp(&a, &b, 8) == 0; }

// What summary and values disagree about; null: nothing.
const char* Disagreement(const Summary& stored, const Summary& found) {
  if (stored.count != found.count || stored.nan_count != found.nan_count ||
      stored.pos_inf_count != found.pos_inf_count ||
      stored.neg_inf_count != found.neg_inf_count) {
    return "counts";
  }
  if (found.values() == 0) return nullptr;
  if (stored.first_row != found.first_row ||
      stored.last_row != found.last_row ||
      !SameBits(stored.first, found.first) ||
      !SameBits(stored.last, found.last)) {
    return "first or last value";
  }
  if (found.count > 0 && (stored.min != found.min || stored.max != found.max)) {
    return "least or greatest value";
  }
  return nullptr;
}

const char* Disagreement(const StripSummary& stored,
                         const StripSummary& found) {
  const char* wrong = Disagreement(stored.all, found.all);
  // Where spans could not be read, that was said.
  for (size_t i = 0; wrong == nullptr && i < stored.spans.size(); ++i) {
    wrong = i < found.spans.size()
                ? Disagreement(stored.spans[i], found.spans[i])
                : "number of spans";
  }
  return wrong;
}

class Checker {
 public:
  Checker(const std::vector<Generation>& generations,
          const CatalogCheck& catalog, const absl::btree_set<RunId>& deleted,
          VerifyRun* run)
      : catalog_(catalog),
        deleted_(deleted),
        run_(run),
        committed_(ById(generations)),
        axis_(run, Family::kAxis, &committed_, &catalog),
        blocks_(run, Family::kBlocks, &committed_, &catalog),
        summaries_(run, Family::kSummaries, &committed_, &catalog) {}

  void Check(const Generation& generation) {
    for (const auto& [id, rows] : generation.runs) {
      const auto found = catalog_.runs().find(id);
      if (found == catalog_.runs().end()) continue;  // deleted since
      for (const auto& [schema, names] : found->second.schemas) {
        if (!run_->cancelled().ok()) return;
        CheckSchema(
            {generation.id, id, schema, static_cast<uint32_t>(names.size())});
      }
    }
  }

  void Finish() {
    axis_.Finish();
    blocks_.Finish();
    summaries_.Finish();
    if (run_->cancelled().ok()) CheckCounts();
  }

 private:
  // Summaries of a tile, by metric and strip.
  using Stored = std::vector<std::vector<StripSummary>>;
  struct Rows {
    uint64_t rows = 0;
    uint64_t end = 0;
  };
  struct Found {
    bool damaged = false;
    absl::btree_map<WorkerId, Rows> rows;
    absl::btree_map<WorkerId, uint64_t> values;
  };

  static Committed ById(const std::vector<Generation>& generations) {
    Committed committed;
    for (const Generation& g : generations) committed[g.id] = &g;
    return committed;
  }

  void CheckSchema(const Place& at) {
    const std::string prefix = SchemaPrefix(at.generation, at.run, at.schema);
    Found& found = found_[{at.run, at.schema}];
    blocks_.damaged.clear();
    summaries_.damaged.clear();
    for (const uint32_t number : WorkerBlocks(prefix)) {
      const std::string key = AxisKey(at.generation, at.run, at.schema, number);
      absl::StatusOr<AxisBlock> axis = ReadAxis(key);
      if (!axis.ok()) {
        run_->Problem(Family::kAxis, key, axis.status().message());
        found.damaged = true;
        blocks_.damaged = summaries_.damaged = prefix;
        continue;
      }
      for (const Strip& strip : axis->strips()) {
        Rows& rows = found.rows[strip.worker];
        rows.rows += strip.rows;
        rows.end = std::max(rows.end, strip.first_row + strip.rows);
      }
      for (uint32_t first = 0; first < at.metrics;
           first += axis->metrics_per_tile()) {
        if (!run_->cancelled().ok()) return;
        CheckTile(at, *axis, number, first, &found);
      }
      CheckTimes(at, *axis, number, &found);
    }
  }

  // The worker blocks that axes, or (where these cannot be listed) blocks name.
  absl::btree_set<uint32_t> WorkerBlocks(const std::string& prefix) {
    absl::btree_set<uint32_t> numbers;
    const auto list = [&](Family family, const std::string& from) {
      auto it = run_->Iterate(family);
      for (it->Seek(from); it->Valid() && it->key().starts_with(from);
           it->Next()) {
        ByteReader in(ToView(it->key()).substr(from.size()));
        const auto number = in.BigEndian<uint32_t>();
        if (in.done()) numbers.insert(number);
      }
      return it->status().ok();
    };
    if (!list(Family::kAxis, prefix)) {
      list(Family::kBlocks, prefix + std::string(4, '\0'));
    }
    return numbers;
  }

  absl::StatusOr<AxisBlock> ReadAxis(const std::string& key) {
    const absl::StatusOr<absl::string_view> bytes = axis_.At(key);
    if (!bytes.ok()) return bytes.status();
    absl::StatusOr<AxisBlock> axis = AxisBlock::Parse(std::string(*bytes));
    if (!axis.ok()) return axis.status();
    std::vector<int64_t> column;
    for (size_t s = 0; s < axis->strips().size(); ++s) {
      const Strip& strip = axis->strips()[s];
      if (!strip.has_step) continue;
      if (absl::Status r = axis->ReadSteps(s, &column); !r.ok()) return r;
      if (absl::Status r = Within("step", column, strip.min_step,
                                  strip.max_step, strip.steps_ascend);
          !r.ok()) {
        return r;
      }
    }
    // Those that are apart lie behind the blocks and are checked after them.
    if (axis->times_apart()) return axis;
    if (absl::Status s = TimesWithin(*axis, ""); !s.ok()) return s;
    return axis;
  }

  void CheckTimes(const Place& at, const AxisBlock& axis, uint32_t number,
                  Found* found) {
    if (!axis.times_apart()) return;
    const std::string key = TimesKey(at.generation, at.run, at.schema, number);
    const absl::StatusOr<absl::string_view> bytes = blocks_.At(key);
    absl::Status s = bytes.status();
    if (s.ok()) {
      const auto columns = axis.CheckTimes(*bytes);
      s = columns.ok() ? TimesWithin(axis, *columns) : columns.status();
    }
    if (s.ok()) return;
    found->damaged = true;
    run_->Problem(Family::kBlocks, key, absl::StrCat("times: ", s.message()));
  }

  static absl::Status TimesWithin(const AxisBlock& axis,
                                  absl::string_view columns) {
    std::vector<int64_t> column;
    for (size_t s = 0; s < axis.strips().size(); ++s) {
      const Strip& strip = axis.strips()[s];
      if (absl::Status r = axis.ReadTimes(s, columns, &column); !r.ok()) {
        return r;
      }
      if (absl::Status r = Within("time", column, strip.min_time_ns,
                                  strip.max_time_ns, strip.times_ascend);
          !r.ok()) {
        return r;
      }
    }
    return absl::OkStatus();
  }

  static absl::Status Within(absl::string_view what,
                             const std::vector<int64_t>& column, int64_t min,
                             int64_t max, bool ascends) {
    const auto [lo, hi] = std::minmax_element(column.begin(), column.end());
    if (!column.empty() && (*lo != min || *hi != max)) {
      return absl::DataLossError(absl::StrCat(what, "s are ", *lo, " to ", *hi,
                                              ", it says ", min, " to ", max));
    }
    if (ascends && !std::is_sorted(column.begin(), column.end())) {
      return absl::DataLossError(
          absl::StrCat(what, "s do not ascend, it says that they do"));
    }
    return absl::OkStatus();
  }

  // One block and its summaries, which have the same key.
  void CheckTile(const Place& at, const AxisBlock& axis, uint32_t number,
                 uint32_t first, Found* found) {
    const std::string key =
        TileKey(at.generation, at.run, at.schema, number, first);
    const uint32_t metrics =
        std::min(axis.metrics_per_tile(), at.metrics - first);
    absl::StatusOr<SummaryBlock> summaries = absl::NotFoundError("");
    Stored stored(metrics);
    if (HasSummaries(axis.strips())) {
      const absl::StatusOr<absl::string_view> bytes = summaries_.At(key);
      summaries = bytes.ok() ? SummaryBlock::Parse(std::string(*bytes))
                             : bytes.status();
      absl::Status s = summaries.status();
      if (s.ok()) s = ReadSummaries(*summaries, axis, &stored);
      if (!s.ok()) run_->Problem(Family::kSummaries, key, s.message());
    }
    // The walk goes forward, and a block lies before its spans.
    const absl::StatusOr<absl::string_view> bytes = blocks_.At(key);
    const std::string block(bytes.ok() ? *bytes : "");
    const std::string spans_key =
        SpansKey(at.generation, at.run, at.schema, number, first);
    if (HasSummaries(axis.strips()) && !summaries.ok()) {
      // Nobody knows whether there are some; they are passed over.
      blocks_.At(spans_key).status().IgnoreError();
    } else if (summaries.ok() && summaries->spans_apart()) {
      if (absl::Status s = ReadSpans(spans_key, *summaries, &stored); !s.ok()) {
        run_->Problem(Family::kBlocks, spans_key,
                      absl::StrCat("spans: ", s.message()));
      }
    }
    const absl::Status s =
        bytes.ok() ? CheckBlock(key, axis, metrics, block, stored, found)
                   : bytes.status();
    if (s.ok()) return;
    found->damaged = true;
    run_->Problem(Family::kBlocks, key, s.message());
  }

  // Of each metric of the tile; left empty where they cannot be read.
  static absl::Status ReadSummaries(const SummaryBlock& block,
                                    const AxisBlock& axis, Stored* stored) {
    if (block.metric_count() != stored->size()) {
      return absl::DataLossError(absl::StrCat(
          block.metric_count(), " metrics, its axis says ", stored->size()));
    }
    for (uint32_t m = 0; m < stored->size(); ++m) {
      absl::StatusOr<std::vector<StripSummary>> strips = block.Read(m);
      if (!strips.ok()) return strips.status();
      if (strips->size() != axis.strips().size()) {
        return absl::DataLossError(absl::StrCat(
            strips->size(), " strips, its axis has ", axis.strips().size()));
      }
      (*stored)[m] = *std::move(strips);
    }
    return absl::OkStatus();
  }

  absl::Status ReadSpans(const std::string& key, const SummaryBlock& block,
                         Stored* stored) {
    const absl::StatusOr<absl::string_view> bytes = blocks_.At(key);
    if (!bytes.ok()) return bytes.status();
    const absl::StatusOr<absl::string_view> spans = block.CheckSpans(*bytes);
    if (!spans.ok()) return spans.status();
    for (uint32_t m = 0; m < stored->size(); ++m) {
      if ((*stored)[m].empty()) continue;
      if (absl::Status s = block.ReadSpans(m, *spans, &(*stored)[m]); !s.ok()) {
        return s;
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckBlock(const std::string& key, const AxisBlock& axis,
                          uint32_t metrics, std::string bytes,
                          const Stored& stored, Found* found) {
    ++run_->report().blocks;
    absl::StatusOr<Block> block = Block::Parse(std::move(bytes));
    if (!block.ok()) return block.status();
    const std::vector<Strip>& strips = axis.strips();
    if (block->metric_count() != metrics ||
        block->strip_count() != strips.size()) {
      return absl::DataLossError(absl::StrCat(
          block->metric_count(), " metrics x ", block->strip_count(),
          " strips, its axis says ", metrics, " x ", strips.size()));
    }
    ChunkValues chunk;
    for (uint32_t m = 0; m < metrics; ++m) {
      const char* wrong = nullptr;
      for (uint32_t s = 0; s < strips.size(); ++s) {
        if (absl::Status r = block->Read(m, s, strips[s].rows, &chunk);
            !r.ok()) {
          return absl::DataLossError(
              absl::StrCat("metric ", m, ", strip ", s, ": ", r.message()));
        }
        run_->report().values += chunk.values.size();
        found->values[strips[s].worker] += chunk.values.size();
        if (stored[m].empty() || !stored[m][s].known || wrong != nullptr) {
          continue;
        }
        wrong = Disagreement(stored[m][s], Summarize(chunk));
        if (wrong == nullptr) continue;
        run_->Problem(Family::kSummaries, key,
                      absl::StrCat("metric ", m, ", strip ", s, ": its ", wrong,
                                   " and the values disagree"));
      }
    }
    return absl::OkStatus();
  }

  // Sealed rows and values against the catalog, where nothing was damaged.
  void CheckCounts() {
    for (const auto& [id, entry] : catalog_.runs()) {
      if (deleted_.contains(id)) continue;
      for (const auto& [place, count] : entry.counts) {
        const auto& [schema, worker] = place;
        const auto it = found_.find({id, schema});
        const Found none;
        const Found& found = it == found_.end() ? none : it->second;
        if (found.damaged) continue;
        const auto rows = found.rows.find(worker);
        const auto values = found.values.find(worker);
        const Rows got = rows == found.rows.end() ? Rows() : rows->second;
        const uint64_t got_values =
            values == found.values.end() ? 0 : values->second;
        if (got.rows == count.rows && got.end == count.rows &&
            got_values == count.values) {
          continue;
        }
        run_->Problem(
            Family::kCatalog, RowCountKey(id, schema, worker),
            absl::StrCat(count.rows, " rows with ", count.values,
                         " values, generations hold ", got.rows, " (up to row ",
                         got.end, ") with ", got_values));
      }
    }
  }

  const CatalogCheck& catalog_;
  const absl::btree_set<RunId>& deleted_;
  VerifyRun* const run_;
  const Committed committed_;
  GenerationWalk axis_;
  GenerationWalk blocks_;
  GenerationWalk summaries_;
  absl::btree_map<std::pair<RunId, SchemaId>, Found> found_;
};

}  // namespace

void CheckGenerations(const std::vector<Generation>& generations,
                      const CatalogCheck& catalog,
                      const absl::btree_set<RunId>& deleted, VerifyRun* run) {
  Checker checker(generations, catalog, deleted, run);
  for (const Generation& generation : generations) {
    if (!run->cancelled().ok()) return;
    checker.Check(generation);
  }
  checker.Finish();
}

}  // namespace waterflow::storage

// Searching runs: the index follows the catalog and the values, then a search
// looks at nothing but the index.
//
// No lock is held while values are read from heads and disk: a search that
// waits for many of them, the first one after a start, holds up only searches
// that need values too.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/query/accumulator.h"

namespace waterflow::storage {
namespace {

// Runs that are looked at under one hold of a lock.
constexpr size_t kStretch = 1024;

// The values of all workers as one. What is not finite is left out; where
// nothing is finite, the infinity that all agree on, or NaN.
class ReducedValue {
 public:
  void Add(double value) {
    if (std::isfinite(value)) {
      finite_ = true;
    } else if (!other_.has_value() || *other_ == value) {
      other_ = value;
    } else {
      other_ = std::numeric_limits<double>::quiet_NaN();
    }
    values_.Add(0, value, 0);
    empty_ = false;
  }
  std::optional<double> Finish(Reduction reduction) const {
    if (empty_) return std::nullopt;
    if (!finite_) return other_;
    return values_.Finish(reduction).value;
  }

 private:
  BucketAccumulator values_;
  std::optional<double> other_;
  bool finite_ = false;
  bool empty_ = true;
};

bool Asks(const SearchQuery& query, Attribute attribute) {
  return std::any_of(
      query.fields.begin(), query.fields.end(),
      [attribute](const Field& field) { return field.attribute == attribute; });
}

absl::Status CheckSearchSpec(const SearchSpec& spec) {
  if (spec.page_size > kMaxPageSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size ", spec.page_size, ": at most ", kMaxPageSize));
  }
  if (spec.projects.size() > kMaxSearchProjects) {
    return absl::InvalidArgumentError(
        absl::StrCat("projects: has ", spec.projects.size(), " names, at most ",
                     kMaxSearchProjects));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SearchPage> EngineCore::SearchRuns(const SearchSpec& spec) {
  if (absl::Status s = CheckSearchSpec(spec); !s.ok()) return s;
  absl::StatusOr<SearchQuery> query = ParseSearch(spec.filter, spec.order_by);
  if (!query.ok()) return query.status();
  const uint64_t search = SearchHash(spec.projects, spec.filter, spec.order_by);
  std::optional<SearchPlace> after;
  if (!spec.page_token.empty()) {
    absl::StatusOr<SearchPlace> place =
        DecodePageToken(spec.page_token, search, *query);
    if (!place.ok()) return place.status();
    after = *std::move(place);
  }

  absl::flat_hash_set<ProjectId> named;
  const auto* const projects = spec.projects.empty() ? nullptr : &named;
  absl::flat_hash_map<ProjectId, std::string> project_names;
  {
    MutexLock lock(&mutex_);
    for (const std::string& name : spec.projects) {
      const absl::StatusOr<ProjectId> id = catalog_.FindProject(name);
      if (!id.ok()) return id.status();
      named.insert(*id);
    }
    if (Asks(*query, Attribute::kProject)) {
      for (const ProjectId id : catalog_.ProjectsByName()) {
        project_names[id] = catalog_.ToProject(id).name;
      }
    }
  }

  absl::StatusOr<std::vector<RunIndex::Column>> columns =
      ReadColumns(*query, projects, spec.cancelled);
  if (!columns.ok()) return columns.status();

  MutexLock lock(&index_mutex_);
  FollowCatalog();
  RunSearch::Source source{.index = index_,
                           .query = *query,
                           .columns = *columns,
                           .project_names = std::move(project_names),
                           .lost_rows = {}};
  if (Asks(*query, Attribute::kStatus)) source.lost_rows = LostRows();
  const RunSearch runs(source);
  const absl::StatusOr<RunSearch::Page> found =
      runs.Find(projects, after,
                spec.page_size == 0 ? kDefaultSearchPageSize : spec.page_size,
                spec.cancelled);
  if (!found.ok()) return found.status();
  SearchPage page;
  page.runs = ToFoundRuns(found->rows, *query, *columns);
  if (found->more) {
    page.next_page_token =
        EncodePageToken(runs.PlaceOf(found->rows.back()), search);
  }
  columns->clear();
  index_.Trim();
  return page;
}

std::vector<FoundRun> EngineCore::ToFoundRuns(
    const std::vector<uint32_t>& rows, const SearchQuery& query,
    const std::vector<RunIndex::Column>& columns) {
  std::vector<FoundRun> found;
  MutexLock lock(&mutex_);
  for (const uint32_t row : rows) {
    const RunState* const state = catalog_.FindRun(index_.rows()[row].run);
    if (state == nullptr) continue;  // deleted just now
    FoundRun& run = found.emplace_back();
    run.run = ToRun(*state);
    for (uint32_t i = 0; i < query.fields.size(); ++i) {
      if (columns[i].metric == nullptr) continue;
      const FieldValue value = columns[i].metric->Get(row);
      if (value.missing()) continue;
      run.metrics.emplace_back(query.fields[i].key, value.number);
    }
  }
  return found;
}

void EngineCore::FollowCatalog() {
  // Rows before the catalog: a run that has rows is in the catalog by then.
  const std::vector<RunId> with_new_rows = state_.TakeRunsWithNewRows();
  // With all that was forked from them.
  std::vector<RunId> read_anew;
  const auto note = [&](RunId run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    read_anew.assign(1, run);
    while (!read_anew.empty()) {
      const RunState* const state = catalog_.FindRun(read_anew.back());
      read_anew.pop_back();
      if (state == nullptr) continue;
      index_.ValuesChanged(state->id);
      read_anew.insert(read_anew.end(), state->forks.begin(),
                       state->forks.end());
    }
  };
  while (true) {
    MutexLock lock(&mutex_);
    const std::vector<Catalog::RunChange> changes =
        catalog_.TakeChangedRuns(kStretch);
    if (changes.empty()) break;
    for (const Catalog::RunChange& change : changes) {
      const RunState* const state = catalog_.FindRun(change.run);
      if (state == nullptr) {
        index_.Erase(change.run);
        continue;
      }
      index_.Put(*state);
      if (change.reading_changed) note(change.run);
    }
  }
  for (size_t begin = 0; begin < with_new_rows.size(); begin += kStretch) {
    MutexLock lock(&mutex_);
    const size_t end = std::min(begin + kStretch, with_new_rows.size());
    for (size_t i = begin; i < end; ++i) note(with_new_rows[i]);
  }
}

std::vector<RunIndex::Column> EngineCore::TextColumns(
    const SearchQuery& query) {
  std::vector<Field> made;
  std::vector<RunIndex::Column> columns = index_.ColumnsOf(query.fields, &made);
  if (made.empty()) return columns;
  // What changes while this goes on is in the catalog's list of changes.
  const std::vector<RunIndex::Row>& rows = index_.rows();
  for (size_t begin = 0; begin < rows.size(); begin += kStretch) {
    MutexLock lock(&mutex_);
    const size_t end = std::min(begin + kStretch, rows.size());
    for (size_t i = begin; i < end; ++i) {
      const RunState* const state = catalog_.FindRun(rows[i].run);
      if (state != nullptr) index_.Fill(*state, made);
    }
  }
  return columns;
}

absl::StatusOr<std::vector<RunIndex::Column>> EngineCore::ReadColumns(
    const SearchQuery& query, const absl::flat_hash_set<ProjectId>* projects,
    const std::function<bool()>& cancelled) {
  const bool values =
      std::any_of(query.fields.begin(), query.fields.end(),
                  [](const Field& f) { return f.entity == Entity::kMetric; });
  if (!values) {
    MutexLock lock(&index_mutex_);
    FollowCatalog();
    return TextColumns(query);
  }
  MutexLock fill(&fill_mutex_);
  std::vector<RunIndex::Column> columns;
  std::vector<RunIndex::Unread> unread;
  std::vector<Uuid> ids;
  {
    MutexLock lock(&index_mutex_);
    FollowCatalog();
    columns = TextColumns(query);
    unread = index_.UnreadValues(columns, projects);
    for (const RunIndex::Unread& u : unread) {
      ids.push_back(index_.rows()[u.row].id);
    }
  }
  // Values of a stretch, as Unread::columns names them.
  std::vector<std::vector<std::optional<double>>> read;
  for (size_t begin = 0; begin < unread.size(); begin += kStretch) {
    const auto stretch = absl::MakeSpan(unread).subspan(begin, kStretch);
    read.assign(stretch.size(), {});
    const std::vector<bool> have = HaveAny(query, stretch);
    for (size_t i = 0; i < stretch.size(); ++i) {
      std::vector<std::string> metrics;
      for (const uint32_t column : stretch[i].columns) {
        metrics.push_back(query.fields[column].key);
      }
      read[i].resize(metrics.size());
      if (!have[i]) continue;
      if (cancelled != nullptr && cancelled()) {
        return absl::CancelledError("the client left");
      }
      const Uuid& id = ids[begin + i];
      absl::StatusOr<std::vector<std::optional<double>>> of_run =
          ReducedLastValues(id, metrics);
      if (absl::IsNotFound(of_run.status())) continue;  // deleted just now
      if (!of_run.ok()) {
        return absl::Status(
            of_run.status().code(),
            absl::StrCat("run ", id.ToHex(), ": ", of_run.status().message()));
      }
      read[i] = *std::move(of_run);
    }
    MutexLock lock(&index_mutex_);
    for (size_t i = 0; i < stretch.size(); ++i) {
      for (size_t c = 0; c < stretch[i].columns.size(); ++c) {
        index_.SetValue(stretch[i], columns[stretch[i].columns[c]].metric.get(),
                        read[i][c]);
      }
    }
  }
  return columns;
}

std::vector<bool> EngineCore::HaveAny(
    const SearchQuery& query, absl::Span<const RunIndex::Unread> unread) {
  std::vector<bool> have;
  have.reserve(unread.size());
  MutexLock lock(&mutex_);
  std::vector<std::optional<MetricId>> ids;
  for (const Field& field : query.fields) {
    ids.push_back(catalog_.FindMetric(field.key));
  }
  for (const RunIndex::Unread& u : unread) {
    const RunState* const state = catalog_.FindRun(u.run);
    bool any = false;
    if (state != nullptr) {
      for (const RunState* of : LineageStates(*state)) {
        for (const uint32_t column : u.columns) {
          any = any ||
                (ids[column].has_value() && of->places.contains(*ids[column]));
        }
      }
    }
    have.push_back(any);
  }
  return have;
}

absl::StatusOr<std::vector<std::optional<double>>>
EngineCore::ReducedLastValues(const Uuid& run,
                              const std::vector<std::string>& metrics) {
  std::vector<std::optional<double>> reduced(metrics.size());
  absl::StatusOr<Lineage> lineage = LineageOf(run, metrics, std::nullopt);
  if (!lineage.ok()) return lineage.status();
  if (lineage->metrics().empty()) return reduced;
  absl::StatusOr<std::vector<LastValue>> values =
      LineageReader(*lineage, database_.get(), &state_).ReadLastValues();
  if (!values.ok()) return values.status();
  for (const MetricView& metric : lineage->metrics()) {
    ReducedValue value;
    for (const LastValue& last : *values) {
      if (last.metric == metric.name) value.Add(last.value);
    }
    const auto at = std::find(metrics.begin(), metrics.end(), metric.name);
    reduced[at - metrics.begin()] = value.Finish(metric.reduction);
  }
  return reduced;
}

absl::flat_hash_set<uint32_t> EngineCore::LostRows() {
  absl::flat_hash_set<uint32_t> lost;
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  std::vector<uint32_t> rows;
  std::vector<RunId> runs;
  const auto look = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(index_mutex_) {
    const std::vector<int64_t> seen = state_.LastSeen(runs);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (IsSilent(seen[i], index_.rows()[rows[i]].updated_ns, now_ns)) {
        lost.insert(rows[i]);
      }
    }
    rows.clear();
    runs.clear();
  };
  for (uint32_t i = 0; i < index_.rows().size(); ++i) {
    const RunIndex::Row& row = index_.rows()[i];
    if (row.status != RunStatus::kRunning) continue;
    rows.push_back(i);
    runs.push_back(row.run);
    if (rows.size() == kStretch) look();
  }
  look();
  return lost;
}

}  // namespace waterflow::storage

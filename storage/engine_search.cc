// Searching runs: the index follows the catalog and the values, then a search
// looks at nothing but the index.
//
// No lock is held while values are read from heads and disk: a search that
// waits for many of them, the first one after a start, holds up only searches
// that need values too.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

// Runs that are looked at under one hold of a lock.
constexpr size_t kStretch = 1024;

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
  SearchPage page;
  absl::StatusOr<std::string> next = FindPage(
      spec, [&](const std::vector<uint32_t>& rows, const SearchQuery& query,
                const std::vector<RunIndex::Column>& columns)
                ABSL_NO_THREAD_SAFETY_ANALYSIS {
                  page.runs = ToFoundRuns(rows, query, columns);
                });
  if (!next.ok()) return next.status();
  page.next_page_token = *std::move(next);
  return page;
}

absl::StatusOr<std::string> EngineCore::FindPage(const SearchSpec& spec,
                                                 const PageTaker& take) {
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
  take(found->rows, *query, *columns);
  std::string next;
  if (found->more) {
    next = EncodePageToken(runs.PlaceOf(found->rows.back()), search);
  }
  columns->clear();
  index_.Trim();
  return next;
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
      const Field& field = query.fields[i];
      const bool plain = field.statistic == Statistic::kLast &&
                         field.reduction == Reduction::kDefault;
      run.metrics.emplace_back(plain ? field.key : ToString(field),
                               value.number);
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
  std::vector<WantedValues> wanted;
  for (size_t begin = 0; begin < unread.size(); begin += kStretch) {
    const auto stretch = absl::MakeSpan(unread).subspan(begin, kStretch);
    wanted.clear();
    for (size_t i = 0; i < stretch.size(); ++i) {
      wanted.push_back({.run = stretch[i].run,
                        .id = ids[begin + i],
                        .fields = stretch[i].columns});
    }
    const absl::StatusOr<std::vector<Values>> read =
        ReadValues(query.fields, wanted, cancelled);
    if (!read.ok()) return read.status();
    MutexLock lock(&index_mutex_);
    for (size_t i = 0; i < stretch.size(); ++i) {
      for (size_t c = 0; c < stretch[i].columns.size(); ++c) {
        index_.SetValue(stretch[i], columns[stretch[i].columns[c]].metric.get(),
                        (*read)[i][c]);
      }
    }
  }
  return columns;
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

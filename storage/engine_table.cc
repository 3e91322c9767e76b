// Tables of runs: a search finds the rows of a page, then their cells are read,
// some rows at a time, so that a table of any size holds no more than a part.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/engine_core.h"
#include "storage/model/limits.h"
#include "storage/query/check.h"

namespace waterflow::storage {
namespace {

// A part of about 256 KiB, and one with long texts of not much more than 1 MiB.
constexpr size_t kPartCells = 32768;
constexpr size_t kMaxPartRows = 1024;
constexpr size_t kPartTextBytes = 1u << 20;

absl::StatusOr<std::vector<Field>> ParseColumns(
    const std::vector<std::string>& columns) {
  if (absl::Status s =
          CheckCount("columns", columns.size(), 0, kMaxTableColumns);
      !s.ok()) {
    return s;
  }
  std::vector<Field> fields;
  for (size_t i = 0; i < columns.size(); ++i) {
    absl::StatusOr<Field> field = ParseColumn(columns[i]);
    if (!field.ok()) {
      return absl::Status(
          field.status().code(),
          absl::StrCat("columns[", i, "]: ", field.status().message()));
    }
    fields.push_back(*std::move(field));
  }
  return fields;
}

const std::string* Find(const Tags& tags, const std::string& key) {
  const auto it = tags.find(key);
  return it == tags.end() ? nullptr : &it->second;
}

void AddText(const std::string* text, TableColumn* column, size_t* bytes) {
  column->texts.push_back(text == nullptr ? "" : *text);
  column->has_value.push_back(text != nullptr);
  *bytes += column->texts.back().size();
}

void AddTime(std::optional<int64_t> ns, TableColumn* column) {
  column->times_ns.push_back(ns.value_or(0));
  column->has_value.push_back(ns.has_value());
}

}  // namespace

absl::StatusOr<std::string> EngineCore::RunTable(const RunTableSpec& spec,
                                                 const TableSink& sink) {
  const absl::StatusOr<std::vector<Field>> columns = ParseColumns(spec.columns);
  if (!columns.ok()) return columns.status();
  std::vector<TableRow> rows;
  const PageTaker take =
      [&](const std::vector<uint32_t>& found, const SearchQuery& query,
          const std::vector<RunIndex::Column>& searched)
          ABSL_NO_THREAD_SAFETY_ANALYSIS {
            // What the search looked at is shown as it was then, so that the
            // rows stand in the order that the table shows.
            std::vector<const MetricColumn*> known(columns->size());
            for (size_t c = 0; c < columns->size(); ++c) {
              const auto field = std::find(query.fields.begin(),
                                           query.fields.end(), (*columns)[c]);
              if (field == query.fields.end()) continue;
              known[c] = searched[field - query.fields.begin()].metric.get();
            }
            for (const uint32_t row : found) {
              const RunIndex::Row& run = index_.rows()[row];
              TableRow& to = rows.emplace_back(
                  TableRow{.run = run.run, .id = run.id, .known = {}});
              for (const MetricColumn* column : known) {
                std::optional<double>& value = to.known.emplace_back();
                if (column == nullptr) continue;
                const FieldValue cell = column->Get(row);
                if (!cell.missing()) value = cell.number;
              }
            }
          };
  absl::StatusOr<std::string> next = FindPage({.projects = spec.projects,
                                               .filter = spec.filter,
                                               .order_by = spec.order_by,
                                               .page_size = spec.page_size,
                                               .page_token = spec.page_token,
                                               .cancelled = spec.cancelled},
                                              take);
  if (!next.ok()) return next;
  absl::Status sent = SendTable(spec, *columns, std::move(rows), sink);
  if (!sent.ok()) return sent;
  return next;
}

absl::Status EngineCore::SendTable(const RunTableSpec& spec,
                                   const std::vector<Field>& columns,
                                   std::vector<TableRow> rows,
                                   const TableSink& sink) {
  const size_t part_rows =
      std::clamp(kPartCells / std::max<size_t>(columns.size(), 1), size_t{1},
                 kMaxPartRows);
  for (size_t begin = 0; begin < rows.size(); begin += part_rows) {
    const size_t end = std::min(rows.size(), begin + part_rows);
    std::vector<WantedValues> wanted;
    for (size_t r = begin; r < end; ++r) {
      WantedValues& run = wanted.emplace_back(
          WantedValues{.run = rows[r].run, .id = rows[r].id, .fields = {}});
      for (uint32_t c = 0; c < columns.size(); ++c) {
        if (columns[c].entity == Entity::kMetric &&
            !rows[r].known[c].has_value()) {
          run.fields.push_back(c);
        }
      }
    }
    absl::StatusOr<std::vector<Values>> read =
        ReadValues(columns, wanted, spec.cancelled);
    if (!read.ok()) return read.status();
    for (size_t r = begin; r < end; ++r) {
      const WantedValues& run = wanted[r - begin];
      for (size_t f = 0; f < run.fields.size(); ++f) {
        rows[r].known[run.fields[f]] = (*read)[r - begin][f];
      }
    }
    for (size_t r = begin; r < end;) {
      RunTablePart part;
      part.columns.resize(columns.size());
      {
        MutexLock lock(&mutex_);
        size_t text_bytes = 0;
        while (r < end && text_bytes < kPartTextBytes) {
          FillRow(rows[r++], columns, &part, &text_bytes);
        }
      }
      if (part.runs.empty()) continue;  // all were deleted
      if (absl::Status s = sink(std::move(part)); !s.ok()) return s;
    }
  }
  return absl::OkStatus();
}

void EngineCore::FillRow(const TableRow& row, const std::vector<Field>& columns,
                         RunTablePart* part, size_t* text_bytes) {
  const RunState* const state = catalog_.FindRun(row.run);
  if (state == nullptr) return;  // deleted just now
  const RunValue& run = state->value;
  part->runs.push_back(row.id);
  for (size_t c = 0; c < columns.size(); ++c) {
    TableColumn* const column = &part->columns[c];
    switch (columns[c].entity) {
      case Entity::kMetric:
        column->numbers.push_back(row.known[c].value_or(0));
        column->has_value.push_back(row.known[c].has_value());
        break;
      case Entity::kParam:
        AddText(Find(run.params, columns[c].key), column, text_bytes);
        break;
      case Entity::kTag:
        AddText(Find(run.tags, columns[c].key), column, text_bytes);
        break;
      case Entity::kAttribute:
        AddAttribute(*state, columns[c].attribute, column, text_bytes);
        break;
    }
  }
}

void EngineCore::AddAttribute(const RunState& state, Attribute attribute,
                              TableColumn* column, size_t* text_bytes) {
  const RunValue& run = state.value;
  std::string text;
  switch (attribute) {
    case Attribute::kStartTime:
      AddTime(run.start_ns != 0 ? run.start_ns : run.created_ns, column);
      return;
    case Attribute::kEndTime:
      AddTime(run.end_ns == 0 ? std::nullopt : std::optional(run.end_ns),
              column);
      return;
    case Attribute::kCreatedTime:
      AddTime(run.created_ns, column);
      return;
    case Attribute::kRunId:
      text = run.id.ToHex();
      break;
    case Attribute::kName:
      text = run.name;
      break;
    case Attribute::kStatus:
      text = std::string(StatusName(StatusOf(state)));
      break;
    case Attribute::kProject:
      text = catalog_.ProjectName(run.project);
      break;
    case Attribute::kNone:
      break;
  }
  AddText(&text, column, text_bytes);
}

}  // namespace waterflow::storage

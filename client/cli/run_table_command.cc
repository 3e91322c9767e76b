// waterflow run table: runs side by side, a column for each thing asked.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/csv.h"
#include "client/cli/format.h"
#include "client/cli/table.h"

namespace waterflow::cli {
namespace {

struct Options {
  std::string project;
  std::string filter;
  std::vector<std::string> order_by;
  std::vector<std::string> columns;
  uint32_t limit = 0;  // 0: all
  std::string format = "table";
};

// The rows as text.
struct TextTable {
  std::vector<bool> numeric;  // by column
  std::vector<std::vector<std::string>> rows;
};

// `exact`: as programs read it.
std::string Cell(const v1::RunTableColumn& column, int row, bool exact) {
  if (column.has_value_size() > 0 && !column.has_value(row)) return "";
  if (column.numbers_size() > 0) {
    return exact ? ExactValue(column.numbers(row))
                 : ShortValue(column.numbers(row));
  }
  if (column.times_ns_size() > 0) {
    return exact ? absl::StrCat(column.times_ns(row))
                 : LocalTime(column.times_ns(row));
  }
  return column.texts(row);
}

void AddRows(const v1::RunTableResponse& part, bool exact, TextTable* table) {
  table->numeric.resize(part.columns_size());
  for (int c = 0; c < part.columns_size(); ++c) {
    table->numeric[c] = part.columns(c).numbers_size() > 0;
  }
  for (int r = 0; r < part.run_ids_size(); ++r) {
    std::vector<std::string>& row = table->rows.emplace_back();
    for (const v1::RunTableColumn& column : part.columns()) {
      row.push_back(Cell(column, r, exact));
    }
  }
}

absl::StatusOr<TextTable> ReadTable(Api& api, const Options& options) {
  constexpr uint32_t kPageSize = 10000;
  const bool exact = options.format == "csv";
  v1::RunTableRequest request;
  if (!options.project.empty()) request.add_projects(options.project);
  request.set_filter(options.filter);
  for (const std::string& order : options.order_by) {
    request.add_order_by(order);
  }
  for (const std::string& column : options.columns) {
    request.add_columns(column);
  }
  TextTable table;
  do {
    const auto found = static_cast<uint32_t>(table.rows.size());
    request.set_page_size(options.limit == 0
                              ? kPageSize
                              : std::min(kPageSize, options.limit - found));
    grpc::ClientContext context;
    auto call = api.query->RunTable(&context, request);
    request.clear_page_token();
    v1::RunTableResponse part;
    while (call->Read(&part)) {
      if (part.run_ids_size() > 0) AddRows(part, exact, &table);
      request.set_page_token(part.next_page_token());
    }
    if (absl::Status s = client::FromGrpc(call->Finish()); !s.ok()) return s;
  } while (!request.page_token().empty() &&
           (options.limit == 0 || table.rows.size() < options.limit));
  return table;
}

absl::Status Print(Api& api, const Options& options) {
  absl::StatusOr<TextTable> read = ReadTable(api, options);
  if (!read.ok()) return read.status();
  if (options.format == "csv") {
    PrintCsvRow(options.columns);
    for (const std::vector<std::string>& row : read->rows) PrintCsvRow(row);
    return absl::OkStatus();
  }
  if (read->rows.empty()) {
    std::cout << "no runs\n";
    return absl::OkStatus();
  }
  std::vector<std::string> headers;
  for (size_t c = 0; c < options.columns.size(); ++c) {
    headers.push_back(
        absl::StrCat(read->numeric[c] ? ">" : "", options.columns[c]));
  }
  Table table(std::move(headers));
  for (std::vector<std::string>& row : read->rows) {
    // Commands take the first digits for the whole.
    for (size_t c = 0; c < row.size(); ++c) {
      if (options.columns[c] == "run_id") row[c] = ShortId(row[c]);
    }
    table.Add(std::move(row));
  }
  table.Print(std::cout);
  return absl::OkStatus();
}

}  // namespace

void AddRunTableCommand(CLI::App& run, Session* session) {
  CLI::App* table = run.add_subcommand(
      "table", "Runs side by side: params, tags, and metrics as one number");
  table->footer(
      "Columns are fields as docs/search.md has them: params.KEY, tags.KEY, "
      "run_id, name, status,\nstart_time ...; metrics.KEY is the last value, "
      "and "
      "min(), max(), mean(), best() and\nat_best() say otherwise.\n"
      "Examples:\n"
      "  waterflow run table --column name --column params.lr --column "
      "'min(metrics.val/loss)'\n"
      "  waterflow run table --filter \"tags.team = 'a'\" --order-by "
      "'best(metrics.acc)' --limit 20 --column name --column "
      "'best(metrics.acc)' --column 'at_best(metrics.loss, metrics.acc)'\n"
      "  waterflow run table --project sweep --column params.lr --column "
      "params.seed --column 'max(metrics.loss, max)' --format csv");
  auto options = std::make_shared<Options>();
  table
      ->add_option("--column", options->columns,
                   "A field to show, such as 'min(metrics.loss)'; may be "
                   "repeated [run_id, name and status]")
      ->type_name("FIELD")
      ->allow_extra_args(false);
  table
      ->add_option("--project", options->project,
                   "Only the runs of this project")
      ->type_name("NAME");
  table
      ->add_option("--filter", options->filter,
                   "Only runs that match, as docs/search.md says")
      ->type_name("FILTER");
  table
      ->add_option("--order-by", options->order_by,
                   "Fields, each with ASC or DESC behind it, for example "
                   "'min(metrics.loss) DESC' [the later start first]")
      ->type_name("FIELD");
  table->add_option("--limit", options->limit, "At most so many; 0: all")
      ->type_name("N");
  table
      ->add_option("--format", options->format,
                   "csv: whole ids and exact values")
      ->type_name("")
      ->check(CLI::IsMember({"table", "csv"}))
      ->capture_default_str();
  table->callback([=] {
    if (options->columns.empty())
      options->columns = {"run_id", "name", "status"};
    session->action = [=](Api& api) { return Print(api, *options); };
  });
}

}  // namespace waterflow::cli

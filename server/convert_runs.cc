#include "server/convert_runs.h"

#include <algorithm>

namespace waterflow::server {

storage::RunTableSpec FromProto(const v1::RunTableRequest& request) {
  return {.projects = {request.projects().begin(), request.projects().end()},
          .filter = request.filter(),
          .order_by = {request.order_by().begin(), request.order_by().end()},
          .page_size = request.page_size(),
          .page_token = request.page_token(),
          .columns = {request.columns().begin(), request.columns().end()}};
}

void ToProto(const storage::RunTablePart& part, v1::RunTableResponse* out) {
  for (const storage::Uuid& run : part.runs) out->add_run_ids(run.ToHex());
  for (const storage::TableColumn& column : part.columns) {
    v1::RunTableColumn* const to = out->add_columns();
    to->mutable_numbers()->Add(column.numbers.begin(), column.numbers.end());
    to->mutable_times_ns()->Add(column.times_ns.begin(), column.times_ns.end());
    for (const std::string& text : column.texts) to->add_texts(text);
    const bool all = std::find(column.has_value.begin(), column.has_value.end(),
                               false) == column.has_value.end();
    if (!all) {
      to->mutable_has_value()->Add(column.has_value.begin(),
                                   column.has_value.end());
    }
  }
}

}  // namespace waterflow::server

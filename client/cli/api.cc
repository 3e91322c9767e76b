#include "client/cli/api.h"

#include <algorithm>
#include <utility>

#include "client/cpp/channel.h"

namespace waterflow::cli {

Api::Api(const std::string& target)
    : server(target),
      channel(client::MakeChannel(target)),
      tracking(v1::Tracking::NewStub(channel)),
      query(v1::Query::NewStub(channel)),
      admin(v1::Admin::NewStub(channel)),
      reader(channel) {}

absl::StatusOr<std::vector<v1::Run>> AllRuns(Api& api,
                                             const std::string& project) {
  std::vector<v1::Run> runs;
  v1::ListRunsRequest request;
  request.set_project(project);
  do {
    auto page = Call(*api.tracking, &v1::Tracking::Stub::ListRuns, request);
    if (!page.ok()) return page.status();
    for (v1::Run& run : *page->mutable_runs()) runs.push_back(std::move(run));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return runs;
}

absl::StatusOr<v1::ListMetricsResponse> AllMetrics(
    Api& api, v1::ListMetricsRequest request, uint32_t limit) {
  v1::ListMetricsResponse all;
  uint32_t count = 0;
  do {
    if (limit > 0) request.set_page_size(std::min(limit - count, 10000u));
    auto page = Call(*api.query, &v1::Query::Stub::ListMetrics, request);
    if (!page.ok()) return page.status();
    count += page->metrics_size() + page->folders_size();
    request.set_page_token(page->next_page_token());
    all.MergeFrom(*page);
  } while (!request.page_token().empty() && (limit == 0 || count < limit));
  all.set_next_page_token(request.page_token());
  return all;
}

absl::StatusOr<v1::ListMetricsResponse> AllMetrics(Api& api,
                                                   const std::string& run_id) {
  v1::ListMetricsRequest request;
  request.set_run_id(run_id);
  return AllMetrics(api, request);
}

}  // namespace waterflow::cli

#include "client/cli/api.h"

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

}  // namespace waterflow::cli

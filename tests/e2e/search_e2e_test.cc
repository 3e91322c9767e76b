// Tracking.SearchRuns through a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class SearchE2eTest : public ServerFixture {
 protected:
  std::string Create(const std::string& name, const std::string& lr,
                     double loss, const std::string& big_tag = "") {
    v1::CreateRunRequest create;
    create.set_name(name);
    create.set_project("lm");
    create.set_start_ns(++starts_);
    (*create.mutable_params())["lr"] = lr;
    if (!big_tag.empty()) (*create.mutable_tags())["big"] = big_tag;
    v1::CreateRunResponse created;
    grpc::ClientContext create_context;
    EXPECT_TRUE(tracking_->CreateRun(&create_context, create, &created).ok());
    for (uint32_t rank = 0; rank < 2; ++rank) {
      v1::WriteRequest write;
      write.set_run_id(created.run().id());
      write.mutable_worker()->set_rank(rank);
      v1::Point* const point = write.add_points();
      point->set_metric("loss");
      point->set_value(loss + rank);
      point->set_step(1);
      v1::WriteResponse written;
      grpc::ClientContext context;
      EXPECT_TRUE(ingest_->Write(&context, write, &written).ok());
    }
    return created.run().id();
  }
  grpc::Status Search(const v1::SearchRunsRequest& request,
                      v1::SearchRunsResponse* response) {
    grpc::ClientContext context;
    return tracking_->SearchRuns(&context, request, response);
  }
  static std::vector<std::string> Names(
      const v1::SearchRunsResponse& response) {
    std::vector<std::string> names;
    for (const v1::FoundRun& run : response.runs()) {
      names.push_back(run.run().name());
    }
    return names;
  }

  int64_t starts_ = 0;
};

TEST_F(SearchE2eTest, RunsAreFoundAndOrderedByWhatTheirWorkersLoggedLast) {
  Create("a", "1e-4", 0.5);
  Create("b", "1e-4", 0.25);
  Create("c", "1e-3", 0.125);
  v1::SearchRunsRequest request;
  request.add_projects("lm");
  request.set_filter("metrics.loss < 2 and params.lr = '1e-4'");
  request.add_order_by("metrics.loss ASC");
  v1::SearchRunsResponse response;
  grpc::Status status = Search(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(Names(response), ElementsAre("b", "a"));
  EXPECT_THAT(response.runs(0).metrics(), ElementsAre(Pair("loss", 0.75)));
  EXPECT_EQ(response.next_page_token(), "");

  Restart();
  request.set_page_size(1);
  ASSERT_TRUE(Search(request, &response).ok());
  EXPECT_THAT(Names(response), ElementsAre("b"));
  request.set_page_token(response.next_page_token());
  ASSERT_TRUE(Search(request, &response).ok());
  EXPECT_THAT(Names(response), ElementsAre("a"));
  EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(SearchE2eTest, BadInputIsInvalidAndNamesTheField) {
  Create("a", "1", 1);
  Create("b", "1", 1);
  v1::SearchRunsRequest good;
  good.set_filter("params.lr = '1'");
  good.set_page_size(1);
  v1::SearchRunsResponse response;
  ASSERT_TRUE(Search(good, &response).ok());
  const std::string token = response.next_page_token();
  ASSERT_NE(token, "");
  const auto error = [&](const v1::SearchRunsRequest& request) {
    const grpc::Status status = Search(request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  v1::SearchRunsRequest bad;
  bad.set_filter("metrics.loss < nan");
  EXPECT_THAT(error(bad), HasSubstr("filter: column 16: expected a number"));
  bad.set_filter(std::string(1 << 20, 'x'));
  EXPECT_THAT(error(bad), HasSubstr("filter: has 1048576 bytes"));
  bad.set_filter(std::string(10000, '('));
  EXPECT_THAT(error(bad), HasSubstr("filter: column 101: nested more than"));
  bad.clear_filter();
  bad.add_order_by("loss");
  EXPECT_THAT(error(bad), HasSubstr("order_by[0]: column 1: unknown"));
  bad.clear_order_by();
  bad.set_page_size(10001);
  EXPECT_THAT(error(bad), HasSubstr("page_size 10001"));
  bad.clear_page_size();
  bad.set_page_token(token);
  EXPECT_THAT(error(bad), HasSubstr("page_token: was given out for other"));
  bad.set_page_token("12");
  EXPECT_THAT(error(bad), HasSubstr("page_token \"12\""));
  bad.clear_page_token();
  bad.add_projects("nowhere");
  EXPECT_EQ(Search(bad, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(SearchE2eTest, APageOfLargeRunsIsCutAndTheNextOneGoesOn) {
  for (int i = 0; i < 12; ++i) {
    v1::CreateRunRequest create;
    create.set_name(absl::StrCat("r", i));
    create.set_start_ns(100 - i);
    for (int t = 0; t < 60; ++t) {
      (*create.mutable_tags())[absl::StrCat("t", t)] = std::string(8000, 'x');
    }
    v1::CreateRunResponse created;
    grpc::ClientContext context;
    ASSERT_TRUE(tracking_->CreateRun(&context, create, &created).ok());
  }
  v1::SearchRunsRequest request;
  v1::SearchRunsResponse response;
  std::vector<std::string> names;
  int pages = 0;
  do {
    const grpc::Status status = Search(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    for (const std::string& name : Names(response)) names.push_back(name);
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_GT(pages, 1);
  EXPECT_THAT(names, ElementsAre("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7",
                                 "r8", "r9", "r10", "r11"));
}

}  // namespace
}  // namespace waterflow::testing

// Query through a real server: selection, listing, derivations and Tail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QueryE2eTest : public ServerFixture {
 protected:
  void Log(const std::string& run, const std::string& metric, double value,
           int64_t step, uint32_t rank = 0) {
    v1::WriteRequest write;
    write.set_run_id(run);
    write.mutable_worker()->set_rank(rank);
    v1::Point* const point = write.add_points();
    point->set_metric(metric);
    point->set_value(value);
    point->set_step(step);
    v1::WriteResponse written;
    grpc::ClientContext context;
    const grpc::Status status = ingest_->Write(&context, write, &written);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  // A subscription; its call ends by itself when the test takes far too long.
  struct Subscription {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::TailResponse>> call;
    v1::TailResponse last;

    // Reads on until so many values of a metric came, in all.
    bool ReadUntil(const std::string& metric, size_t count) {
      while (values[metric].size() < count) {
        if (!call->Read(&last)) return false;
        for (const v1::TailPart& part : last.parts()) {
          auto& of = values[part.series().metric()];
          of.insert(of.end(), part.series().values().begin(),
                    part.series().values().end());
        }
      }
      return true;
    }
    std::map<std::string, std::vector<double>> values;
  };
  std::unique_ptr<Subscription> Follow(const v1::TailRequest& request) {
    auto subscription = std::make_unique<Subscription>();
    subscription->context.set_deadline(std::chrono::system_clock::now() +
                                       std::chrono::seconds(60));
    subscription->call = query_->Tail(&subscription->context, request);
    return subscription;
  }
  static v1::TailRequest TailOf(const std::string& run,
                                const std::string& glob) {
    v1::TailRequest request;
    request.add_run_ids(run);
    request.add_metric_globs(glob);
    return request;
  }
};

TEST_F(QueryE2eTest, PatternsFiltersAndRanksSelect) {
  const std::string run = CreateRun("a");
  for (uint32_t rank = 0; rank < 4; ++rank) {
    Log(run, "grad/x", rank, 1, rank);
    Log(run, "grad/y", rank, 1, rank);
    Log(run, "loss", rank, 1, rank);
  }
  v1::ReadRequest request;
  request.mutable_run_filter()->set_filter("name = 'a'");
  request.add_metric_globs("grad/*");
  request.add_metric_regexes("lo.s");
  v1::RankRange* const ranks = request.add_ranks();
  ranks->set_first(1);
  ranks->set_last(2);
  const Answer answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  std::vector<std::string> series;
  for (const v1::SeriesPart& part : answer.parts) {
    series.push_back(absl::StrCat(part.metric(), " ", part.worker().rank()));
  }
  EXPECT_THAT(series, ElementsAre("grad/x 1", "grad/x 2", "grad/y 1",
                                  "grad/y 2", "loss 1", "loss 2"));
}

TEST_F(QueryE2eTest, BadSelectionsAndDerivationsAreInvalidAndNameTheField) {
  const std::string run = CreateRun();
  Log(run, "m", 1, 1);
  const v1::ReadRequest good = ReadOf(run, "m");
  const auto error = [&](const v1::ReadRequest& request) {
    const Answer answer = Read(request);
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return answer.status.error_message();
  };
  v1::ReadRequest bad = good;
  bad.add_metric_regexes("a(b");
  EXPECT_EQ(error(bad), "metric_regexes[0] \"a(b\": missing ): a(b");
  bad = good;
  bad.add_metric_regexes(std::string(1 << 20, 'a'));
  EXPECT_THAT(error(bad), HasSubstr("metric_regexes[0]"));
  bad = good;
  bad.add_metric_globs("[");
  EXPECT_THAT(error(bad), HasSubstr("metric_globs[0] \"[\""));
  bad = good;
  bad.mutable_run_filter();
  EXPECT_THAT(error(bad), HasSubstr("beside a run_filter"));
  bad.clear_run_ids();
  bad.mutable_run_filter()->set_filter(std::string(10000, '('));
  EXPECT_THAT(error(bad), HasSubstr("run_filter.filter: column 101"));
  bad = good;
  bad.add_ranks()->set_first(2);
  bad.mutable_ranks(0)->set_last(1);
  EXPECT_THAT(error(bad), HasSubstr("ranks[0]: first 2 is after last 1"));
  bad = good;
  bad.add_derivations();
  EXPECT_THAT(error(bad), HasSubstr("derivations[0]: says none"));
  bad = good;
  bad.add_derivations()->mutable_ema()->set_weight(1.5);
  EXPECT_THAT(error(bad), HasSubstr("derivations[0].ema.weight 1.5"));
  bad = good;
  bad.add_derivations()->mutable_rate()->set_per(static_cast<v1::RateUnit>(9));
  EXPECT_THAT(error(bad), HasSubstr("derivations[0].rate.per: 9"));
}

TEST_F(QueryE2eTest, DerivationsComeInPlaceOfWhatWasLogged) {
  const std::string run = CreateRun();
  for (int step = 0; step < 4; ++step) {
    Log(run, "tokens", 10.0 * step * step, step);
    Log(run, "hours", 1.0 + step, step);
  }
  v1::ReadRequest request = ReadOf(run, "tokens");
  request.add_metrics("hours");
  v1::MetricPair* const ratio = request.add_derivations()->mutable_ratio();
  ratio->set_metric("tokens");
  ratio->set_other("hours");
  Answer answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.parts.size(), 1);
  EXPECT_EQ(answer.parts[0].metric(), "tokens / hours");
  EXPECT_THAT(answer.parts[0].values(), ElementsAre(0, 5, 40.0 / 3, 22.5));
  EXPECT_FALSE(answer.summary.exact());

  request = ReadOf(run, "tokens");
  request.set_reduction(v1::REDUCTION_SUM);
  request.add_derivations()->mutable_rate();
  answer = Read(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.parts.size(), 1);
  EXPECT_THAT(answer.parts[0].buckets().value(), ElementsAre(10, 30, 50));
}

TEST_F(QueryE2eTest, MetricsAreListedInPagesAndAsATree) {
  const std::string run = CreateRun();
  for (const char* name : {"train/loss", "train/lr", "loss", "a/b/c"}) {
    Log(run, name, 1, 1);
  }
  const auto list = [&](v1::ListMetricsRequest request) {
    request.set_run_id(run);
    std::vector<std::string> names;
    do {
      grpc::ClientContext context;
      v1::ListMetricsResponse page;
      const grpc::Status status = query_->ListMetrics(&context, request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const auto& f : page.folders()) {
        names.push_back(absl::StrCat(f.prefix(), " ", f.metrics()));
      }
      for (const auto& metric : page.metrics()) names.push_back(metric.name());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return names;
  };
  v1::ListMetricsRequest request;
  EXPECT_THAT(list(request),
              ElementsAre("a/b/c", "loss", "train/loss", "train/lr"));
  request.set_page_size(1);
  EXPECT_THAT(list(request),
              ElementsAre("a/b/c", "loss", "train/loss", "train/lr"));
  request.set_tree(true);
  EXPECT_THAT(list(request), ElementsAre("a/ 1", "loss", "train/ 2"));
  request.set_tree(false);
  request.set_fuzzy("tlo");
  EXPECT_THAT(list(request), ElementsAre("train/loss"));
  request.set_page_token("forged");
  grpc::ClientContext context;
  v1::ListMetricsResponse page;
  request.set_run_id(run);
  EXPECT_EQ(query_->ListMetrics(&context, request, &page).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(QueryE2eTest, ATailGivesWhatComesAndGoesOnWithItsToken) {
  const std::string run = CreateRun();
  Log(run, "m", 0, 0);
  Log(run, "m", 1, 1);
  v1::TailRequest request = TailOf(run, "*");
  request.set_last_rows(1);
  auto tail = Follow(request);
  ASSERT_TRUE(tail->ReadUntil("m", 1));
  EXPECT_THAT(tail->values["m"], ElementsAre(1));
  Log(run, "m", 2, 2);
  ASSERT_TRUE(tail->ReadUntil("m", 2));
  Log(run, "later", 7, 2);
  ASSERT_TRUE(tail->ReadUntil("later", 1));
  EXPECT_THAT(tail->values["m"], ElementsAre(1, 2));
  request.set_resume_token(tail->last.resume_token());
  tail->context.TryCancel();
  tail.reset();
  Log(run, "m", 3, 3);
  tail = Follow(request);
  ASSERT_TRUE(tail->ReadUntil("m", 1));
  EXPECT_THAT(tail->values["m"], ElementsAre(3));
  EXPECT_THAT(tail->values["later"], IsEmpty());
  ASSERT_TRUE(DeleteRun(run).ok());
  EXPECT_FALSE(tail->ReadUntil("m", 2));
  const grpc::Status ended = tail->call->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ended.error_message(), absl::StrCat("run ", run, " was deleted"));
}

TEST_F(QueryE2eTest, AStoppingServerEndsItsTailsAndTheyGoOnAtTheNextOne) {
  const std::string run = CreateRun();
  v1::TailRequest request = TailOf(run, "m");
  auto tail = Follow(request);
  ASSERT_TRUE(tail->call->Read(&tail->last));  // it has begun
  Log(run, "m", 1, 1);
  ASSERT_TRUE(tail->ReadUntil("m", 1));
  request.set_resume_token(tail->last.resume_token());
  Restart();
  EXPECT_FALSE(tail->ReadUntil("m", 2));
  EXPECT_EQ(tail->call->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  Log(run, "m", 2, 2);
  tail = Follow(request);
  ASSERT_TRUE(tail->ReadUntil("m", 1));
  EXPECT_THAT(tail->values["m"], ElementsAre(2));
}

TEST_F(QueryE2eTest, ATokenOfAnotherQuestionAndTooManyTailsAreRefused) {
  const std::string run = CreateRun();
  const std::string other = CreateRun();
  auto tail = Follow(TailOf(run, "m"));
  ASSERT_TRUE(tail->call->Read(&tail->last));
  v1::TailRequest request = TailOf(other, "m");
  request.set_resume_token(tail->last.resume_token());
  grpc::Status ended = Follow(request)->call->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ended.error_message(), HasSubstr("given out for other runs"));
  request.set_resume_token("no token");
  ended = Follow(request)->call->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ended.error_message(), HasSubstr("resume_token"));

  std::vector<std::unique_ptr<Subscription>> tails;
  for (int i = 1; i < 64; ++i) {
    tails.push_back(Follow(TailOf(run, "m")));
    ASSERT_TRUE(tails.back()->call->Read(&tails.back()->last)) << i;
  }
  ended = Follow(TailOf(run, "m"))->call->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(ended.error_message(), HasSubstr("64 are open"));
}

// While a stream floods the server, one subscription reads all the time and one
// not at all until the end: rows are acked all the while, and both get each
// point once.
TEST_F(QueryE2eTest, TailsKeepUpWithAFloodAndASlowReaderHoldsNobodyUp) {
  const std::string run = CreateRun();
  auto stream = OpenStream(OpenOf(run), {"m", "n"});
  auto quick = Follow(TailOf(run, "m"));
  auto slow = Follow(TailOf(run, "m"));
  ASSERT_TRUE(quick->call->Read(&quick->last));
  ASSERT_TRUE(slow->call->Read(&slow->last));
  constexpr uint64_t kBatch = 5000;
  constexpr uint64_t kRows = 400 * kBatch;
  bool quick_read = false;
  std::thread reader([&] { quick_read = quick->ReadUntil("m", kRows); });
  std::vector<double> values(kBatch);
  bool acked = true;
  for (uint64_t row = 0; row < kRows && acked; row += kBatch) {
    for (uint64_t i = 0; i < kBatch; ++i) {
      values[i] = static_cast<double>(row + i);
    }
    acked = SendAndAwaitAck(
        stream.get(),
        DenseBatch(0, row, {values, values}, static_cast<int64_t>(row)));
  }
  reader.join();
  ASSERT_TRUE(acked);
  ASSERT_TRUE(quick_read);
  ASSERT_TRUE(slow->ReadUntil("m", kRows));
  for (const auto& tail : {quick.get(), slow.get()}) {
    const std::vector<double>& got = tail->values["m"];
    ASSERT_EQ(got.size(), kRows);
    for (uint64_t row = 0; row < kRows; ++row) ASSERT_EQ(got[row], row);
  }
}

}  // namespace
}  // namespace waterflow::testing

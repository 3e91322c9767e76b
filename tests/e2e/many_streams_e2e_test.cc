// A thousand streams and more on one server: all are served, none waits for the
// others, and none costs a thread.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/many_streams.h"
#include "tests/e2e/server_fixture.h"

namespace waterflow::testing {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

int Threads() {
  std::ifstream status("/proc/self/status");
  std::string word;
  int threads = 0;
  while (status >> word) {
    if (word == "Threads:") status >> threads;
  }
  return threads;
}

class ManyStreamsE2eTest : public ServerFixture {
 protected:
  ManyStreamsOptions Streams(const std::string& run, size_t streams) {
    return {.address = server_->address(), .run_id = run, .streams = streams};
  }
  v1::SeriesPart ReadOfRank(const std::string& run, uint32_t rank) {
    v1::ReadRequest request = ReadOf(run, "metric/0");
    request.add_workers()->set_rank(rank);
    const Answer answer = Read(request);
    EXPECT_EQ(answer.parts.size(), 1u);
    return answer.parts.empty() ? v1::SeriesPart() : answer.parts[0];
  }
  uint64_t RowsOf(const std::string& run) {
    grpc::ClientContext context;
    v1::GetRunRequest request;
    request.set_run_id(run);
    v1::GetRunResponse response;
    EXPECT_TRUE(tracking_->GetRun(&context, request, &response).ok());
    return response.run().row_count();
  }
};

TEST_F(ManyStreamsE2eTest, RowsOfOneInstantAreAllAckedWithoutAThreadAStream) {
  const std::string run = CreateRun();
  constexpr size_t kStreams = 1000;
  ManyStreams streams(Streams(run, kStreams));
  const int threads = Threads();
  ASSERT_EQ(streams.OpenAll(), kStreams);
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    streams.SendAll();
    ASSERT_TRUE(streams.AwaitAcks(kLong));
  }
  // gRPC's own come and go.
  EXPECT_LT(Threads(), threads + 20);
  EXPECT_EQ(streams.TakeLatencies().size(), kRounds * kStreams);
  EXPECT_EQ(RowsOf(run), kRounds * kStreams);
}

TEST_F(ManyStreamsE2eTest, SlowStreamsAreServedBesideOneThatFloods) {
  const std::string run = CreateRun();
  constexpr size_t kStreams = 200;
  ManyStreams streams(Streams(run, kStreams));
  ASSERT_EQ(streams.OpenAll(), kStreams);
  // It floods until the slow ones are through, and does not mind its credit.
  const auto flood = OpenStream(OpenOf(run, 100'000, 'F'), {"flood"});
  std::atomic<bool> stop{false};
  std::thread flooder([&] {
    v1::Batch batch = DenseBatch(0, 0, {std::vector<double>(65536, 1.5)});
    for (uint64_t row = 0; !stop; row += 65536) {
      batch.set_first_row(row);
      if (!flood->SendBatch(batch)) return;
    }
  });
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    streams.SendAll();
    EXPECT_TRUE(streams.AwaitAcks(kLong));
  }
  stop = true;
  flooder.join();
  EXPECT_EQ(streams.TakeLatencies().size(), kRounds * kStreams);
}

TEST_F(ManyStreamsE2eTest,
       StormOfReconnectsAfterARestartLosesAndDoublesNothing) {
  const std::string run = CreateRun();
  constexpr size_t kStreams = 2000;
  {
    ManyStreams streams(Streams(run, kStreams));
    ASSERT_EQ(streams.OpenAll(), kStreams);
    streams.SendAll();
    ASSERT_TRUE(streams.AwaitAcks(kLong));
    // On their way when the server goes: acked or not, once or never.
    streams.SendAll();
    std::thread restart([&] { Restart(); });
    streams.AwaitAcks(kLong);
    restart.join();
  }
  ManyStreams again(Streams(run, kStreams));
  ASSERT_EQ(again.OpenAll(), kStreams);
  again.SendAll();
  EXPECT_TRUE(again.AwaitAcks(kLong));
  // Each goes on at the row that Opened told it, so each has a whole number of
  // rows from 0 on: two, or three if the one on its way had arrived.
  EXPECT_GE(RowsOf(run), 2 * kStreams);
  EXPECT_LE(RowsOf(run), 3 * kStreams);
  const v1::SeriesPart one = ReadOfRank(run, kStreams / 2);
  for (int i = 0; i < one.steps_size(); ++i) EXPECT_EQ(one.steps(i), i);
}

}  // namespace
}  // namespace waterflow::testing

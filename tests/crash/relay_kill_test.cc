// Workers, a relay and a server as processes of their own; server and relay are
// SIGKILLed again and again, or the server is away all the time: what the relay
// acked arrives at the server exactly once, in order and bit for bit, and
// nothing else does.
//
// WATERFLOW_CRASH_SECONDS says for how long each test goes on (default 6),
// WATERFLOW_CRASH_SEED repeats the choices of a run.
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <thread>

#include "tests/crash/stream_worker.h"
#include "tests/crash/tcp_proxy.h"
#include "tests/e2e/client_programs.h"
#include "tests/e2e/stream_client.h"
#include "tests/from_environment.h"
#include "waterflow/v1/admin.grpc.pb.h"

namespace waterflow::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kWorkers = 4;

class RelayFaults : public ::testing::Test {
 protected:
  RelayFaults()
      : seed_(storage::FromEnvironment("WATERFLOW_CRASH_SEED",
                                       std::random_device()())),
        random_(seed_) {
    // Small heads, so that kills hit seals too.
    setenv("WATERFLOW_MEMORY_LIMIT", "8M", 1);
    setenv("WATERFLOW_GATHER", "1ms", 1);
    server_.Start();
    to_server_ = std::make_unique<TcpProxy>(server_.port());
    relay_ = std::make_unique<cli::ServerProgram>(
        folder_ / "relay",
        std::vector<std::string>{"--relay", to_server_->address()});
    relay_->Start();
  }

  void LogDuring(const std::function<void()>& fault) {
    Crew crew(relay_->address(), kWorkers, seed_);
    const auto end =
        Clock::now() + std::chrono::seconds(storage::FromEnvironment(
                           "WATERFLOW_CRASH_SECONDS", 6));
    while (Clock::now() < end && !HasFailure()) fault();
    crew.Finish();
    if (!server_is_up_) StartServer();
    AwaitForwarded();
    crew.ExpectAllRowsOnce(server_.address());
    std::printf("%llu rows over %d calls, %d kills; once more: %s\n",
                static_cast<unsigned long long>(crew.rows()), crew.lives(),
                kills_,
                storage::ToRepeat("WATERFLOW_CRASH_SEED", seed_).c_str());
  }

  void KillServer() {
    server_.Kill();
    server_is_up_ = false;
    ++kills_;
  }
  void StartServer() {
    server_.Start(server_.port());
    server_is_up_ = true;
  }
  void KillRelay() {
    relay_->Kill();
    relay_->Start(relay_->port());
    ++kills_;
  }

  // Until the server has all that the relay took.
  void AwaitForwarded() {
    const auto admin = v1::Admin::NewStub(ConnectAlone(relay_->address()));
    const auto end = Clock::now() + std::chrono::seconds(30);
    v1::StatsResponse stats;
    do {
      ASSERT_LT(Clock::now(), end) << stats.DebugString();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      grpc::ClientContext context;
      ASSERT_TRUE(admin->Stats(&context, v1::StatsRequest(), &stats).ok());
    } while (stats.relay().waiting_bytes() > 0);
    EXPECT_EQ(stats.relay().rejected_batches(), 0u);
  }

  int Draw(int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random_);
  }
  void Sleep(int low_ms, int high_ms) {
    std::this_thread::sleep_for(
        std::chrono::milliseconds(Draw(low_ms, high_ms)));
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const cli::TemporaryFolder folder_;
  cli::ServerProgram server_{folder_ / "server"};
  std::unique_ptr<TcpProxy> to_server_;
  std::unique_ptr<cli::ServerProgram> relay_;
  bool server_is_up_ = true;
  int kills_ = 0;
};

TEST_F(RelayFaults, AServerThatIsKilledGetsEveryRowOnce) {
  LogDuring([this] {
    Sleep(50, 1200);
    KillServer();
    Sleep(0, 300);
    StartServer();
  });
}

TEST_F(RelayFaults, ARelayThatIsKilledHandsOnEveryAckedRowOnce) {
  LogDuring([this] {
    Sleep(50, 1200);
    KillRelay();
  });
}

TEST_F(RelayFaults, BothKilledAndTheirConnectionResetLoseAndDoubleNothing) {
  LogDuring([this] {
    Sleep(50, 600);
    switch (Draw(0, 3)) {
      case 0:
        return KillRelay();
      case 1:
        return to_server_->ResetAll();
      case 2:
        to_server_->SetStalled(true);
        Sleep(50, 500);
        return to_server_->SetStalled(false);
      default:
        KillServer();
        Sleep(0, 300);
        return StartServer();
    }
  });
}

TEST_F(RelayFaults, AServerThatWasAwayAllTheTimeGetsEverythingAfterwards) {
  bool killed = false;
  LogDuring([this, &killed] {
    if (!killed) KillServer();
    killed = true;
    Sleep(200, 1500);
    KillRelay();
  });
}

}  // namespace
}  // namespace waterflow::testing

// A real server under load, SIGKILLed each second or so, behind a network that
// resets, delays and stalls connections: what was acked is there exactly once,
// in order and bit for bit, and nothing else is.
//
// WATERFLOW_CRASH_SECONDS says for how long each test goes on (default 15),
// WATERFLOW_CRASH_SEED repeats the choices of a run.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <thread>

#include "tests/crash/stream_worker.h"
#include "tests/crash/tcp_proxy.h"
#include "tests/e2e/client_programs.h"
#include "tests/from_environment.h"

namespace waterflow::testing {
namespace {

constexpr uint32_t kWorkers = 6;

class Faults : public ::testing::Test {
 protected:
  Faults()
      : seed_(storage::FromEnvironment("WATERFLOW_CRASH_SEED",
                                       std::random_device()())),
        random_(seed_) {
    // Small heads, so that kills hit seals too.
    setenv("WATERFLOW_MEMORY_LIMIT", "8M", 1);
    setenv("WATERFLOW_GATHER", "1ms", 1);
    server_.Start();
  }

  // Lets workers log through a proxy while `fault` is called again and again,
  // and compares.
  void LogDuring(const std::function<void(TcpProxy*)>& fault) {
    using Clock = std::chrono::steady_clock;
    TcpProxy proxy(server_.port());
    Crew crew(proxy.address(), kWorkers, seed_);
    const auto end =
        Clock::now() + std::chrono::seconds(storage::FromEnvironment(
                           "WATERFLOW_CRASH_SECONDS", 10));
    while (Clock::now() < end && !HasFailure()) fault(&proxy);
    proxy.SetStalled(false);
    proxy.SetDelay(std::chrono::milliseconds(0));
    crew.Finish();
    crew.ExpectAllRowsOnce(server_.address());
    // And once more from a log that was just replayed.
    KillServer();
    crew.ExpectAllRowsOnce(server_.address());
    EXPECT_EQ(server_.Stop(), 0);
    std::printf(
        "%llu rows over %d calls, %llu connections, %llu of them reset, "
        "%d kills; once more: %s\n",
        static_cast<unsigned long long>(crew.rows()), crew.lives(),
        static_cast<unsigned long long>(proxy.connections()),
        static_cast<unsigned long long>(proxy.resets()), kills_,
        storage::ToRepeat("WATERFLOW_CRASH_SEED", seed_).c_str());
  }

  void KillServer() {
    server_.Kill();
    ++kills_;
    server_.Start(server_.port());
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
  int kills_ = 0;
};

TEST_F(Faults, AServerKilledEachSecondKeepsEveryAckedRowOnce) {
  LogDuring([this](TcpProxy*) {
    Sleep(50, 1500);
    KillServer();
  });
}

TEST_F(Faults, ResetConnectionsLoseAndDoubleNothing) {
  LogDuring([this](TcpProxy* proxy) {
    Sleep(20, 400);
    proxy->ResetAll();
  });
}

// What a client has given up on arrives all the same, beside its next
// connection or behind it.
TEST_F(Faults, BatchesThatArriveLateLoseAndDoubleNothing) {
  LogDuring([this](TcpProxy* proxy) {
    proxy->SetDelay(std::chrono::milliseconds(Draw(0, 1) * Draw(0, 100)));
    Sleep(50, 500);
    proxy->SetStalled(true);
    Sleep(100, 3000);
    proxy->SetStalled(false);
  });
}

TEST_F(Faults, AllOfItTogetherLosesAndDoublesNothing) {
  LogDuring([this](TcpProxy* proxy) {
    Sleep(50, 600);
    switch (Draw(0, 3)) {
      case 0:
        return KillServer();
      case 1:
        return proxy->ResetAll();
      case 2:
        return proxy->SetDelay(std::chrono::milliseconds(Draw(0, 50)));
      default:
        proxy->SetStalled(true);
        Sleep(100, 1500);
        return proxy->SetStalled(false);
    }
  });
}

}  // namespace
}  // namespace waterflow::testing

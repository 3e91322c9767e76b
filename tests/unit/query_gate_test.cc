// Who may read when: light and heavy queries at the gate.
#include "storage/query/query_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace waterflow::storage {
namespace {

constexpr uint64_t kHeavy = kHeavyQueryRows + 1;
const std::function<bool()> kNever;

TEST(QueryGateTest, HeavyOnesWaitForEachOtherAndLightOnesDoNot) {
  QueryGate gate(1, 1);
  QueryGate::Turn heavy(&gate, kHeavy, kNever);
  ASSERT_TRUE(heavy.Take().ok());
  QueryGate::Turn light(&gate, kHeavyQueryRows, kNever);
  EXPECT_TRUE(light.Take().ok());

  std::atomic<bool> asked = false;
  std::atomic<bool> taken = false;
  const std::function<bool()> note = [&asked] {
    asked = true;
    return false;
  };
  std::thread second([&] {
    QueryGate::Turn turn(&gate, kHeavy, note);
    EXPECT_TRUE(turn.Take().ok());
    taken = true;
  });
  while (!asked) std::this_thread::yield();
  EXPECT_FALSE(taken);
  heavy.GiveBack();
  second.join();
  EXPECT_TRUE(taken);
}

TEST(QueryGateTest, WhoGivesUpLeavesTheQueue) {
  QueryGate gate(1, 1);
  QueryGate::Turn first(&gate, kHeavy, kNever);
  ASSERT_TRUE(first.Take().ok());
  const std::function<bool()> at_once = [] { return true; };
  {
    QueryGate::Turn second(&gate, kHeavy, at_once);
    EXPECT_TRUE(absl::IsCancelled(second.Take()));
  }
  first.GiveBack();
  QueryGate::Turn third(&gate, kHeavy, at_once);
  EXPECT_TRUE(third.Take().ok());
}

TEST(QueryGateTest, WhoComesBackWaitsBehindTheOthers) {
  QueryGate gate(1, 1);
  std::vector<int> order;  // guarded by the one turn
  QueryGate::Turn first(&gate, kHeavy, kNever);
  ASSERT_TRUE(first.Take().ok());
  std::atomic<int> waiting = 0;
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&, i] {
      bool counted = false;
      const std::function<bool()> note = [&] {
        if (!counted) ++waiting;
        counted = true;
        return false;
      };
      QueryGate::Turn turn(&gate, kHeavy, note);
      EXPECT_TRUE(turn.Take().ok());
      order.push_back(i);
    });
    while (waiting <= i) std::this_thread::yield();
  }
  first.GiveBack();
  ASSERT_TRUE(first.Take().ok());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  for (std::thread& other : others) other.join();
}

}  // namespace
}  // namespace waterflow::storage

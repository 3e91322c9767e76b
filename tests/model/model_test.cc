// The engine against a naive one: random appends, resends, attempts, deletes,
// reads, restarts and power cuts, with heads so small that seals never stop.
//
//   model_test                              a minute or so
//   WATERFLOW_MODEL_SECONDS=3600 model_test an hour of it
//   WATERFLOW_MODEL_SEED=42 model_test      that life again, and only that one
//
// A failure prints its seed and the shortest list of operations that still
// fails.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "tests/from_environment.h"
#include "tests/model/player.h"
#include "tests/model/shrink.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage::model {
namespace {

constexpr size_t kOperations = 1500;

Player::Counts total;

std::string PlayOnce(uint64_t seed, const std::vector<Operation>& operations) {
  const TempDir dir;
  Player player(dir.path(), seed);
  std::string wrong = player.Play(operations);
  total.operations += player.counts().operations;
  total.rows += player.counts().rows;
  total.compares += player.counts().compares;
  total.restarts += player.counts().restarts;
  total.crashes += player.counts().crashes;
  total.seals += player.counts().seals;
  return wrong;
}

// A failure without its numbers and what comes before the first colon, so that
// shrinking does not end at another one.
std::string KindOf(const std::string& wrong) {
  std::string kind;
  for (const char c : wrong.substr(std::min(wrong.find(": "), wrong.size()))) {
    if (!absl::ascii_isxdigit(c)) kind += c;
  }
  return kind;
}

void ExpectLife(uint64_t seed) {
  // Where it is seen also when the process dies.
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(seed));
  const std::vector<Operation> all = RandomOperations(seed, kOperations);
  const std::string wrong = PlayOnce(seed, all);
  if (wrong.empty()) return;
  std::fprintf(stderr, "seed %llu: %s\nshrinking ...\n",
               static_cast<unsigned long long>(seed), wrong.c_str());
  std::string last = wrong;
  const std::vector<Operation> shortest = Shrink(
      all,
      [&](const std::vector<Operation>& some) {
        const std::string again = PlayOnce(seed, some);
        const bool same = !again.empty() && KindOf(again) == KindOf(wrong);
        if (same) last = again;
        return same;
      },
      absl::Seconds(60));
  ADD_FAILURE() << "seed " << seed << ": " << wrong << "\nshrunk to "
                << shortest.size() << " operations: " << last << "\n"
                << ToString(shortest);
}

TEST(Model, TheEngineAnswersAsTheNaiveOneDoes) {
  const uint64_t one = FromEnvironment("WATERFLOW_MODEL_SEED", 0);
  if (one != 0) {
    ExpectLife(one);
    return;
  }
  const absl::Time end =
      absl::Now() + absl::Seconds(static_cast<int64_t>(
                        FromEnvironment("WATERFLOW_MODEL_SECONDS", 60)));
  const uint64_t clock = static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  for (uint64_t life = 0; absl::Now() < end && !HasFailure(); ++life) {
    ExpectLife(life < 5 ? life + 1 : clock + life - 5);
  }
  std::printf(
      "%llu operations, %llu rows, %llu comparisons, %llu restarts, %llu power "
      "cuts, %llu seals\n",
      static_cast<unsigned long long>(total.operations),
      static_cast<unsigned long long>(total.rows),
      static_cast<unsigned long long>(total.compares),
      static_cast<unsigned long long>(total.restarts),
      static_cast<unsigned long long>(total.crashes),
      static_cast<unsigned long long>(total.seals));
}

}  // namespace
}  // namespace waterflow::storage::model

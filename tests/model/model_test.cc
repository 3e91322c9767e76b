// The engine against a naive one: random appends, resends, attempts, changes of
// runs and projects, deletes, retention, reads, copies, restarts and power
// cuts, with heads so small that seals never stop.
//
//   model_test                              a minute or so
//   WATERFLOW_MODEL_SECONDS=3600 model_test an hour of it
//   WATERFLOW_MODEL_SEED=42 model_test      that life again, and only that one
//
// A failure prints its seed and the shortest list of operations that still
// fails.
#include <gtest/gtest.h>
#include <unistd.h>

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
constexpr const char* kSeed = "WATERFLOW_MODEL_SEED";
// That are played by everyone; then one that nobody has seen, and as many more
// as there is time for.
constexpr uint64_t kFixedSeeds = 5;

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
  total.merges += player.counts().merges;
  total.deletes += player.counts().deletes;
  total.retained += player.counts().retained;
  total.copies += player.counts().copies;
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
  std::fprintf(stderr, "%s\n", ToRepeat(kSeed, seed).c_str());
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
  // What matters comes last: logs of long runs are cut in their middle.
  ADD_FAILURE() << ToString(shortest) << "\nshrunk to " << shortest.size()
                << " operations: " << last << "\nseed " << seed << ": " << wrong
                << "\nonce more: " << ToRepeat(kSeed, seed);
}

TEST(Model, TheEngineAnswersAsTheNaiveOneDoes) {
  // The store's disk never syncs, but copies of it would.
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
  const uint64_t one = FromEnvironment(kSeed, 0);
  if (one != 0) {
    ExpectLife(one);
    return;
  }
  const absl::Time end =
      absl::Now() + absl::Seconds(static_cast<int64_t>(
                        FromEnvironment("WATERFLOW_MODEL_SECONDS", 60)));
  const uint64_t clock = static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  uint64_t life = 0;
  for (; (life <= kFixedSeeds || absl::Now() < end) && !HasFailure(); ++life) {
    ExpectLife(life < kFixedSeeds ? life + 1 : clock + life - kFixedSeeds);
  }
  const auto number = [](const char* name, uint64_t count) {
    std::printf("%llu %s, ", static_cast<unsigned long long>(count), name);
  };
  number("operations", total.operations);
  number("rows", total.rows);
  number("comparisons", total.compares);
  number("restarts", total.restarts);
  number("power cuts", total.crashes);
  number("seals", total.seals);
  number("merges", total.merges);
  number("deletes", total.deletes);
  number("runs taken by retention", total.retained);
  number("copies", total.copies);
  std::printf("%llu lives\n", static_cast<unsigned long long>(life));
}

}  // namespace
}  // namespace waterflow::storage::model

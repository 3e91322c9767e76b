// Runs every fuzz entry over its corpus (tests/fuzz/corpus/NAME) and thousands
// of mutations of it, without libFuzzer, so that any compiler does it. Set
// WATERFLOW_FUZZ_SEED to repeat a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/entries.h"

namespace waterflow::fuzz {
namespace {

constexpr int kMutations = 20000;
constexpr size_t kMaxInput = 1 << 16;

std::vector<std::string> Corpus(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(
           std::string(WATERFLOW_FUZZ_CORPUS) + "/" + name)) {
    paths.push_back(file.path());
  }
  std::sort(paths.begin(), paths.end());  // so that a seed means the same
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file),
                        std::istreambuf_iterator<char>());
  }
  return inputs;
}

uint64_t Seed() {
  const char* const given = std::getenv("WATERFLOW_FUZZ_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10)
                          : std::random_device{}();
}

// Changes an input as faults and enemies do: bits, bytes, lengths, and parts
// of other inputs.
class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, uint64_t seed)
      : corpus_(corpus), random_(seed) {}

  std::string Next() {
    std::string input = corpus_[Below(corpus_.size())];
    for (size_t n = 1 + Below(4); n > 0; --n) Mutate(&input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    return input;
  }

 private:
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void Mutate(std::string* input) {
    const size_t at = Below(input->size());
    const size_t length = 1 + Below(std::min<size_t>(16, input->size()));
    switch (Below(7)) {
      case 0:
        if (!input->empty()) {
          (*input)[at] = static_cast<char>((*input)[at] ^ (1 << Below(8)));
        }
        break;
      case 1:
        if (!input->empty()) (*input)[at] = static_cast<char>(random_());
        break;
      case 2: {  // a length or count at a limit
        constexpr unsigned char kLimits[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        if (!input->empty()) {
          (*input)[at] = static_cast<char>(kLimits[Below(5)]);
        }
        break;
      }
      case 3:
        input->erase(at, length);
        break;
      case 4:
        input->insert(at, length, static_cast<char>(random_()));
        break;
      case 5:
        input->resize(at);
        break;
      default: {
        const std::string& other = corpus_[Below(corpus_.size())];
        input->replace(at, std::string::npos,
                       other.substr(Below(other.size())));
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

void RunEntry(const std::string& name, int (*entry)(const uint8_t*, size_t)) {
  const std::vector<std::string> corpus = Corpus(name);
  ASSERT_FALSE(corpus.empty());
  const auto run = [entry](const std::string& input) {
    // A buffer of exactly the size: AddressSanitizer sees a step outside.
    const std::vector<uint8_t> bytes(input.begin(), input.end());
    entry(bytes.data(), bytes.size());
  };
  for (const std::string& input : corpus) run(input);
  const uint64_t seed = Seed();
  // Printed before: a crash prints nothing more.
  std::printf("WATERFLOW_FUZZ_SEED=%llu\n",
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  Mutator mutator(corpus, seed);
  for (int i = 0; i < kMutations; ++i) run(mutator.Next());
}

TEST(FuzzTest, ChunksFromAnEnemy) { RunEntry("chunk", Chunk); }
TEST(FuzzTest, ColumnsFromAnEnemy) { RunEntry("column", Column); }
TEST(FuzzTest, BatchesFromAnEnemy) { RunEntry("batch", Batch); }
TEST(FuzzTest, AxesFromAnEnemy) { RunEntry("axis", Axis); }
TEST(FuzzTest, BlocksFromAnEnemy) { RunEntry("block", Block); }
TEST(FuzzTest, SummariesFromAnEnemy) { RunEntry("summaries", Summaries); }
TEST(FuzzTest, LatestFromAnEnemy) { RunEntry("latest", Latest); }
TEST(FuzzTest, LogGroupsFromAnEnemy) { RunEntry("loggroup", LogGroup); }
TEST(FuzzTest, CatalogValuesFromAnEnemy) {
  RunEntry("catalogvalue", CatalogValue);
}
TEST(FuzzTest, SearchesFromAnEnemy) { RunEntry("search", Search); }
TEST(FuzzTest, TailTokensFromAnEnemy) { RunEntry("tailtoken", TailToken); }
TEST(FuzzTest, MetricPatternsFromAnEnemy) {
  RunEntry("metricpattern", MetricPattern);
}

}  // namespace
}  // namespace waterflow::fuzz

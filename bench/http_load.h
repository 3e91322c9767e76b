// Drives a server over HTTP as bench/load.h drives ours over gRPC: many
// connections on one thread, each with one request on its way.
#ifndef WATERFLOW_BENCH_HTTP_LOAD_H_
#define WATERFLOW_BENCH_HTTP_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load.h"

namespace waterflow::bench {

// What the connections send.
class HttpRequests {
 public:
  virtual ~HttpRequests() = default;
  // The next body of a connection. Returns how many samples it holds; 0: there
  // are no more.
  virtual uint64_t Next(size_t connection, std::string* body) = 0;
};

struct HttpLoadOptions {
  uint16_t port = 0;
  std::string target;  // the path that is posted to
  std::vector<std::pair<std::string, std::string>> headers;
  // Its address, threads and what only streams have do not count.
  LoadOptions load;
};

// As RunLoad; a message is a request. INTERNAL when an answer is not 2xx.
absl::StatusOr<LoadResult> RunHttpLoad(const HttpLoadOptions& options,
                                       HttpRequests* requests);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_HTTP_LOAD_H_

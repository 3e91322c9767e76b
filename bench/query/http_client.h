// One connection to an HTTP server on loopback that stays open from one request
// to the next, as a dashboard's does.
#ifndef WATERFLOW_BENCH_QUERY_HTTP_CLIENT_H_
#define WATERFLOW_BENCH_QUERY_HTTP_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace waterflow::bench {

class HttpClient {
 public:
  static absl::StatusOr<std::unique_ptr<HttpClient>> Connect(uint16_t port);
  ~HttpClient();

  // Posts a form to `target` and waits for the body of the answer. INTERNAL
  // when it is not 2xx.
  absl::StatusOr<std::string> Post(
      const std::string& target,
      const std::vector<std::pair<std::string, std::string>>& form);

 private:
  struct Connection;
  explicit HttpClient(std::unique_ptr<Connection> connection);

  std::unique_ptr<Connection> connection_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_HTTP_CLIENT_H_

// One HTTP request to a server on loopback, and its answer.
#ifndef WATERFLOW_BENCH_HTTP_CALL_H_
#define WATERFLOW_BENCH_HTTP_CALL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace waterflow::bench {

// POST when there is a body, which is JSON, else GET. The body of the answer;
// UNAVAILABLE when nobody listens, INTERNAL when it is not 2xx.
absl::StatusOr<std::string> HttpCall(uint16_t port, const std::string& target,
                                     const std::string& body = "");

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_HTTP_CALL_H_

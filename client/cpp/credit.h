// Account of the bytes that are on their way, unacked, against what the server
// allows. Belongs to one session; not thread-safe.
#ifndef WATERFLOW_CLIENT_CPP_CREDIT_H_
#define WATERFLOW_CLIENT_CPP_CREDIT_H_

#include <cstdint>
#include <deque>
#include <unordered_map>

namespace waterflow::client {

class Credit {
 public:
  void SetLimit(uint64_t bytes) { limit_ = bytes; }

  // A batch of a lane that ends before `end_row` was written.
  void Sent(uint32_t schema, uint64_t end_row, uint64_t bytes);
  // The lane's rows below `next_row` need no further answer.
  void Answered(uint32_t schema, uint64_t next_row);

  // How large the next batch may be; 0: wait for an answer. When nothing is on
  // its way a batch of any size may go, or a row above the limit would be stuck
  // for ever; a limit of 0 stops even that.
  uint64_t Available() const;
  // Nothing is on its way.
  bool idle() const { return in_flight_ == 0; }

 private:
  struct Batch {
    uint64_t end_row;
    uint64_t bytes;
  };

  uint64_t limit_ = 0;
  uint64_t in_flight_ = 0;
  std::unordered_map<uint32_t, std::deque<Batch>> lanes_;
};

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_CREDIT_H_

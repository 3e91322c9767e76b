// Aligned columns of text.
#ifndef WATERFLOW_CLIENT_CLI_TABLE_H_
#define WATERFLOW_CLIENT_CLI_TABLE_H_

#include <ostream>
#include <string>
#include <vector>

namespace waterflow::cli {

class Table {
 public:
  // A header that begins with '>' makes its column flush right.
  explicit Table(std::vector<std::string> headers);

  // One cell per header.
  void Add(std::vector<std::string> cells);
  // A table without rows prints nothing.
  void Print(std::ostream& out) const;

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_TABLE_H_

// Rows of CSV, as RFC 4180 has it.
#ifndef WATERFLOW_CLIENT_CLI_CSV_H_
#define WATERFLOW_CLIENT_CLI_CSV_H_

#include <string>
#include <vector>

namespace waterflow::cli {

// A cell; quoted where it must be.
std::string CsvText(const std::string& text);

// To the standard output.
void PrintCsvRow(const std::vector<std::string>& cells);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_CSV_H_

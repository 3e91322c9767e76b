waterflow_test(bench_test unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bench_batch_test.cc ${CMAKE_CURRENT_LIST_DIR}/bench_histogram_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/bench_http_test.cc ${CMAKE_CURRENT_LIST_DIR}/bench_ingest_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/bench_sink_test.cc ${CMAKE_CURRENT_LIST_DIR}/bench_store_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/bench_w1_test.cc
  LIBS waterflow_bench)

# Debian's Python: what bench/report runs with.
add_test(NAME BenchReport COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/bench_report_test.py)
set_tests_properties(BenchReport PROPERTIES LABELS unit TIMEOUT 60)
# Real processes on loopback, for some seconds.
add_test(NAME BenchCommand COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/bench_command_test.py
                                   $<TARGET_FILE:waterflow-bench>)
set_tests_properties(BenchCommand PROPERTIES LABELS e2e TIMEOUT 240)

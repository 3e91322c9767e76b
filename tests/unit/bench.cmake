waterflow_test(bench_test unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/bench_batch_test.cc ${CMAKE_CURRENT_LIST_DIR}/bench_histogram_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/bench_sink_test.cc ${CMAKE_CURRENT_LIST_DIR}/bench_w1_test.cc
  LIBS waterflow_bench)

waterflow_test(keep_test unit
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/keep_backup_test.cc ${CMAKE_CURRENT_LIST_DIR}/keep_disk_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/keep_memory_test.cc ${CMAKE_CURRENT_LIST_DIR}/keep_merge_plan_test.cc
          ${CMAKE_CURRENT_LIST_DIR}/keep_retention_test.cc ${CMAKE_CURRENT_LIST_DIR}/keep_verify_test.cc
  LIBS storage_engine storage_database storage_keep)

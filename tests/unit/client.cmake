waterflow_test(client_test unit
  SOURCES client_encoder_test.cc client_lane_test.cc client_writer_test.cc client_fake_ingest.cc
  LIBS waterflow_client)
waterflow_test(client_cli_test unit SOURCES client_cli_test.cc LIBS waterflow_cli)

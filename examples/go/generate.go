//go:build generate

// Makes the stubs, in v1/. go.mod and go.sum pin protoc's plugins because they are named here.
package main

import (
	_ "google.golang.org/grpc/cmd/protoc-gen-go-grpc"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
)

//go:generate go build -o bin/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
//go:generate sh -c "PATH=bin:$PATH protoc -I ../../proto --go_out=. --go_opt=module=waterflow --go-grpc_out=. --go-grpc_opt=module=waterflow ../../proto/waterflow/v1/*.proto"
